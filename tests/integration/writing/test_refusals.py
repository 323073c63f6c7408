"""What cannot be stored goes into quarantine with the reason; the good ones around it flow."""

import datetime
import random
from collections.abc import Iterator
from typing import Any

import bson
import pytest
from bson import ObjectId

from relaycore import envelope
from relaycore.identity import content_key
from relaycore.position import first_of

from .world import Failpoint, Wait, World, document, fields_of, position, running

pytestmark = pytest.mark.django_db(databases=["default", "messages"])


@pytest.fixture
def refusing(world: World) -> Iterator[None]:
    """MongoDB refuses messages that contain "bad", with code 121."""
    command = {"collMod": world.messages.name, "validator": {"message": {"$not": {"$regex": "bad"}}}}
    world.messages.database.command(command)
    yield
    world.messages.database.command(command | {"validator": {}})


def _quarantined(world: World) -> list[dict[str, Any]]:
    return list(world.quarantine.find().sort("position"))


# --- MongoDB refuses ---------------------------------------------------------------------


def test_one_document_that_mongodb_refuses_does_not_hold_up_the_others(
    world: World, refusing: None, wait_until: Wait
) -> None:
    entry = world.append_raw(fields_of([document(text) for text in ("good 1", "bad", "good 2")]))
    world.append("good 3")

    with running() as run:
        wait_until(world.is_settled)
        world.append("good 4")
        wait_until(world.is_settled)

    assert world.stored() == ["good 1", "good 2", "good 3", "good 4"]
    assert world.counts() == {"orders": 4}
    assert run.writer.stored == 4
    (kept,) = _quarantined(world)
    assert (kept["channel"], kept["payload"], kept["size"]) == ("orders", b"bad", 3)
    assert kept["position"] == position(entry, 1)
    assert "121" in kept["reason"]
    assert isinstance(kept["quarantined_at"], datetime.datetime)


def test_the_same_refusal_twice_is_kept_once(world: World, refusing: None, wait_until: Wait) -> None:
    world.append_raw(fields_of([document("bad")]))
    world.deliver(1)
    with Failpoint(times=1, collection="quarantine", writeConcernError={"code": 64, "errmsg": "late"}):
        with running():
            wait_until(world.is_settled)

    assert len(_quarantined(world)) == 1


def test_a_quarantine_that_cannot_be_written_is_waited_for(
    world: World, refusing: None, wait_until: Wait
) -> None:
    world.append_raw(fields_of([document("bad")]))

    with Failpoint(collection="quarantine", errorCode=14031) as failpoint, running():
        wait_until(lambda: failpoint.entered >= 2)
        assert world.pending() == 1
        failpoint.lift()
        wait_until(world.is_settled)

    assert len(_quarantined(world)) == 1


def test_a_document_too_large_for_mongodb_is_refused(world: World, wait_until: Wait) -> None:
    world.append_raw(fields_of([document("good 1"), document("x" * (17 << 20)), document("good 2")]))
    world.appended += [("orders", "good 1"), ("orders", "good 2")]

    with running():
        wait_until(world.is_settled, seconds=20)

    world.assert_each_stored_once()
    (kept,) = _quarantined(world)
    assert kept["size"] == 17 << 20
    assert kept["payload"] == b"x" * envelope.MAX_CARRIED_BYTES


# --- not even given to MongoDB -----------------------------------------------------------


def test_a_message_that_the_listener_refused_goes_into_quarantine(world: World, wait_until: Wait) -> None:
    payload = b"y" * (2 << 20)
    key = content_key(b"orders")(payload)
    refused = envelope.Encoder(b"orders").encode_refused(key, payload, envelope.timestamp(1_795_000_000_123))
    world.append("before")
    entry = world.append_raw(fields_of([refused]) | {envelope.F_REASON: "2097152 bytes are too many"})
    world.append("after")

    with running():
        wait_until(world.is_settled)

    world.assert_each_stored_once()
    (kept,) = _quarantined(world)
    assert (kept["reason"], kept["position"]) == ("2097152 bytes are too many", position(entry))
    assert (kept["channel"], kept["payload"], kept["size"]) == ("orders", payload, len(payload))
    assert kept["received_at"] == datetime.datetime(2026, 11, 18, 11, 6, 40, 123000, tzinfo=datetime.UTC)


