"""From one number of partitions to another one, while nobody listens: what was missed is accounted for.

A leader accounts for what was missed before it by the last tick that was confirmed in its partition. After a
change of their number that partition had other channels, or none. So all accounts end at one instant of
Redis's clock: up to it each partition as it was has its gap, and from it on every partition as it will be
counts, as if a tick had been confirmed then.

Whether PostgreSQL went back is found out here too, as a leader does: from then on it counts as knowing
everything up to that instant, and whoever leads afterwards would look no further back.

In this order, with the gaps committed in between: whatever ends it halfway, nothing that was missed is
in no gap. Then some of it is in two.
"""

import logging
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, cast

import redis
from django.db.models import F, QuerySet, Value
from django.db.models.functions import Coalesce, Greatest

from channels_app.listening.recording.notes import bounded, open_gaps
from channels_app.models import Channel, Gap
from leases_app.models import Lease
from relaybase import keys
from relaybase.postgres.clock import ClockTimestamp
from relaycore.capturing.ticks import Tick, missed_at_most
from relaycore.times import from_milliseconds

log = logging.getLogger(__name__)

# KEYS: for each partition its counter of ticks, what was confirmed last, and what counts its news, which are
# taken off as `ticker` does. One step, so that what is published meanwhile is on one side of it.
_LOOK: Final = """
local time = redis.call('TIME')
local stats, server = redis.pcall('INFO', 'commandstats'), redis.pcall('INFO', 'server')
local calls, run_id = -1, ''
if type(stats) == 'string' then
  calls = tonumber(string.match(stats, 'cmdstat_publish:calls=(%d+)') or '0')
end
if type(server) == 'string' then run_id = string.match(server, 'run_id:(%w+)') or '' end
local found = {time[1] * 1000 + math.floor(time[2] / 1000), run_id}
for i = 1, #KEYS, 3 do
  found[#found + 1] = redis.call('GET', KEYS[i]) or ''
  found[#found + 1] = redis.call('HMGET', KEYS[i + 1], 'number', 'epoch', 'at', 'calls', 'run_id', 'writes')
  local told = tonumber(redis.call('HMGET', KEYS[i + 2], 'told')[1]) or 0
  found[#found + 1] = calls < told and calls or calls - told
end
return found
"""


@dataclass(frozen=True, slots=True)
class Instant:
    """Now, by Redis, and by partition the last tick that was confirmed; None: none ever was.

    ticks:  by partition what counts as the tick at this instant
    writes: by partition how many writes of its lease PostgreSQL has acknowledged
    """

    at: datetime
    confirmed: dict[int, Tick | None]
    ticks: dict[int, Tick]
    writes: dict[int, int]


def look(client: redis.Redis, partitions: Iterable[int]) -> Instant:
    """What Redis knows at this instant.

    Raises:
        redis.RedisError: it does not answer.
    """
    asked = list(partitions)
    of_each = (keys.tick_counter, keys.confirmed_tick, keys.appended)
    named = [key(number) for number in asked for key in of_each]
    answer = cast(list[Any], client.eval(_LOOK, len(named), *named))
    at, run_id = int(answer[0]), answer[1].decode()
    confirmed, ticks, acknowledged = {}, {}, {}
    for partition, counter, (*fields, writes), calls in zip(
        asked, answer[2::3], answer[3::3], answer[4::3], strict=True
    ):
        acknowledged[partition] = int(writes or 0)
        confirmed[partition] = before = Tick.confirmed_in(fields)
        # A counter that is not there begins with the time.
        epoch = 0 if before is None else before.epoch
        ticks[partition] = Tick(int(counter or at), epoch, 0, run_id, at=at, calls=calls)
    return Instant(from_milliseconds(at), confirmed, ticks, acknowledged)


