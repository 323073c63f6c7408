"""Which sender has an endpoint."""

from collections import Counter

import pytest

from relaycore.sending.shards import shard_of


def test_it_is_the_same_for_ever() -> None:
    """Another one would have two senders send the same while processes are replaced."""
    assert [shard_of(one, 7) for one in (1, 2, 3, 2**40)] == [6, 0, 4, 4]


@pytest.mark.parametrize("shards", [1, 2, 3, 16])
def test_each_has_about_as_many(shards: int) -> None:
    found = Counter(shard_of(one, shards) for one in range(1, 3001))
    assert set(found) == set(range(shards))
    assert max(found.values()) < 1.4 * 3000 / shards
