"""What was not heard stays on record, whatever the partitions are called afterwards."""

import functools
import itertools
import random
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from channels_app import completeness, ranges
from channels_app.listening.listener import listen
from channels_app.listening.recording import changeover, unheard
from channels_app.models import Channel, Gap
from channels_app.registration import start, stop
from leases_app.models import Lease, Partitioning
from relaybase import keys
from relaycore.channels import partition_of
from relaycore.layout import Layout
from relaycore.times import next_millisecond
from tests.backups import Backup
from tests.integration.divisions import NAMES, append, divide, repartition
from tests.loops import Loop

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("quick")]

Wait = Callable[..., None]

BEGIN = datetime(2026, 11, 20, tzinfo=UTC)
CHANGES = [1, 3, 2, 7, 1, 4, 3]


def _missed(name: str) -> list[tuple[datetime, datetime | None]]:
    return [(gap.began_at, gap.ended_at) for gap in ranges.missed(name, None, None)]


def _gap(hour: float, partition: int = 0, channel: str = "", **more: Any) -> Gap:
    began_at = BEGIN + timedelta(hours=hour)
    more = {"ended_at": began_at + timedelta(minutes=1), "cause": Gap.Cause.NO_LISTENER} | more
    return Gap.objects.create(partition=partition, channel=channel, began_at=began_at, **more)


# --- what is on record ---------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(4))
def test_each_channel_keeps_its_gaps_through_every_change(
    relay_keys: Any, archive: Any, settings: Any, seed: int
) -> None:
    chance = random.Random(seed)
    divide(settings, CHANGES[0])
    hour = 0.0
    before: dict[str, list[Any]] = {name: [] for name in NAMES}
    for partitions in [*CHANGES[1:], 1]:
        for _ in range(chance.randint(0, 6)):
            hour += chance.uniform(0.1, 5.0)
            name = chance.choice(["", *NAMES])
            place = chance.randrange(settings.RELAY_PARTITIONS)
            if name:
                place = partition_of(name, settings.RELAY_PARTITIONS)
            covered = chance.random() < 0.2
            gap = _gap(hour, place, name, covered=covered)
            for touched in NAMES:
                if not covered and (
                    touched == name
                    or (not name and partition_of(touched, settings.RELAY_PARTITIONS) == place)
                ):
                    before[touched].append((gap.began_at, gap.ended_at))
        gone = chance.choice(NAMES)
        stop(gone)
        repartition(settings, partitions)
        start(gone)

        assert {name: _missed(name) for name in NAMES} == before
        channels = list(Channel.objects.with_status())
        for name, complete in completeness.of_channels(channels).items():
            assert complete.open_gap is None, name


def test_since_when_a_channel_is_complete_stays_the_same(
    relay_keys: Any, archive: Any, settings: Any, proofs_last: None
) -> None:
    divide(settings, 2)
    Channel.objects.update(first_heard_at=BEGIN)
    for partition in range(2):
        _gap(1 + partition, partition)
    before = {name: next_millisecond(_missed(name)[0][1] or BEGIN) for name in NAMES}

    Channel.objects.update(first_heard_at=None)  # Else the change itself is a gap.
    repartition(settings, 3)

    Channel.objects.update(subscription_status=Channel.Status.ACTIVE, first_heard_at=BEGIN)
    Lease.objects.filter(role=Lease.Role.LISTENER).delete()
    for partition in range(3):
        Lease.objects.create(
            role=Lease.Role.LISTENER,
            partition=partition,
            holder="x",
            heartbeat_at=timezone.now(),
            heard_at=timezone.now(),
        )
    settings.RELAY_LEASE_TTL_SECONDS = 60.0
    found = completeness.of_channels(list(Channel.objects.with_status()))
    assert {name: complete.since for name, complete in found.items()} == before


def test_what_is_open_of_a_channel_is_ended_where_it_is_heard(
    relay_keys: Any, archive: Any, settings: Any
) -> None:
    divide(settings, 3)
    moved = next(name for name in NAMES if partition_of(name, 3) == 2)
    gap = _gap(1, 2, moved, ended_at=None, cause=Gap.Cause.LATE)

    repartition(settings, 1)

    gap.refresh_from_db()
    assert (gap.partition, gap.ended_at) == (0, None)


