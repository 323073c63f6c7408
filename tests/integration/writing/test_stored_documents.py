"""What a writer makes of the stream: the documents, their positions, and when it acknowledges."""

import datetime
from typing import Any

import pytest
from bson import ObjectId

from leases_app.leasing import Contender
from leases_app.models import Lease
from messages_app.writing.writer import write
from relaybase import keys
from relaycore import envelope
from relaycore.identity import content_key
from relaycore.storing.batching import ReadSize

from .world import Failpoint, Text, Wait, World, document, fields_of, position, running

pytestmark = pytest.mark.django_db(databases=["default", "messages"])
with_leases = pytest.mark.django_db(transaction=True, databases=["default", "messages"])


def test_a_message_is_stored_as_documented(world: World, wait_until: Wait) -> None:
    now_ms = 1_795_000_000_123
    entry = world.append_raw(fields_of([document("hello", "orders", now_ms)]))

    with running():
        wait_until(world.is_settled)

    assert list(world.messages.find()) == [
        {
            "_id": ObjectId(content_key(b"orders")(b"hello")),
            "channel": "orders",
            "message": "hello",
            "received_at": datetime.datetime(2026, 11, 18, 11, 6, 40, 123000, tzinfo=datetime.UTC),
            "position": position(entry),
        }
    ]


def test_what_a_publisher_said_of_a_message_is_stored_as_it_is(world: World, wait_until: Wait) -> None:
    said: dict[str, Any] = {"attributes": {"kind": "a", "a.b": ""}, "content_type": "text/plain"}
    said["produced_by"] = "billing"
    at = envelope.timestamp(1_795_000_000_123)
    published = envelope.Encoder(b"orders").encode_published(b"k" * 12, b"hello", at, **said)
    entry = world.append_raw(fields_of([document("heard"), published, document("later")]))

    with running():
        wait_until(world.is_settled)

    (stored,) = world.messages.find({"message": "hello"})
    assert {name: stored[name] for name in said} == said
    assert stored["position"] == position(entry, 1)
    assert world.stored() == ["heard", "hello", "later"]
    assert set(world.messages.find_one({"message": "heard"})) == {
        *("_id", "channel", "message", "received_at", "position"),
    }


def test_positions_are_entry_id_and_index(world: World, wait_until: Wait) -> None:
    first = world.append("a", "b", "c")
    second = world.append("d", "e")

    with running():
        wait_until(world.is_settled)

    assert [(text, world.position(text)) for text in "abcde"] == [
        *((text, position(first, index)) for index, text in enumerate("abc")),
        *((text, position(second, index)) for index, text in enumerate("de")),
    ]


@pytest.mark.parametrize(
    "payload",
    [
        "",
        "text ✓ \N{FACE WITH TEARS OF JOY}",
        "\0",
        "nul \0 inside",
        b"\xff\xfe\x00 not UTF-8 \x80",
        b"\xed\xa0\x80",
        "x" * (1 << 20),
        b"\x80" * (1 << 20),
    ],
    ids=["empty", "text", "NUL", "NUL inside", "bytes", "half a surrogate pair", "1 MiB text", "1 MiB bytes"],
)
def test_a_payload_comes_back_byte_for_byte(world: World, wait_until: Wait, payload: Text) -> None:
    world.append("before", payload, "after")

    with running():
        wait_until(world.is_settled)

    assert world.stored() == ["before", payload, "after"]


def test_200_messages_of_100_texts_store_100(world: World, wait_until: Wait) -> None:
    texts = [f"text {n % 100}" for n in range(200)]
    for at in range(0, 200, 7):
        world.append(*texts[at : at + 7])

    with running() as run:
        wait_until(world.is_settled)

    assert world.stored() == texts[:100]  # Each with its first position.
    world.assert_each_stored_once()
    assert run.writer.stored == 100


def test_the_same_text_on_two_channels_is_two_messages(world: World, wait_until: Wait) -> None:
    world.append("same", channel="a")
    world.append("same", channel="b")

    with running():
        wait_until(world.is_settled)

    world.assert_each_stored_once()
    assert world.counts() == {"a": 1, "b": 1}


def test_when_the_last_message_of_a_channel_came_is_noted(world: World, wait_until: Wait) -> None:
    world.append("one")
    last = world.append("two")

    with running():
        wait_until(world.is_settled)

    assert world.redis.hget(keys.last_at(0), "orders").decode() == last.partition("-")[0]


def test_an_entry_is_acknowledged_only_after_its_insert(world: World, wait_until: Wait) -> None:
    world.append("held up")

    with Failpoint(times=1, blockConnection=True, blockTimeMS=400) as failpoint, running():
        wait_until(lambda: failpoint.entered)
        assert world.pending() == 1
        assert not world.stored()
        assert not world.counts()
        wait_until(world.is_settled)

    world.assert_each_stored_once()


def test_two_inserts_are_in_flight_and_no_more(world: World, wait_until: Wait) -> None:
    world.append("first")
    first = ReadSize(1).entries
    with running():
        wait_until(world.is_settled)
        with Failpoint(blockConnection=True, blockTimeMS=500) as failpoint:
            world.append_each([f"message {n}" for n in range(4 * first)])
            wait_until(lambda: failpoint.entered == 2)
            assert world.pending() == first + 2 * first  # A read that came back full doubles the next.
            wait_until(lambda: failpoint.entered == 3)
            assert len(world.stored()) > 1  # One has ended before the third began.
            failpoint.lift()
        wait_until(world.is_settled)

    world.assert_each_stored_once()


@with_leases
def test_a_writer_works_under_a_lease_and_releases_it(world: World, wait_until: Wait) -> None:
    world.append("hello")

    assert write(0, lambda: bool(world.stored()))

    lease = Lease.objects.get(role=Lease.Role.WRITER, partition=0)
    assert (lease.epoch, lease.holder) == (1, "")
    world.assert_each_stored_once()


@with_leases
def test_a_second_writer_ends_at_once(world: World) -> None:
    assert Contender().claim(Lease.Role.WRITER, 0)
    world.append("not its business")

    assert write(0, lambda: False) is False

    assert not world.stored()


@with_leases
def test_a_writer_that_lost_its_lease_ends(world: World, settings: Any, wait_until: Wait) -> None:
    settings.RELAY_LEASE_HEARTBEAT_SECONDS = 0.05

    def after_the_first_message() -> bool:
        if world.stored():
            Lease.objects.filter(role=Lease.Role.WRITER).update(holder="somebody else", epoch=9)
        return False

    world.append("hello")
    assert write(0, after_the_first_message)

    assert Lease.objects.get(role=Lease.Role.WRITER).holder == "somebody else"