def test_of_a_payload_that_was_cut_the_true_size_is_kept(world: World, wait_until: Wait) -> None:
    payload = b"\xff" * (20 << 20)
    refused = envelope.Encoder(b"orders").encode_refused(b"k" * 12, payload, envelope.timestamp(0))
    world.append_raw(fields_of([refused]) | {envelope.F_REASON: "too large"})

    with running():
        wait_until(world.is_settled, seconds=20)

    (kept,) = _quarantined(world)
    assert (len(kept["payload"]), kept["size"]) == (envelope.MAX_CARRIED_BYTES, 20 << 20)


FOREIGN: dict[str, dict[Any, Any]] = {
    "text": {"hello": "world"},
    "no count": {"bson": document("x")},
    "no documents": {"messages": 1},
    "count is not a number": {"messages": "many", "bson": document("x")},
    "count too small": {"messages": 1, "bson": document("x") + document("y")},
    "count too large": {"messages": 3, "bson": document("x") + document("y")},
    "negative count": {"messages": -1, "bson": b""},
    "not BSON": {"messages": 1, "bson": b"\x00" * 100},
    "cut short": {"messages": 1, "bson": document("x")[:-1]},
    "other BSON": {"messages": 1, "bson": bson.encode({"_id": 1, "channel": "orders"})},
    "length of 2 GiB": {"messages": 1, "bson": b"\xff\xff\xff\x7f" + document("x")[4:]},
    "negative length": {"messages": 1, "bson": b"\xff\xff\xff\xff" + document("x")[4:]},
    "bytes everywhere": {b"\xff\x00": b"\x00\xff", b"": b""},
}


@pytest.mark.parametrize("fields", FOREIGN.values(), ids=FOREIGN)
def test_a_foreign_entry_goes_into_quarantine_as_it_is(
    world: World, wait_until: Wait, fields: dict[Any, Any]
) -> None:
    world.append("before")
    entry = world.append_raw(fields)
    world.append("after")

    with running():
        wait_until(world.is_settled)

    world.assert_each_stored_once()
    (kept,) = _quarantined(world)
    assert kept["position"] == first_of(entry)
    assert kept["reason"].startswith("The entry cannot be read: ")
    for name, value in fields.items():
        for part in (name, value):
            raw = part if isinstance(part, bytes) else str(part).encode()
            assert raw in kept["payload"]


def test_an_entry_without_messages_is_acknowledged(world: World, wait_until: Wait) -> None:
    world.append_raw({"messages": 0, "bson": b""})
    world.append("good")

    with running():
        wait_until(world.is_settled)

    world.assert_each_stored_once()


def test_an_entry_with_one_broken_document_is_kept_whole(world: World, wait_until: Wait) -> None:
    """Whoever wrote that does not know the format: none of it is believed, all of it is kept."""
    broken = bytearray(document("broken"))
    broken[-9:-1] = b"garbage!"
    broken[50] ^= 0xFF
    world.append("before")
    entry = world.append_raw(fields_of([document("good"), bytes(broken)]))
    world.append("after")

    with running():
        wait_until(world.is_settled)

    world.assert_each_stored_once()
    (kept,) = _quarantined(world)
    assert kept["position"] == first_of(entry)
    assert document("good")[:40] in kept["payload"]


def test_a_channel_name_of_8_mib_does_not_block_the_quarantine(world: World, wait_until: Wait) -> None:
    """MongoDB refuses the document, and the quarantine must not write the same again."""
    key, channel, payload = b"k" * 12, b"c" * (8 << 20), b"z" * (8 << 20)
    world.append_raw(fields_of([envelope.Encoder(channel).encode(key, payload, envelope.timestamp(0))]))
    world.append("good")

    with running():
        wait_until(world.is_settled)

    world.assert_each_stored_once()
    (kept,) = _quarantined(world)
    assert kept["channel"] is None


def test_a_time_that_no_calendar_has_is_refused_or_stored(world: World, wait_until: Wait) -> None:
    world.append_raw(fields_of([document("x", now_ms=2**62), document("y", now_ms=-(2**62))]))
    reason = {envelope.F_REASON: "refused"}
    world.append_raw(fields_of([document("z", now_ms=2**62)]) | reason)
    world.append("good")

    with running():
        wait_until(world.is_settled)

    assert world.messages.count_documents({}) == 3
    (kept,) = _quarantined(world)
    assert (kept["received_at"], kept["channel"]) == (None, None)


