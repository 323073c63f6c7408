"""A store that has gone back to an older copy is noticed and named, and what it has lost is on record."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from channels_app.models import Channel, Gap
from messages_app import beside
from messages_app.searching import watermark
from relaybase import keys
from relaybase.connections import mongo_collection, shared_redis
from relaycore.envelope import F_UPTO
from relaycore.position import first_of, milliseconds_of

from .test_vanished import Writing, append
from .world import Wait, World, document, fields_of

pytestmark = pytest.mark.django_db(transaction=True)

BESIDE = (keys.stream(0), keys.appended(0), keys.stored(0), keys.tallies(0))


def write(wait_until: Wait) -> None:
    """Until the stores agree, and nothing waits."""
    with Writing() as term:
        kept = mongo_collection("partitions").find_one
        wait_until(lambda: kept({"epoch": term.epoch, "upto": beside.look(shared_redis(), 0).kept}))
        wait_until(lambda: watermark.is_drained(0))


class Copy:
    """Of MongoDB's collections, or of Redis's keys, to be restored."""

    def __init__(self, redis: Any) -> None:
        self._redis = redis
        self._documents = {name: list(mongo_collection(name).find()) for name in ("messages", "partitions")}
        self._values = {key: redis.dump(key) for key in BESIDE}

    def restore_mongo(self) -> None:
        for name, documents in self._documents.items():
            mongo_collection(name).delete_many({})
            if documents:
                mongo_collection(name).insert_many(documents)

    def restore_redis(self) -> None:
        """At once: a Redis that is restored is down meanwhile."""
        with self._redis.pipeline() as pipe:
            pipe.delete(*BESIDE)
            for key, value in self._values.items():
                if value is not None:
                    pipe.restore(key, 0, value)
            pipe.execute()


def test_mongodb_gets_again_what_still_stands_on_the_stream(
    world: World, wait_until: Wait, caplog: pytest.LogCaptureFixture
) -> None:
    for number in range(5):
        append(world.redis, f"before {number}")
    write(wait_until)
    copy = Copy(world.redis)
    for number in range(20):
        append(world.redis, f"after {number}")
    write(wait_until)
    copy.restore_mongo()

    write(wait_until)

    wait_until(world.counts_are_whole)
    assert len(world.stored()) == 25
    assert world.counts() == {"orders": 25}
    assert not Gap.objects.exists()
    assert "MongoDB has gone back: it had acknowledged 20 messages more" in caplog.text


def test_what_mongodb_has_lost_and_the_stream_has_not_any_more_is_a_gap(
    world: World, wait_until: Wait
) -> None:
    last = [append(world.redis, f"before {number}") for number in range(5)][-1]
    write(wait_until)
    copy = Copy(world.redis)
    ids = [append(world.redis, f"after {number}") for number in range(20)]
    write(wait_until)
    copy.restore_mongo()
    world.redis.xtrim(keys.stream(0), minid=ids[12], approximate=False)

    write(wait_until)

    wait_until(world.counts_are_whole)
    assert len(world.stored()) == 5 + 8
    assert world.counts() == {"orders": 13}
    [gap] = Gap.objects.all()
    assert (gap.cause, gap.missed_at_most) == (Gap.Cause.ARCHIVE_RESTORED, 12)
    assert round(gap.began_at.timestamp() * 1000) == milliseconds_of(last)
    assert gap.ended_at is not None
    assert round(gap.ended_at.timestamp() * 1000) == milliseconds_of(ids[12])


def test_a_mongodb_whose_database_was_dropped_is_one_that_has_gone_back(
    world: World, wait_until: Wait
) -> None:
    heard = datetime.now(UTC) - timedelta(hours=1)
    Channel.objects.create(channel="orders", first_heard_at=heard)
    ids = [append(world.redis, f"text {number}") for number in range(20)]
    write(wait_until)
    for name in ("messages", "partitions"):
        mongo_collection(name).delete_many({})
    world.redis.xtrim(keys.stream(0), minid=ids[12], approximate=False)

    write(wait_until)

    assert len(world.stored()) == 8
    assert [(gap.began_at, gap.missed_at_most) for gap in Gap.objects.all()] == [(heard, 12)]


def test_after_redis_has_lost_its_end_no_position_is_given_below_one_that_was_stored(
    world: World, wait_until: Wait
) -> None:
    """Its clock was set back too: what was stored lies in what is the future now."""
    append(world.redis, "before")
    write(wait_until)
    copy = Copy(world.redis)
    seconds, microseconds = world.redis.time()
    later = seconds * 1000 + microseconds // 1000 + 4000
    for number in range(3):
        fields = {F_UPTO: 2 + number} | dict(fields_of([document(f"lost {number}")]))
        world.redis.xadd(keys.stream(0), fields, id=f"{later}-{number}")
    world.redis.hset(keys.appended(0), "upto", 4)
    write(wait_until)
    cursor = world.position("lost 2")
    assert cursor == first_of(f"{later}-2")
    copy.restore_redis()

    waiting = append(world.redis, "waited", known=4)
    assert first_of(waiting) < cursor
    with Writing():
        wait_until(lambda: len(world.stored()) == 5)
        append(world.redis, "after", known=4)
        wait_until(lambda: len(world.stored()) == 6)
        wait_until(lambda: watermark.is_drained(0))

    assert world.stored() == ["before", "lost 0", "lost 1", "lost 2", "waited", "after"]
    assert cursor < world.position("waited") < world.position("after")
    wait_until(world.counts_are_whole)
    assert world.counts() == {"orders": 6}
    assert not Gap.objects.exists(), "everything was stored before it was lost"


def test_where_redis_has_lost_what_was_not_stored_it_is_a_gap(world: World, wait_until: Wait) -> None:
    append(world.redis, "before")
    write(wait_until)
    copy = Copy(world.redis)
    for number in range(6):
        append(world.redis, f"lost {number}")
    copy.restore_redis()
    append(world.redis, "after", known=7)

    write(wait_until)

    assert world.stored() == ["before", "after"]
    assert [(gap.cause, gap.missed_at_most) for gap in Gap.objects.all()] == [(Gap.Cause.VANISHED, 6)]


def test_a_store_that_goes_back_under_a_running_writer_is_noticed(world: World, wait_until: Wait) -> None:
    append(world.redis, "before")
    write(wait_until)
    copy = Copy(world.redis)
    with Writing():
        for number in range(6):
            append(world.redis, f"text {number}")
        wait_until(lambda: len(world.stored()) == 7)
        wait_until(lambda: watermark.is_drained(0))
        copy.restore_redis()
        append(world.redis, "after", known=7)
        wait_until(lambda: "after" in world.stored())
        wait_until(lambda: watermark.is_drained(0))
    assert len(world.stored()) == 8
    assert not Gap.objects.exists()


def test_a_writer_whose_term_is_over_keeps_nothing_and_ends(world: World, wait_until: Wait) -> None:
    append(world.redis, "text")
    write(wait_until)
    mongo_collection("partitions").update_one({"_id": 0}, {"$set": {"epoch": 10_000_000}})
    append(world.redis, "more")
    with Writing() as term:
        wait_until(lambda: not Gap.objects.exists())
    assert term.epoch < 10_000_000
    assert world.stored() == ["text"]
    [kept] = mongo_collection("partitions").find()
    assert (kept["epoch"], kept["upto"]) == (10_000_000, 1)


def test_a_mongodb_that_is_restored_under_a_running_writer_ends_it_and_the_next_one_knows(
    world: World, wait_until: Wait, caplog: pytest.LogCaptureFixture
) -> None:
    """The copy may be of the same term."""
    kept = mongo_collection("partitions").find_one
    append(world.redis, "before")
    with Writing() as term:
        wait_until(lambda: kept({"epoch": term.epoch, "upto": 1}))
        copy = Copy(world.redis)
        for number in range(20):
            append(world.redis, f"after {number}")
        wait_until(lambda: beside.look(shared_redis(), 0).kept == 21)
        copy.restore_mongo()
        append(world.redis, "more")
        wait_until(lambda: "MongoDB has gone back" in caplog.text)

    write(wait_until)

    assert len(world.stored()) == 22
    assert not Gap.objects.exists()