def account(instant: Instant, before: int, everywhere: Iterable[int], *, went_back: bool) -> None:
    """Record what was missed up to this instant, and that it is on record. In a transaction.

    before:     so many partitions there have been, as far as PostgreSQL knows
    everywhere: those and the ones to come
    went_back:  it knows of an earlier division than Redis

    Raises:
        django.db.Error: PostgreSQL does not answer.
    """
    if not Channel.objects.listened().exclude(first_heard_at=None).exists():
        return  # What never was heard has missed nothing yet.
    forgets = went_back or _has_forgotten(instant)
    divided = Channel.objects.listened().filter(partition__lt=before).order_by("partition")
    for partition in divided.values_list("partition", flat=True).distinct():
        if forgets:
            _forget(partition, before, instant)
        _end(partition, before, instant)
    for partition in everywhere:
        Lease.objects.get_or_create(role=Lease.Role.LISTENER, partition=partition, slot=0)
    for partition, writes in instant.writes.items():
        lease = Lease.objects.filter(role=Lease.Role.LISTENER, partition=partition, writes__lt=writes)
        lease.update(writes=writes)  # The next leader need not say it again.
    Lease.objects.filter(role=Lease.Role.LISTENER).update(
        known_until=instant.at,
        heard_at=None,  # What a partition as it was has proved says nothing of it as it will be.
        heartbeat_at=Coalesce("heartbeat_at", ClockTimestamp()),
    )


def begin(client: redis.Redis, instant: Instant) -> None:
    """From this instant on leaders count. To be done once what was missed before is on record for good.

    Raises:
        redis.RedisError: Redis does not answer.
    """
    if not Channel.objects.listened().exclude(first_heard_at=None).exists():
        return
    with client.pipeline(transaction=False) as pipeline:
        for partition, tick in instant.ticks.items():
            known = {"number": tick.number, "at": tick.at, "calls": tick.calls, "run_id": tick.run_id}
            pipeline.hsetnx(keys.confirmed_tick(partition), "epoch", str(tick.epoch))
            pipeline.hset(keys.confirmed_tick(partition), mapping=cast(Any, known))
        pipeline.execute()


def _has_forgotten(instant: Instant) -> bool:
    leases = Lease.objects.filter(role=Lease.Role.LISTENER)
    known = dict(leases.values_list("partition", "writes"))
    return any(writes > known.get(partition, 0) for partition, writes in instant.writes.items())


def _forget(partition: int, partitions: int, instant: Instant) -> None:
    """From the last moment that PostgreSQL knows of on, anything may have been on record, of any channel."""
    if (began_at := _last_known(partition)) is None:
        return
    Gap.objects.create(
        partition=partition,
        partitions=partitions,
        cause=Gap.Cause.RESTORED,
        began_at=began_at,
        ended_at=max(began_at, instant.at),
    )
    log.error(
        "partition %d of %d: PostgreSQL went back to %s. What it had on record since is not known: a gap.",
        partition,
        partitions,
        f"{began_at:%Y-%m-%d %H:%M:%S %Z}",
        extra={"partition": partition},
    )


def _end(partition: int, partitions: int, instant: Instant) -> None:
    before, tick = instant.confirmed[partition], instant.ticks[partition]
    bound = None if before is None else bounded(missed_at_most(before, tick))
    what = {"ended_at": Greatest(Value(instant.at), F("began_at")), "missed_at_most": bound}
    still_open = open_gaps(partition)
    if before is not None:
        still_open.update(began_at=from_milliseconds(before.at))
    if still_open.update(**what):
        return
    began_at = from_milliseconds(before.at) if before is not None else _last_known(partition)
    if began_at is None:
        return
    cause = Gap.Cause.NO_LISTENER
    same: QuerySet[Gap] = Gap.objects.filter(
        partition=partition, partitions=partitions, channel="", cause=cause, began_at=began_at
    )
    if not same.update(**what):
        ended_at = max(began_at, instant.at)
        Gap.objects.create(
            partition=partition,
            partitions=partitions,
            cause=cause,
            began_at=began_at,
            ended_at=ended_at,
            missed_at_most=bound,
        )


def _last_known(partition: int) -> datetime | None:
    """Up to when it is known what was heard, where Redis has forgotten it."""
    leases = Lease.objects.filter(role=Lease.Role.LISTENER, partition=partition)
    if (known := leases.values_list("known_until", flat=True).first()) is not None:
        return known
    return Channel.objects.listened().filter(partition=partition).first_heard_at()