@pytest.mark.parametrize("seed", range(8))
def test_no_mutation_of_an_entry_stops_the_writer(world: World, wait_until: Wait, seed: int) -> None:
    chance = random.Random(seed)
    for n in range(60):
        world.append(f"good {n}")
        documents = [document(f"mutated {seed} {n} {k}") for k in range(3)]
        raw = bytearray(b"".join(documents))
        for _ in range(chance.randint(1, 4)):
            raw[chance.randrange(len(raw))] = chance.choice((0, 1, 0x7F, 0x80, 0xFF, chance.randrange(256)))
        world.append_raw(fields_of(documents) | {envelope.F_BSON: bytes(raw)})

    with running():
        wait_until(world.is_settled, seconds=30)

    good = list(world.messages.distinct("_id", {"message": {"$regex": "^good"}}))
    assert len(good) == 60


def test_quarantined_ids_come_from_positions(world: World, wait_until: Wait) -> None:
    for _ in range(2):
        world.append_raw({"the same": "garbage"})

    with running():
        wait_until(world.is_settled)

    kept = _quarantined(world)
    assert len({row["_id"] for row in kept}) == 2
    assert all(isinstance(row["_id"], ObjectId) for row in kept)


# --- unique indexes that are not Relay's -------------------------------------------------


@pytest.fixture
def foreign(world: World) -> Iterator[None]:
    """Somebody's own unique index on the messages."""
    name = world.messages.create_index(["channel", "message"], unique=True, name="no doubles")
    yield
    world.messages.drop_index(name)


def test_what_a_foreign_unique_index_refuses_is_no_message_stored_before(
    world: World, foreign: None, wait_until: Wait, caplog: pytest.LogCaptureFixture
) -> None:
    """Under `every`: thirty publishes of one text are thirty messages, each under a key of its own."""
    at = envelope.timestamp(1_795_000_000_123)
    keys = [bytes([n]) * 12 for n in range(30)]
    world.append_raw(fields_of([envelope.Encoder(b"orders").encode(key, b"secret", at) for key in keys]))
    world.append("good")

    with running():
        wait_until(world.is_settled)

    assert world.stored() == ["secret", "good"]
    assert world.counts() == {"orders": 2}
    kept = _quarantined(world)
    assert {row["message_id"].binary for row in kept} | {world.messages.find_one()["_id"].binary} >= set(
        keys[1:]
    )
    assert len(kept) == 29
    assert all('The unique index "no doubles"' in row["reason"] for row in kept)
    assert "secret" not in caplog.text


def test_what_was_stored_before_is_none_of_the_quarantine_under_a_foreign_unique_index(
    world: World, foreign: None, wait_until: Wait
) -> None:
    world.append("again", "new 1")
    world.append("again", "new 2", source="2.1")

    with running():
        wait_until(world.is_settled)

    world.assert_each_stored_once()
    assert _quarantined(world) == []


def test_a_retry_of_what_the_same_writer_stored_is_none_of_the_quarantine(
    world: World, foreign: None, wait_until: Wait
) -> None:
    world.append("once", "twice")

    with Failpoint(times=1, writeConcernError={"code": 64, "errmsg": "late"}), running():
        wait_until(world.is_settled)

    world.assert_each_stored_once()
    assert _quarantined(world) == []


def test_a_foreign_unique_index_on_the_quarantine_loses_nothing(
    world: World, refusing: None, wait_until: Wait, caplog: pytest.LogCaptureFixture
) -> None:
    world.quarantine.create_index(["channel"], unique=True, name="one each")
    world.append_raw(fields_of([document("bad 1"), document("bad 2")]))

    with running():
        wait_until(lambda: 'The unique index "one each"' in caplog.text)
        assert world.pending() == 1
        assert len(_quarantined(world)) == 1
        world.quarantine.drop_index("one each")
        wait_until(world.is_settled)

    assert [row["payload"] for row in _quarantined(world)] == [b"bad 1", b"bad 2"]
