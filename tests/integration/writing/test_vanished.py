"""What leaves the stream before it is stored is a gap, whichever way it goes."""

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from channels_app.models import Gap
from leases_app.leasing import Contender, Term
from leases_app.models import Lease
from messages_app.searching import watermark
from messages_app.writing.kept import KeptInMongo
from messages_app.writing.writer import Writer
from relaybase import keys
from relaybase.connections import mongo_collection
from relaybase.redis import appending
from relaycore.position import next_position
from tests.backups import Backup
from tests.loops import Loop

from .world import Failpoint, Wait, World, document, fields_of

pytestmark = pytest.mark.django_db(transaction=True)

Way = Callable[[Any, str], object]


def append(redis: Any, *texts: str, known: int = 0) -> str:
    """As a listener does: one entry, with running numbers."""
    fields = [part for pair in fields_of([document(text) for text in texts]).items() for part in pair]
    _, script, count, *rest = appending.command(0, len(texts), fields, layout="1 1", known=known)
    return redis.eval(script, count, *rest)[0].decode()


def claim() -> Term:
    term = Contender().claim(Lease.Role.WRITER, 0)
    assert term is not None
    return term


class Writing:
    """A writer with a real term, while the context lasts."""

    def __enter__(self) -> Term:
        self.term = claim()
        self._loop = Loop(lambda stopping: Writer(self.term, stopping).run())
        return self.term

    def __exit__(self, *exc_info: object) -> None:
        self._loop.stop()
        self.term.release()


def store(world: World, wait_until: Wait, *texts: str) -> None:
    """So that something is stored before."""
    for text in texts:
        append(world.redis, text)
    with Writing():
        wait_until(lambda: len(world.stored()) >= len(texts) and watermark.is_drained(0))


def only_gap() -> Gap:
    [gap] = Gap.objects.all()
    return gap


