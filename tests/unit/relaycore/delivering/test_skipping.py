"""What retention has deleted before it was handed out."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relaycore.delivering.skipping import Noted, Skip, skip
from relaycore.storing.expiring import NOTHING, Expired

from .places import at, numbers


@pytest.mark.parametrize(
    ("noted", "expired", "missed"),
    [
        (Noted(), NOTHING, None),
        (Noted(), Expired(at(3), 3), None),
        (Noted(), Expired(at(5), 5), None),
        (Noted(), Expired(at(8), 8), Skip(at(5), at(8), 8)),
        (Noted(at(4), 4), Expired(at(8), 8), Skip(at(5), at(8), 4)),
        (Noted(at(7), 7), Expired(at(8), 8), Skip(at(7), at(8), 1)),
        (Noted(at(8), 8), Expired(at(8), 8), None),
        (Noted(at(8), 8), Expired(at(8), 9), None),
        (Noted(at(9), 9), Expired(at(8), 8), None),
        (Noted(at(7), 8), Expired(at(8), 8, going=1), Skip(at(7), at(8), 1)),
    ],
)
def test_what_a_cursor_has_missed(noted: Noted, expired: Expired, missed: Skip | None) -> None:
    now, found = skip(at(5), noted, expired)
    assert found == missed
    assert now == Noted(max(noted.upto, expired.upto), max(noted.messages, expired.messages))
    assert skip(at(5), now, expired) == (now, None)


@given(st.lists(st.tuples(st.sampled_from(["delete", "move", "look"]), numbers), max_size=40))
def test_whatever_is_deleted_above_the_cursor_is_on_record_once_and_so_many_are_bounded(
    steps: list[tuple[str, int]],
) -> None:
    """There is a message at each number from 1 on."""
    noted, expired, position, deleted = Noted(), NOTHING, 0, 0
    missed: set[int] = set()
    owed: set[int] = set()
    for name, number in [*steps, ("look", 0)]:
        if name == "delete" and number > deleted:
            expired = expired.begin(at(number), number - deleted).end(number - deleted)
            owed |= {one for one in range(deleted + 1, number + 1) if one > position}
            deleted = number
        if name == "move" and owed <= missed:
            position = max(position, number)
        if name == "look":
            noted, found = skip(at(position), noted, expired)
            if found is not None:
                some = {one for one in range(1, 41) if found.after < at(one) <= found.upto}
                assert not some & missed
                assert len(some) <= found.at_most
                missed |= some
            assert owed <= missed
