"""How far a subscription has come, and who may move it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relaycore.delivering.cursor import Cursor, first_generation
from relaycore.errors import CursorMoved

from .places import at, positions

FIRST = first_generation(7)
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


def test_no_two_subscriptions_have_one_generation() -> None:
    generations = {first_generation(number) + seeks for number in range(50) for seeks in range(100)}
    assert len(generations) == 5000
    assert first_generation(0) == Cursor().generation


def test_until_the_first_seek_a_commit_need_not_say_its_generation() -> None:
    cursor = Cursor(at(5), at(9), FIRST)
    assert cursor.commit(at(7)) == cursor.commit(at(7), FIRST)
    for generation in (1, FIRST - 1, FIRST + 1):
        with pytest.raises(CursorMoved):
            cursor.commit(at(7), generation)
    with pytest.raises(CursorMoved):
        cursor.seek(at(5)).commit(at(5))