def test_many_channels_take_no_gap_each(relay_keys: Any, archive: Any, settings: Any) -> None:
    divide(settings, 1, [])
    Channel.objects.bulk_create(
        Channel(channel=f"c{n}", partition=0, first_heard_at=BEGIN) for n in range(10_000)
    )
    Lease.objects.create(role=Lease.Role.LISTENER, partition=0, known_until=BEGIN)
    began = time.monotonic()

    with CaptureQueriesContext(connection) as queries:
        repartition(settings, 8)

    assert (Gap.objects.count(), Gap.objects.get().began_at) == (1, BEGIN)
    assert len(queries) < 150
    assert time.monotonic() - began < 15


def test_what_vanished_and_is_found_out_while_channels_move_is_a_gap_of_the_channels_that_it_was_in(
    relay_keys: Any, archive: Any, settings: Any
) -> None:
    divide(settings, 3)
    for name in NAMES:
        place = partition_of(name, 3)
        entry = append(relay_keys, name, "lost", Layout(3, 1))
        if place == 1:
            relay_keys.xdel(keys.stream(place), entry)
        append(relay_keys, name, "kept", Layout(3, 1))

    repartition(settings, 1)

    lost = {name for name in NAMES if partition_of(name, 3) == 1}
    assert {name for name in NAMES if _missed(name)} == lost
    assert archive.count_documents({}) == 2 * len(NAMES) - len(lost)


def test_what_vanished_of_partitions_that_postgresql_has_forgotten_is_a_gap_of_their_channels(
    relay_keys: Any, archive: Any, settings: Any
) -> None:
    divide(settings, 3)
    for name in NAMES:
        place = partition_of(name, 3)
        entry = append(relay_keys, name, "lost", Layout(3, 1))
        if place == 2:
            relay_keys.xdel(keys.stream(place), entry)
    Partitioning.objects.update(partitions=2)

    repartition(settings, 2)

    assert all(_missed(name) for name in NAMES if partition_of(name, 3) == 2)


# --- what is missed meanwhile --------------------------------------------------------------


def _listen(partitions: int) -> list[Loop]:
    return [Loop(functools.partial(listen, partition)) for partition in range(partitions)]


def _end(loops: list[Loop]) -> None:
    for loop in loops:
        loop.ask_to_stop()
    for loop in loops:
        loop.stop()


def _all_active() -> bool:
    return not Channel.objects.in_status(Channel.Status.INACTIVE).exists()


def _confirmed(redis: Any, partitions: int) -> bool:
    return all(redis.hexists(keys.confirmed_tick(partition), "run_id") for partition in range(partitions))


def _now(redis: Any) -> datetime:
    seconds, microseconds = redis.time()
    return datetime.fromtimestamp(seconds, UTC) + timedelta(microseconds=microseconds)


def _publish_to_nobody(redis: Any) -> datetime:
    """On each channel; when that was."""
    assert not any(redis.publish(name, "nobody hears this") for name in NAMES)
    return _now(redis)


def test_what_is_published_while_nobody_listens_is_in_a_gap_of_each_channel(
    relay_keys: Any, archive: Any, settings: Any, wait_until: Wait
) -> None:
    divide(settings, 1)
    published: list[datetime] = []
    for partitions in (1, 3, 2, 4):
        if partitions != settings.RELAY_PARTITIONS:
            # Published before the change and after it.
            published.append(_publish_to_nobody(relay_keys))
            repartition(settings, partitions)
            published.append(_publish_to_nobody(relay_keys))
        loops = _listen(partitions)
        wait_until(_all_active, seconds=20, what="all heard")
        wait_until(functools.partial(_confirmed, relay_keys, partitions))
        heard = _now(relay_keys)
        time.sleep(0.5)
        _end(loops)
        wait_until(lambda: not Lease.objects.live().exists())
        for name in NAMES:
            found = _missed(name)
            for at in published:
                assert any(a <= at and b is not None and at <= b for a, b in found), (name, partitions)
            assert not any(a <= heard and (b is None or heard < b) for a, b in found), (
                heard,
                partitions,
                found,
            )


