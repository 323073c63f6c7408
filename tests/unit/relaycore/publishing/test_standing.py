"""What may be said of what was published to whoever waits until it is stored."""

import pytest

from relaycore.position import next_position
from relaycore.publishing.standing import Awaited, Place, Seen, Stood, Stored, Unstored, judge

A, B = b"a" * 12, b"b" * 12
STOOD = Stood(["1000-0", "1000-1"], [1, 1], 0)
OWN_A, OWN_B = STOOD.positions
PASSED = next_position("1000-1")
EARLIER, LATER = "0000000000999-0000000000-00007", "0000000009000-0000000000-00000"
AT = 5


def awaited(*, may_repeat: bool = False) -> Awaited:
    return Awaited([A, B], STOOD, AT, may_repeat)


def test_the_first_entry_begins_where_others_in_it_end() -> None:
    assert list(Stood(["7-1", "7-2"], [2, 1], 3).positions) == [
        "0000000000007-0000000001-00003",
        "0000000000007-0000000001-00004",
        "0000000000007-0000000002-00000",
    ]


@pytest.mark.parametrize("below", ["", next_position("1000-0"), OWN_B])
def test_it_is_not_stored_before_the_watermark_has_passed_its_last_entry(below: str) -> None:
    found = {A: Place(OWN_A, AT), B: Place(OWN_B, AT)}
    assert judge(awaited(), Seen(below, found)) is Unstored.NOT_YET
    assert judge(awaited(), Seen(PASSED, found)) == Stored([OWN_A, OWN_B], [])


def test_what_is_in_neither_place_is_gone() -> None:
    found = {A: Place(OWN_A, AT)}
    assert judge(awaited(), Seen(PASSED, found)) is Unstored.GONE
    assert judge(awaited(), Seen(PASSED, found, {A})) is Unstored.GONE
    assert judge(awaited(), Seen(PASSED, found, {B})) == Stored([OWN_A, None], [])


def test_what_ids_were_raised_for_is_no_duplicate() -> None:
    found = {A: Place(LATER, AT), B: Place(LATER, AT - 1)}
    assert judge(awaited(), Seen(PASSED, found)) == Stored([LATER, LATER], [1])


def test_what_was_appended_twice_stands_where_it_stood_first() -> None:
    found = {A: Place(EARLIER, AT), B: Place(EARLIER, AT - 1)}
    assert judge(awaited(may_repeat=True), Seen(PASSED, found)) == Stored([EARLIER, EARLIER], [1])


def test_what_came_before_it_in_the_same_millisecond_is_a_duplicate() -> None:
    found = {A: Place(EARLIER, AT), B: Place(OWN_B, AT)}
    assert judge(awaited(), Seen(PASSED, found)) == Stored([EARLIER, OWN_B], [0])
