"""What retention has deleted is asked for after each page that was read, and no more often than that."""

from typing import Any

from bson import ObjectId

from relaycore.delivering.cursor import Cursor
from relaycore.delivering.reading import RECORD_SECONDS, ReadAhead
from relaycore.storing.expiring import Expired

GONE = Expired(upto="3", messages=3)


def document(position: str) -> dict[str, Any]:
    return {"_id": ObjectId(b"0123456789ab"), "position": position, "message": "text"}


def test_it_is_asked_for_before_anything_is_handed_out() -> None:
    assert ReadAhead("", 1).expired(100.0) is None


def test_what_is_deleted_later_does_not_matter_to_what_was_read() -> None:
    read = ReadAhead("", 1)
    read.add([document("4"), document("5")])
    read.note(GONE, 100.0)

    assert read.fits(Cursor("4", "4", 1))
    assert read.expired(100.5) == GONE


def test_each_page_makes_it_worth_asking_again() -> None:
    read = ReadAhead("", 1)
    read.note(GONE, 100.0)
    read.add([document("4")])

    assert read.expired(100.0) is None


def test_so_does_a_page_of_which_nothing_is_wanted_or_left() -> None:
    read = ReadAhead("", 1)
    for page in ([], [document("4")]):
        read.note(GONE, 100.0)
        read.add(page, lambda one: False)

        assert read.expired(100.0) is None


def test_where_nothing_comes_it_is_asked_again_after_a_while() -> None:
    read = ReadAhead("", 1)
    read.note(GONE, 100.0)

    assert read.expired(100.0 + RECORD_SECONDS) is None
    assert read.expired(99.0) is None


def test_only_what_is_leased_is_named() -> None:
    read = ReadAhead("", 1)
    read.add([document("4")])

    leased, found = read.ahead(10, 1000)
    committed, same = read.ahead(10, 1000, is_leased=False)

    assert found == same
    assert leased.messages == [("4", b"0123456789ab")]
    assert (committed.messages, committed.upto) == ([], leased.upto)
