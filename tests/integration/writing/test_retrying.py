"""What was set aside and is put back arrives once, under the rules that hold for every message."""

from typing import Any

import pytest
import redis
from pymongo.errors import AutoReconnect

from messages_app.models import Quarantined
from messages_app.writing import retrying
from messages_app.writing.quarantine import Quarantine, renewed_by
from messages_app.writing.retrying import obstacle, progress, retry
from relaybase import keys
from relaybase.connections import mongo_collection
from relaycore import envelope
from relaycore.errors import NotRetried
from relaycore.identity import content_key
from relaycore.position import first_of
from relaycore.storing.retrying import Row

from .world import Wait, World, document, fields_of, object_id, running

pytestmark = pytest.mark.django_db(databases=["default", "messages"])

REASON = "1048577 bytes, and at most 1048576 are stored (RELAY_MESSAGE_MAX_BYTES)"


def _set_aside(world: World, wait_until: Wait, *texts: str | bytes) -> list[Quarantined]:
    """As the listener refuses a message: with the reason on its entry."""
    for text in texts:
        world.append_raw(fields_of([document(text)]) | {b"reason": REASON})
    with running():
        wait_until(world.is_settled)
    return list(Quarantined.objects.order_by("position"))


def _settle(world: World, wait_until: Wait) -> None:
    with running():
        wait_until(world.is_settled)


@pytest.mark.parametrize("text", ["hello", "grüße \0", b"\xff\x00\xfe"])
def test_what_is_retried_is_stored_as_it_was_published(
    world: World, wait_until: Wait, text: str | bytes
) -> None:
    (entry,) = _set_aside(world, wait_until, text)
    assert world.stored() == []

    retry(entry)
    _settle(world, wait_until)

    (stored,) = world.messages.find()
    assert (stored["channel"], stored["message"]) == ("orders", text)
    assert stored["received_at"] == entry.received_at
    payload = text.encode() if isinstance(text, str) else text
    assert stored["_id"].binary == content_key(b"orders")(payload)
    assert not Quarantined.objects.exists()
    assert world.counts() == {"orders": 1}


def test_what_its_publisher_said_is_kept_in_quarantine_and_comes_back(world: World, wait_until: Wait) -> None:
    said: dict[str, Any] = {"attributes": {"kind": "größer", "a.b": ""}, "content_type": "text/plain"}
    said["produced_by"] = "billing"
    at = envelope.timestamp(1_795_000_000_123)
    published = envelope.Encoder(b"orders").encode_published(b"k" * 12, b"hello", at, **said)
    world.append_raw(fields_of([published]) | {b"reason": REASON})
    _settle(world, wait_until)

    entry = Quarantined.objects.get()
    assert {name: getattr(entry, name) for name in said} == said
    retry(entry)
    _settle(world, wait_until)

    (stored,) = world.messages.find()
    assert {name: stored[name] for name in said} == said
    assert (stored["_id"].binary, stored["message"]) == (b"k" * 12, "hello")


def test_what_is_retried_twice_is_stored_once(world: World, wait_until: Wait) -> None:
    (entry,) = _set_aside(world, wait_until, "hello")
    again = Quarantined.objects.get()

    retry(entry)
    with pytest.raises(NotRetried, match="is being sent again"):
        retry(again)
    assert world.redis.xlen(keys.stream(0)) == 2, "it is not appended once more"
    Quarantined.objects.update(sent=None)  # Whoever appended it died before he could say so.
    retry(again)
    _settle(world, wait_until)

    assert world.stored() == ["hello"]
    assert world.counts() == {"orders": 1}
    assert not Quarantined.objects.exists()
    with pytest.raises(NotRetried, match="not in quarantine any more"):
        retry(again)
    assert world.redis.xlen(keys.stream(0)) == 3


