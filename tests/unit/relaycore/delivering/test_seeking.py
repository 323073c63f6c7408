"""What a seek passes over is on record, all of it and nothing else."""

from hypothesis import given
from hypothesis import strategies as st

from relaycore.delivering.seeking import OnTheirWay, passed
from relaycore.position import START, first_of

numbers = st.integers(1, 20)


def at(number: int) -> str:
    return first_of(f"{1_700_000_000_000 + number}-0")


@given(st.integers(0, 20), st.integers(0, 20), st.sets(numbers), st.sets(numbers))
def test_all_that_is_not_come_by_again_is_on_record(
    cursor: int, to: int, stored: set[int], open_rows: set[int]
) -> None:
    """The channel has the messages `stored`; `open_rows` are on their way, below the cursor."""
    rows = {number for number in stored & open_rows if number <= cursor}
    dropped = sorted(number for number in rows if number <= to)
    between = {number for number in stored if cursor < number <= to}
    ways = OnTheirWay.of(len(dropped), at(dropped[0]), at(dropped[-1])) if dropped else OnTheirWay()
    found = passed(at(cursor), at(to), ways, len(between))

    lost = between | set(dropped)
    if not lost:
        assert found is None
        return
    assert found is not None
    assert all(found.after < at(number) <= found.upto for number in lost)
    assert found.messages == len(lost)
    # Nothing that is handed out again is among it.
    assert found.upto <= at(max(to, cursor))


def test_what_is_not_known_is_on_record_as_such() -> None:
    found = passed(at(1), at(3), OnTheirWay(), None)
    assert found is not None
    assert (found.after, found.upto, found.messages) == (at(1), at(3), None)
    both = passed(at(2), at(3), OnTheirWay.of(1, at(1), at(1)), None)
    assert both is not None
    assert both.after < at(1)
    assert (both.upto, both.messages) == (at(3), None)


def test_back_to_the_beginning_nothing_is_passed_over() -> None:
    assert passed(at(3), START, OnTheirWay(), None) is None
    assert passed(at(3), at(3), OnTheirWay(), None) is None


def test_the_lowest_on_its_way_is_among_it_wherever_it_stands() -> None:
    first = first_of("0-0")
    for position in (first_of("5-0"), first_of("5-3"), "0000000000005-0000000000-00007"):
        found = passed(at(1), at(1), OnTheirWay.of(1, position, position), 0)
        assert found is not None
        assert first <= found.after < position == found.upto
