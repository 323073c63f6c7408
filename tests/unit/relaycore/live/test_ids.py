"""Ids of events: read as they were written, and refused if they were not."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relaycore.channels import MOST_PARTITIONS
from relaycore.errors import BadEventId
from relaycore.live.ids import EventId, Meaning, is_epoch, parse, resume
from relaycore.position import first_of

POSITIONS = st.builds(
    lambda at, number: first_of(f"{at}-{number}"), st.integers(0, 10**13 - 1), st.integers(0, 10**10 - 1)
)
IDS = st.builds(
    EventId,
    st.integers(0, 16**12 - 1).map("{:012x}".format),
    st.integers(0, 10**6),
    st.integers(0, 10**12),
    st.dictionaries(st.integers(0, MOST_PARTITIONS - 1), POSITIONS, min_size=1, max_size=50),
    st.booleans(),
)
A, B = first_of("1000-1"), first_of("2000-0")
ID = EventId("00000000000a", 3, 7, {0: B, 5: A})


@given(IDS)
def test_is_read_as_it_was_written(id: EventId) -> None:
    text = str(id)
    assert parse(text) == id
    assert text.isascii()
    assert text.isprintable()
    assert " " not in text
    assert str(parse(text)) == text


@given(IDS, st.data())
def test_what_is_cut_off_or_changed_is_never_another_place_by_accident(
    id: EventId, data: st.DataObject
) -> None:
    text = str(id)
    cut = text[: data.draw(st.integers(0, len(text) - 1))]
    try:
        found = parse(cut)
    except BadEventId:
        return
    # At the end of a place there is an id of fewer partitions, which begin at the least of the others.
    assert found.positions.items() <= id.positions.items()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "earliest",
        "x" * 5000,
        "00000000000a.1.0.",
        f"00000000000A.1.0.0_{A}",
        f"00000000000a.01.0.0_{A}",
        f"00000000000a.1.0.0_{A} ",
        f"00000000000a.1.0.0_{A}\n",
        f"00000000000a.1.0.0_{A}.0_{B}",
        f"00000000000a.1.0.{MOST_PARTITIONS}_{A}",
        f"00000000000a.1.0.0_{A}.END",
        f"00000000000a.1.-1.0_{A}",
        f"00000000000a.1.٣.0_{A}",
        f"00000000000a.1.0.0_{A}.end.end",
    ],
)
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(BadEventId, match="Send the last one"):
        parse(text)


def test_goes_on_from_its_positions() -> None:
    found = resume(ID, "00000000000a", 3, [0, 5])
    assert (found.meaning, found.positions) == (Meaning.SAME, {0: B, 5: A})


def test_a_partition_that_it_does_not_name_begins_at_the_least() -> None:
    assert resume(ID, "00000000000a", 3, [0, 2]).positions == {0: B, 2: A}


@pytest.mark.parametrize("generation", [2, 4])
def test_in_another_division_all_begin_at_the_least(generation: int) -> None:
    found = resume(ID, "00000000000a", generation, [0, 1])
    assert (found.meaning, found.positions) == (Meaning.DIVIDED, {0: A, 1: A})


def test_in_another_archive_all_begin_with_the_millisecond_of_the_least() -> None:
    found = resume(ID, "00000000000b", 3, [0, 5])
    assert found.meaning is Meaning.REMADE
    assert set(found.positions) == {0, 5}
    for position in found.positions.values():
        assert first_of("999-0") < position < first_of("1000-0")


def test_what_can_name_an_archive() -> None:
    assert is_epoch("0123456789ab")
    assert not any(map(is_epoch, ("", "0123456789a", "0123456789abc", "0123456789aB", "0123456789a\n")))