def test_what_redis_loses_before_it_is_stored_stays_and_is_sent_again(world: World, wait_until: Wait) -> None:
    (entry,) = _set_aside(world, wait_until, "hello")
    had = {key: world.redis.dump(key) for key in (keys.stream(0), keys.appended(0))}
    retry(entry)
    entry.refresh_from_db()
    assert "is being sent again" in progress(entry)
    for key, value in had.items():  # As a Redis that comes back without its last second.
        world.redis.restore(key, 0, value, replace=True)
    _settle(world, wait_until)

    wait_until(lambda: "seems to have lost it" in progress(entry), what="it is known to be lost")
    assert Quarantined.objects.get() == entry
    assert world.stored() == []
    retry(entry)
    _settle(world, wait_until)

    assert world.stored() == ["hello"]
    assert not Quarantined.objects.exists()
    assert "not in quarantine any more" in progress(entry)


def test_whoever_dies_between_storing_and_forgetting_leaves_it_to_the_next(
    world: World, wait_until: Wait, monkeypatch: pytest.MonkeyPatch
) -> None:
    (entry,) = _set_aside(world, wait_until, "hello")
    retry(entry)

    def die(*args: object) -> None:
        raise AutoReconnect("this writer is gone")

    with monkeypatch.context() as dying:
        dying.setattr(Quarantine, "forget", die)
        with running():
            wait_until(lambda: world.stored() == ["hello"])
            assert world.pending() == 1
    assert Quarantined.objects.get() == entry
    _settle(world, wait_until)

    assert not Quarantined.objects.exists()
    assert world.counts() == {"orders": 1}


def test_what_was_published_again_meanwhile_is_stored_once(world: World, wait_until: Wait) -> None:
    (entry,) = _set_aside(world, wait_until, "hello")
    world.append("hello")

    retry(entry)
    _settle(world, wait_until)

    assert world.stored() == ["hello"]


def test_what_is_refused_again_comes_back_with_the_new_reason(world: World, wait_until: Wait) -> None:
    validator = {"message": {"$ne": "hello"}}
    (entry,) = _set_aside(world, wait_until, "hello")
    world.messages.database.command({"collMod": world.messages.name, "validator": validator})
    try:
        retry(entry)
        _settle(world, wait_until)
    finally:
        world.messages.database.command({"collMod": world.messages.name, "validator": {}})

    back = Quarantined.objects.get()
    assert back == entry, "it is not there twice"
    assert back.position > entry.position
    assert progress(back) == ""
    assert "MongoDB refuses it" in back.reason
    assert back.message_id == object_id("hello")
    retry(back)
    _settle(world, wait_until)
    assert world.stored() == ["hello"]


def test_what_cannot_come_back_says_why_and_stays(world: World, wait_until: Wait, settings: Any) -> None:
    (entry,) = _set_aside(world, wait_until, "x" * 2000)
    world.append_raw({"no": "entry"})
    _settle(world, wait_until)
    unread = Quarantined.objects.get(channel=None)

    settings.RELAY_MESSAGE_MAX_BYTES = 1999
    assert "more than RELAY_MESSAGE_MAX_BYTES (1999)" in obstacle(entry)
    assert "could not be read" in obstacle(unread)
    settings.RELAY_MESSAGE_MAX_BYTES = 2000
    assert not obstacle(entry)
    entry.size = 3000
    assert "Only 2000 of its 3000 bytes" in obstacle(entry)

    length = world.redis.xlen(keys.stream(0))
    for refused in (entry, unread):
        with pytest.raises(NotRetried):
            retry(refused)
    assert world.redis.xlen(keys.stream(0)) == length
    assert Quarantined.objects.count() == 2


def test_while_redis_is_away_it_stays_in_quarantine(
    world: World, wait_until: Wait, monkeypatch: pytest.MonkeyPatch
) -> None:
    (entry,) = _set_aside(world, wait_until, "hello")
    monkeypatch.setattr(retrying, "shared_redis", lambda: redis.Redis(port=1))

    with pytest.raises(redis.RedisError):
        retry(entry)

    assert Quarantined.objects.get() == entry


def test_what_mongodb_finds_to_renew_is_what_the_core_says(world: World) -> None:
    ids = ["1-0", "2-0", "10-0", "10-1", "1795000000000-0", "1795000000000-12", "1795000000001-0"]
    positions = [first_of(entry) for entry in ids]
    rows = mongo_collection("quarantine")
    for at in positions:
        rows.insert_one({"position": at})
    for at in positions:
        found = {row["position"] for row in rows.find(renewed_by(at))}
        assert found == {one for one in positions if Row(one).is_renewed_by(at)}
