"""What an answer means for a batch."""

import json
import time
from typing import Any

import pytest

from relay_client.answers import Answer
from relay_client.publishing.outcomes import of_answer
from relay_client.publishing.outgoing import Accepted, Batch, Outgoing


def stored(count: int, duplicates: Any) -> list[bool | None]:
    """Of each message of an answer, whether it is a duplicate."""
    batch = Batch("orders", tuple(Outgoing("orders", str(number), b"{}", None) for number in range(count)))
    said = {"ids": ["1"] * count, "positions": ["17-0-0"] * count, "duplicates": duplicates}
    outcome = of_answer(batch, Answer(201, {}, json.dumps(said).encode()))
    assert isinstance(outcome, Accepted)
    return [receipt.is_duplicate for receipt in outcome.receipts]


@pytest.mark.parametrize(
    ("duplicates", "told"),
    [
        ([], [False, False, False]),
        ([2, 0], [True, False, True]),
        ([[0], {"index": 1}, "1", None, 7, -1], [False, False, False]),
        (None, [None, None, None]),
        ({"0": True}, [None, None, None]),
    ],
    ids=str,
)
def test_duplicates_are_told_by_their_index(duplicates: Any, told: list[bool | None]) -> None:
    assert stored(3, duplicates) == told


def test_many_duplicates_cost_little_more_than_none() -> None:
    def cost(duplicates: list[int]) -> float:
        """Seconds of CPU."""
        began = time.process_time()
        stored(10_000, duplicates)
        return time.process_time() - began

    none = min(cost([]) for _ in range(3))
    assert min(cost(list(range(10_000))) for _ in range(3)) < 5 * none