def test_how_much_was_missed_is_known_on_both_sides_of_a_change(
    relay_keys: Any, archive: Any, settings: Any, wait_until: Wait
) -> None:
    divide(settings, 1, ["orders"])
    loops = _listen(1)
    wait_until(_all_active)
    wait_until(lambda: _confirmed(relay_keys, 1))
    _end(loops)
    for number in range(7):
        relay_keys.publish("orders", number)
    repartition(settings, 2)
    for number in range(5):
        relay_keys.publish("orders", number)
    loops = _listen(2)
    wait_until(_all_active)
    _end(loops)

    before, after = ranges.missed("orders", None, None)
    assert before.missed_at_most is not None
    assert 7 <= before.missed_at_most <= 30
    assert before.ended_at == after.began_at
    assert after.missed_at_most is not None
    assert 5 <= after.missed_at_most <= 30


def test_that_nobody_listens_after_a_change_is_an_open_gap(
    relay_keys: Any, archive: Any, settings: Any, wait_until: Wait
) -> None:
    divide(settings, 1)
    Channel.objects.update(first_heard_at=BEGIN)
    Lease.objects.create(role=Lease.Role.LISTENER, partition=0, known_until=BEGIN, heartbeat_at=BEGIN)
    repartition(settings, 3)
    wait_until(lambda: Lease.objects.silent().count() == 3)

    unheard.record()

    still_open = Gap.objects.filter(ended_at=None)
    assert set(still_open.values_list("partition", "partitions")) == {(0, 3), (1, 3), (2, 3)}
    (over,) = Gap.objects.exclude(ended_at=None)
    assert {gap.began_at for gap in still_open} == {over.ended_at}


def test_a_change_that_is_cut_short_and_done_again_loses_no_moment(
    relay_keys: Any, archive: Any, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    divide(settings, 1)
    Channel.objects.update(first_heard_at=BEGIN)
    Lease.objects.create(role=Lease.Role.LISTENER, partition=0, known_until=BEGIN)

    def killed(*_: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(changeover, "begin", killed)
        with pytest.raises(KeyboardInterrupt):
            repartition(settings, 3)
    halfway = _now(relay_keys)
    repartition(settings, 3)

    found = _missed(NAMES[0])
    assert min(began for began, _ in found) == BEGIN
    assert max(ended for _, ended in found if ended) >= halfway
    assert all(ended is not None for _, ended in found)
    for (_, ended), (began, _) in itertools.pairwise(sorted(found)):
        assert ended is not None
        assert began <= ended


# --- PostgreSQL is restored before it ---------------------------------------------------------


def _listen_for_a_while(redis: Any, partitions: int, wait_until: Wait) -> datetime:
    """Until all is known up to some moment: that moment, by Redis's clock."""
    loops = _listen(partitions)
    wait_until(_all_active, seconds=20, what="all heard")
    now = _now(redis)
    leases = Lease.objects.filter(role=Lease.Role.LISTENER, partition__lt=partitions)
    wait_until(lambda: leases.filter(known_until__gt=now).count() == partitions, what="known")
    _end(loops)
    wait_until(lambda: not Lease.objects.live().exists())
    return now


@pytest.mark.parametrize(("ran", "partitions"), [(1, 2), (2, 1), (2, 2), (2, 3)])
def test_what_postgresql_had_on_record_before_it_was_restored_is_not_known_after_a_change_either(
    relay_keys: Any, archive: Any, settings: Any, wait_until: Wait, ran: int, partitions: int
) -> None:
    divide(settings, 1)
    known = _listen_for_a_while(relay_keys, 1, wait_until)
    backup = Backup.make()
    if ran != 1:
        repartition(settings, ran)
    lost_at = _publish_to_nobody(relay_keys)
    _listen_for_a_while(relay_keys, ran, wait_until)
    afterwards = _listen_for_a_while(relay_keys, ran, wait_until)
    for name in NAMES:
        assert any(began <= lost_at <= ended for began, ended in _missed(name) if ended), name

    backup.restore()
    assert not any(began <= lost_at for name in NAMES for began, _ in _missed(name)), "it was not restored"
    repartition(settings, partitions)
    later = _listen_for_a_while(relay_keys, partitions, wait_until)

    for name in NAMES:
        restored = [gap for gap in ranges.missed(name, None, None) if gap.cause == Gap.Cause.RESTORED]
        assert [gap.missed_at_most for gap in restored] == [None], name
        began, ended = restored[0].began_at, restored[0].ended_at
        assert ended is not None
        assert known <= began <= lost_at < afterwards < ended < later, name
