"""A message that kills its writer each time is found and put aside; the others are stored."""

import pytest

from messages_app.writing.batch import MOST_DELIVERIES
from messages_app.writing.stream import Stream
from relaybase import keys

from .world import Failpoint, Wait, World, position, running

pytestmark = pytest.mark.django_db(databases=["default", "messages"])


def _suspect(world: World) -> bytes | None:
    found: bytes | None = world.redis.get(keys.suspect(0))
    return found


def test_an_entry_delivered_too_often_is_stored_one_by_one_with_the_suspect_noted(
    world: World, wait_until: Wait, monkeypatch: pytest.MonkeyPatch
) -> None:
    entry = world.append("a", "b", "c")
    world.deliver(1, times=MOST_DELIVERIES)
    noted: list[str] = []
    real = Stream.note_suspect

    def note(stream: Stream, position: str) -> None:
        real(stream, position)
        noted.append((_suspect(world) or b"").decode())

    monkeypatch.setattr(Stream, "note_suspect", note)
    with running():
        wait_until(world.is_settled)

    assert noted == [position(entry, 0), "", position(entry, 1), "", position(entry, 2), ""]
    world.assert_each_stored_once()
    assert not world.quarantine.count_documents({})


def test_an_entry_delivered_often_is_still_one_insert(
    world: World, wait_until: Wait, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Stream, "note_suspect", lambda *_: pytest.fail("it is no suspect yet"))
    world.append("a", "b", "c")
    world.deliver(1, times=MOST_DELIVERIES - 1)

    with running():
        wait_until(world.is_settled)

    world.assert_each_stored_once()


def test_the_suspect_goes_into_quarantine_and_the_others_are_stored(world: World, wait_until: Wait) -> None:
    entry = world.append("a", "the culprit", "c")
    world.deliver(1, times=MOST_DELIVERIES + 2)
    world.redis.set(keys.suspect(0), position(entry, 1))  # Its writer died with this one noted.
    world.append("d")

    with running():
        wait_until(world.is_settled)

    assert world.stored() == ["a", "c", "d"]
    assert world.counts() == {"orders": 3}
    (kept,) = world.quarantine.find()
    assert (kept["payload"], kept["position"]) == (b"the culprit", position(entry, 1))
    assert "died" in kept["reason"]


def test_a_suspect_of_a_living_writer_is_innocent(
    world: World, wait_until: Wait, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Redis goes away just when the note should be taken back: nobody has died of that message."""
    world.append("a", "b")
    world.deliver(1, times=MOST_DELIVERIES)
    real = Stream.note_suspect
    cut = []

    def note(stream: Stream, position: str) -> None:
        if not position and not cut:
            cut.append(world.redis.client_kill_filter(_type="normal", skipme=True))
        real(stream, position)

    monkeypatch.setattr(Stream, "note_suspect", note)
    with running():
        wait_until(world.is_settled)

    assert cut
    assert cut[0] >= 1
    world.assert_each_stored_once()
    assert not world.quarantine.count_documents({})


def test_a_fault_of_mongodb_makes_no_suspect(world: World, wait_until: Wait) -> None:
    world.append("a", "b")
    world.deliver(1, times=MOST_DELIVERIES)

    with Failpoint(times=3, errorCode=14031), running():
        wait_until(world.is_settled)

    world.assert_each_stored_once()
    assert not _suspect(world)
