"""Ids go on above what was reserved, once: whoever comes late takes nothing from another writer."""

import pytest
import redis

from messages_app.searching import watermark
from messages_app.writing.keeping import Keeping
from messages_app.writing.stream import Stream
from relaycore.keeping import Beginning
from relayproject import keys
from relayproject.connections import mongo_collection

from .test_vanished import Writing, append, store
from .world import Wait, World

pytestmark = pytest.mark.django_db(transaction=True)


def come_as_another_redis() -> None:
    mongo_collection("partitions").update_one({"_id": 0}, {"$set": {"run_id": "another"}})


def test_a_writer_that_slept_before_it_raises_leaves_what_another_one_is_storing(
    world: World, wait_until: Wait
) -> None:
    store(world, wait_until, "before")
    append(world.redis, "waiting")
    stream, mark = Stream(world.redis, 0), world.redis.time()[0] * 1000 + 10_000
    beginning = Beginning(1, "0-1", raise_to=f"{mark}-0")
    assert stream.begin(beginning) == 1
    world.deliver(1)

    assert stream.begin(beginning) == 0
    assert world.pending() == 1


def test_an_entry_of_more_fields_than_lua_hands_over_at_once_stops_nobody(
    world: World, wait_until: Wait
) -> None:
    store(world, wait_until, "before")
    world.append_raw({f"field {n}": n for n in range(10_000)})
    append(world.redis, "after")
    come_as_another_redis()

    with Writing():
        wait_until(lambda: world.stored() == ["before", "after"])
        wait_until(lambda: watermark.is_drained(0))
    assert world.quarantine.count_documents({}) == 1


def test_a_stream_that_vanishes_while_a_writer_begins_is_raised_too(
    world: World, wait_until: Wait, monkeypatch: pytest.MonkeyPatch
) -> None:
    store(world, wait_until, "before")
    come_as_another_redis()
    deleted: list[int] = []
    begin = Keeping.begin

    def begin_and_lose(self: Keeping) -> None:
        begin(self)
        if not deleted:
            deleted.append(world.redis.delete(keys.stream(0)))

    monkeypatch.setattr(Keeping, "begin", begin_and_lose)
    with Writing():
        wait_until(lambda: deleted and world.redis.exists(keys.stream(0)))
        [kept] = mongo_collection("partitions").find()
        wait_until(lambda: watermark.is_drained(0))
        append(world.redis, "after")
        wait_until(lambda: world.stored() == ["before", "after"])
    assert world.position("after") > kept["position"]
    seconds, _ = world.redis.time()
    assert world.position("after") > f"{seconds * 1000 + 1000:013d}", "above what was reserved"


def test_a_writer_that_ends_before_it_could_raise_leaves_that_to_the_next_one(
    world: World, wait_until: Wait, monkeypatch: pytest.MonkeyPatch
) -> None:
    store(world, wait_until, "before")
    come_as_another_redis()
    failed: list[Beginning] = []

    def fail(self: Stream, beginning: Beginning) -> int:
        failed.append(beginning)
        raise redis.ConnectionError("Redis is away for this moment")

    monkeypatch.setattr(Stream, "begin", fail)
    with Writing():
        wait_until(lambda: failed)

    [kept] = mongo_collection("partitions").find()
    assert kept["run_id"] == "another"