WAYS: dict[str, Way] = {
    "DEL": lambda redis, _: redis.delete(keys.stream(0)),
    "EXPIRE": lambda redis, _: redis.pexpire(keys.stream(0), 1),
    "XTRIM": lambda redis, _: redis.xtrim(keys.stream(0), maxlen=0, approximate=False),
    "XDEL": lambda redis, _: redis.xdel(keys.stream(0), *[id for id, _ in redis.xrange(keys.stream(0))]),
    "UNLINK of everything": lambda redis, _: redis.delete(*redis.scan_iter("orchestrator_channel:{0}*")),
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("more", [0, 3])
def test_entries_that_vanish_while_nobody_writes_are_a_gap_with_their_count(
    world: World, wait_until: Wait, way: str, more: int
) -> None:
    before = datetime.now(UTC) - timedelta(milliseconds=1)  # Positions have no more digits.
    store(world, wait_until, "stored 1", "stored 2")
    for number in range(7):
        append(world.redis, f"lost {number}")
    WAYS[way](world.redis, "")
    time.sleep(0.01)
    for number in range(more):
        append(world.redis, f"kept {number}", known=9)  # A leader knows what it has appended.
    if not more:
        world.redis.hset(keys.appended(0), "upto", 9)  # As its ticks say.

    with Writing():
        wait_until(Gap.objects.exists)
        wait_until(lambda: len(world.stored()) == 2 + more)
        wait_until(lambda: watermark.is_drained(0))

    gap = only_gap()
    assert (gap.cause, gap.channel, gap.missed_at_most) == (Gap.Cause.VANISHED, "", 7)
    assert int(world.redis.hget(keys.meters(0), "vanished")) == 7
    assert gap.ended_at is not None
    assert before <= gap.began_at <= gap.ended_at


def test_what_vanishes_out_of_the_middle_is_a_gap_of_its_own(world: World, wait_until: Wait) -> None:
    ids = [append(world.redis, f"text {number}") for number in range(10)]
    world.redis.xdel(keys.stream(0), *ids[3:5], ids[7])

    with Writing():
        wait_until(lambda: len(world.stored()) == 7)
        wait_until(lambda: watermark.is_drained(0))

    assert {(gap.first_number, gap.missed_at_most) for gap in Gap.objects.all()} == {(4, 2), (8, 1)}


def test_a_reader_stops_being_sure_at_that_moment(world: World, wait_until: Wait) -> None:
    store(world, wait_until, "stored")
    [last] = [id.decode() for id, _ in world.redis.xrange(keys.stream(0))]
    for number in range(5):
        append(world.redis, f"text {number}")
    world.redis.xtrim(keys.stream(0), maxlen=2, approximate=False)

    assert watermark.look(0) == (next_position(last), False)
    assert not watermark.is_drained(0)
    with Writing():
        wait_until(lambda: len(world.stored()) == 3)
        wait_until(lambda: watermark.is_drained(0))
    later, is_sure = watermark.look(0)
    assert later is not None
    assert is_sure
    assert later > next_position(last)


def test_what_vanishes_while_mongodb_is_away_is_a_gap(world: World, wait_until: Wait, settings: Any) -> None:
    settings.RELAY_WRITER_INSERTS_IN_FLIGHT = 1  # It reads nothing more meanwhile.
    store(world, wait_until, "stored")
    with Writing():
        with Failpoint(closeConnection=True) as failing:
            append(world.redis, "in flight")
            wait_until(lambda: failing.entered)
            for number in range(4):
                append(world.redis, f"text {number}")
            world.redis.delete(keys.stream(0))
        wait_until(Gap.objects.exists)
        wait_until(lambda: watermark.is_drained(0))
    assert only_gap().missed_at_most in {4, 5}


def test_while_postgresql_is_away_nothing_behind_a_gap_is_acknowledged(
    world: World, wait_until: Wait, monkeypatch: pytest.MonkeyPatch
) -> None:
    from django.db import OperationalError

    from channels_app import vanished

    store(world, wait_until, "stored")
    append(world.redis, "lost")
    world.redis.xtrim(keys.stream(0), maxlen=0, approximate=False)
    append(world.redis, "kept")
    record, tried = vanished.record, []

    def fail(*args: Any) -> None:
        tried.append(args)
        if len(tried) < 4:
            raise OperationalError("PostgreSQL is away")
        record(*args)

    monkeypatch.setattr(vanished, "record", fail)
    with Writing():
        wait_until(lambda: len(tried) == 2)
        assert len(world.stored()) == 1
        wait_until(lambda: len(world.stored()) == 2)
        wait_until(lambda: watermark.is_drained(0))
    assert only_gap().missed_at_most == 1


def test_where_nothing_vanishes_there_is_no_gap(world: World, wait_until: Wait) -> None:
    for round in range(3):
        for number in range(20):
            append(world.redis, f"text {round} {number}")
        with Writing():
            wait_until(lambda: watermark.is_drained(0))
    assert len(world.stored()) == 60
    assert not Gap.objects.exists()


@pytest.mark.parametrize("way", ["restored while nobody writes", "a copy that lags takes over"])
def test_what_postgresql_has_forgotten_of_it_is_on_record_again(
    world: World, wait_until: Wait, way: str
) -> None:
    store(world, wait_until, "stored")
    for number in range(7):
        append(world.redis, f"lost {number}")
    world.redis.delete(keys.stream(0))
    backup = Backup.make()

    def is_on_record() -> bool:
        return Gap.objects.exists() and watermark.look(0)[1]

    with Writing() as term:
        wait_until(is_on_record)
        found = Gap.objects.values().get()
        wait_until(lambda: KeptInMongo(mongo_collection("partitions"), 0).gaps(), what="noted")
        if way != "restored while nobody writes":
            backup.restore()
            assert not Gap.objects.exists()
            assert term.regain(), "as its heartbeat does"
            wait_until(is_on_record, what="on record again")
    if way == "restored while nobody writes":
        backup.restore()
        with Writing():
            wait_until(is_on_record, what="on record again")
    for _ in range(2):
        store(world, wait_until, "afterwards")
    again = Gap.objects.values().get()
    assert again["recorded_at"] != found["recorded_at"], "it is told to who watches as a new one"
    assert again | {"id": 0, "recorded_at": None} == found | {"id": 0, "recorded_at": None}
