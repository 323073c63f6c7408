"""How far a subscription has come, and who may move it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relaycore.delivering.cursor import Cursor
from relaycore.errors import CursorMoved

from .places import at, positions

HERE = Cursor(at(5), at(9), generation=3)


@pytest.mark.parametrize("generation", [1, None])
@pytest.mark.parametrize("number", [5, 7, 9])
def test_a_commit_goes_forward_up_to_what_was_fetched(number: int, generation: int | None) -> None:
    assert Cursor(at(5), at(9)).commit(at(number), generation) == Cursor(at(number), at(9))
    assert HERE.commit(at(number), 3) == Cursor(at(number), at(9), 3)


@pytest.mark.parametrize(
    ("number", "generation"),
    [(4, 3), (10, 3), (7, None), (7, 2), (7, 4)],
    ids=["back", "too far", "after a seek, blindly", "before a seek", "never"],
)
def test_no_other_commit_counts(number: int, generation: int | None) -> None:
    with pytest.raises(CursorMoved) as caught:
        HERE.commit(at(number), generation)
    assert (caught.value.position, caught.value.generation) == (at(5), 3)


def test_what_was_fetched_only_grows() -> None:
    assert HERE.fetch(at(12), 3).fetched == at(12)
    assert HERE.fetch(at(7), 3) == HERE


def test_what_was_read_before_a_seek_is_not_fetched() -> None:
    with pytest.raises(CursorMoved):
        HERE.fetch(at(12), 2)


@given(st.lists(st.tuples(st.sampled_from(["fetch", "commit", "seek"]), positions, st.integers(1, 4))))
def test_only_a_seek_goes_back_and_nothing_from_before_it_counts(
    steps: list[tuple[str, str, int]],
) -> None:
    cursor = Cursor()
    for name, position, generation in steps:
        if name == "seek":
            sought = cursor.seek(position)
            assert sought == Cursor(position, position, cursor.generation + 1)
            cursor = sought
            continue
        try:
            moved = getattr(cursor, name)(position, generation)
        except CursorMoved:
            continue
        assert generation == cursor.generation
        assert cursor.position <= moved.position <= moved.fetched
        assert moved.fetched >= cursor.fetched
        cursor = moved


def test_what_was_fetched_before_it_was_chosen_anew_is_not_committed() -> None:
    anew = HERE.choose_anew()
    assert anew == Cursor(at(5), at(5), 4)
    with pytest.raises(CursorMoved):
        anew.commit(at(9), 3)
