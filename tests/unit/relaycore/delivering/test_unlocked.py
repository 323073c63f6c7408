"""What may be decided by a row as it was left, and which rows are remembered."""

from dataclasses import replace

import pytest

from relaycore.delivering.cursor import Cursor
from relaycore.delivering.giving import Standing
from relaycore.delivering.skipping import Noted
from relaycore.delivering.unlocked import Left, may_be_written

from .places import at

SEEN = Standing(Cursor(at(1), at(4)), Noted(at(1), 3))


@pytest.mark.parametrize("moved", [SEEN.cursor.fetch(at(5), 1), SEEN.cursor.commit(at(3))])
def test_a_cursor_that_moves_is_held_by_the_row(moved: Cursor) -> None:
    assert may_be_written(SEEN, replace(SEEN, cursor=moved))


def test_what_changes_nothing_is_not_written_and_proves_nothing() -> None:
    assert not may_be_written(SEEN, SEEN)


@pytest.mark.parametrize(
    "more",
    [{"noted": Noted(at(2), 4)}, {"is_active": False}, {"revision": 2}],
    ids=lambda more: next(iter(more)),
)
def test_what_goes_with_other_rows_needs_the_lock(more: dict[str, object]) -> None:
    moved = replace(SEEN, cursor=SEEN.cursor.commit(at(3)))
    assert not may_be_written(SEEN, replace(moved, **more))  # type: ignore[arg-type]


def test_a_row_is_remembered_as_it_was_left_last() -> None:
    left, moved = Left(2), replace(SEEN, cursor=SEEN.cursor.commit(at(3)))
    left.leave(7, SEEN)
    left.leave(7, moved)
    assert left.recall(7) == moved
    left.forget(7)
    assert left.recall(7) is None


def test_of_too_many_those_are_forgotten_that_were_left_first() -> None:
    left = Left(2)
    for id in (1, 2, 1, 3):
        left.leave(id, SEEN)
    assert [id for id in (1, 2, 3) if left.recall(id)] == [1, 3]
