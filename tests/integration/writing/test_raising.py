"""Ids go on above what was reserved, once: whoever comes late takes nothing from another writer."""

import pytest
import redis

from messages_app.searching import watermark
from messages_app.writing.keeping import Keeping
from messages_app.writing.stream import Fenced, Stream
from relaybase import keys
from relaybase.connections import mongo_collection
from relaycore.position import first_of
from relaycore.storing.keeping import Beginning

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
    stream.claim(1_000)
    assert stream.begin(beginning) == 1
    world.deliver(1)

    assert stream.begin(beginning) == 0
    assert world.pending() == 1


def test_a_writer_of_an_earlier_term_brings_redis_down_to_nothing(world: World, wait_until: Wait) -> None:
    store(world, wait_until, "before")
    earlier, later = Stream(world.redis, 0), Stream(world.redis, 0)
    assert earlier.claim(1_000) == later.claim(1_001) == 1
    beside = world.redis.hgetall(keys.appended(0))

    with pytest.raises(Fenced):
        earlier.begin(Beginning(0, "0-0", redeliver_after="0-0"))
    with pytest.raises(Fenced):
        earlier.begin(Beginning(1, "0-1", raise_to="9999999999999-0"))
    earlier.say(1, "0-1")
    assert earlier.claim(1_000) is None
    assert world.redis.hgetall(keys.appended(0)) == beside


def test_who_claimed_a_redis_that_has_lost_it_raises_nothing(world: World, wait_until: Wait) -> None:
    store(world, wait_until, "before")
    stream = Stream(world.redis, 0)
    stream.claim(1_000)
    world.redis.delete(keys.appended(0), keys.stream(0))

    with pytest.raises(Fenced):
        stream.begin(Beginning(1, "0-1", raise_to="9999999999999-0"))


def test_what_was_stored_before_mongodb_went_back_is_not_acknowledged_afterwards(
    world: World, wait_until: Wait
) -> None:
    store(world, wait_until, "before")
    earlier, later = Stream(world.redis, 0), Stream(world.redis, 0)
    earlier.claim(1_000)
    append(world.redis, "stored in what was restored since")
    [entry] = earlier.read(1, None)
    later.claim(1_001)
    later.begin(Beginning(0, "0-0", redeliver_after="0-0"))

    with pytest.raises(Fenced):
        earlier.acknowledge([(entry.id, {b"orders": 1})], 2)
    with pytest.raises(Fenced):
        earlier.say(2, entry.id)
    earlier.kept(2)
    assert later.look().kept == 0
    assert [entry.id for entry in later.read(10, None)][-1] == entry.id


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


def test_nobody_reads_what_was_appended_anew_before_all_of_it_is_stored(
    world: World, wait_until: Wait
) -> None:
    """An insert under an earlier position may still arrive, and a later one before it."""
    store(world, wait_until, "before")
    stored = world.position("before")
    for text in ("first", "second", "third"):
        append(world.redis, text)
    stream = Stream(world.redis, 0)
    stream.claim(1_000)
    beside, now_ms = stream.look(), world.redis.time()[0] * 1000

    def raise_to(seconds: int) -> None:
        mark = f"{now_ms + 1000 * seconds}-0"
        assert stream.begin(Beginning(beside.stored or 0, beside.stored_id, raise_to=mark)) > 0

    def below() -> str:
        return watermark.look(0)[0] or ""

    raise_to(10)
    first, second, third = stream.read(3, None)
    assert stored < below() < first_of(f"{now_ms + 5_000}-0")
    stream.acknowledge([(first.id, {b"orders": 1})], 2)
    assert stored < below() < first_of(f"{now_ms + 5_000}-0"), "the second may arrive below the first"
    raise_to(20)
    second, third = stream.read(2, None)
    assert stored < below() < first_of(f"{now_ms + 5_000}-0"), "nor after another loss"
    stream.acknowledge([(second.id, {b"orders": 1})], 3)
    stream.acknowledge([(third.id, {b"orders": 1})], 4)
    assert below() > first_of(third.id)
    append(world.redis, "after")
    assert below() > first_of(third.id)
