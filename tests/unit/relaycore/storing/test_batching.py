"""How much a writer reads at once."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relaycore.storing.batching import ReadSize


def test_thin_reads_that_come_back_full_double_the_count() -> None:
    size = ReadSize(target=100)
    size.learn(entries=16, messages=16)
    assert size.entries == 32


def test_a_read_that_brings_far_too_much_halves_it() -> None:
    size = ReadSize(target=100)
    size.learn(entries=16, messages=151)
    assert size.entries == 8


@pytest.mark.parametrize("messages", [75, 100, 150])
def test_about_the_target_is_left_alone(messages: int) -> None:
    size = ReadSize(target=100)
    size.learn(entries=16, messages=messages)
    assert size.entries == 16


def test_a_read_that_did_not_come_back_full_says_nothing_about_thin_entries() -> None:
    size = ReadSize(target=100)
    size.learn(entries=15, messages=15)
    assert size.entries == 16


@given(st.lists(st.tuples(st.integers(0, 5000), st.integers(0, 10**8)), max_size=50), st.integers(1, 50_000))
def test_the_count_stays_between_one_and_the_most(reads: list[tuple[int, int]], target: int) -> None:
    size = ReadSize(target)
    for entries, messages in reads:
        size.learn(entries, messages)
        assert 1 <= size.entries <= size.most == 1024


@given(st.integers(1, 50_000), st.integers(1, 30_000))
def test_where_entries_are_alike_it_comes_to_rest_at_about_the_target(target: int, each: int) -> None:
    size = ReadSize(target)
    for _ in range(12):
        size.learn(size.entries, size.entries * each)

    at_rest = size.entries
    size.learn(at_rest, at_rest * each)
    assert size.entries == at_rest
    brought = at_rest * each
    assert brought >= 0.75 * target or at_rest == size.most
    assert brought <= 1.5 * target or at_rest == 1
