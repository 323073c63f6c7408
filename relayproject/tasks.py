"""What concerns channels, messages and their readers alike, so that no app can do it alone."""

import logging
import time
from collections.abc import Iterable
from concurrent.futures import Future, wait
from contextlib import ExitStack

from celery import shared_task, signals
from django.db import connections
from django.db.models import QuerySet

from alerts_app import defaults
from alerts_app.handling import telling as handling
from alerts_app.holding import kept_above
from alerts_app.models import Handled
from alerts_app.tasks import propose_processors
from channels_app.models import Channel
from channels_app.tasks import propose_listeners
from events_app.models import Event
from events_app.telling import tell
from leases_app import deployment, partitioning
from leases_app.leasing import Held
from messages_app.tasks import propose_writers
from messages_app.writing.retention import expire, older_than
from relaybase import stopping
from relaybase.background import in_background
from relaycore.errors import one_line
from subscribers_app.forgetting import forget
from webhooks_app.tasks import forget_secrets, propose_senders

log = logging.getLogger(__name__)

_TURN_SECONDS = 2.0
"""So long messages of one channel are deleted before another one has its turn."""

_ALL_SECONDS = 10.0
"""So often all channels are looked at, while some take longer than their turn."""

_STOP_SECONDS = 5.0

_FORGET_SECONDS = 3600.0
"""So often what ended undelivered is looked through: it stays on record for thirty days at least."""


class _Own:
    """What this process is doing."""

    deleting: "Future[int] | None" = None
    telling: "Future[int] | None" = None
    forgot_at: float = float("-inf")


@shared_task
def propose() -> None:
    """What beat sends every few seconds: propose the loops that are missing, delete what has expired.

    One task, since each costs an idle system more than what it does. What fails keeps the rest from nothing.
    """
    deployment.require_unless_away()
    held = Held.now()
    with ExitStack() as steps:  # From the last one up, each whatever becomes of the others.
        steps.callback(delete_expired)
        steps.callback(forget_secrets)
        steps.callback(tell_events)
        steps.push(_note_unless_it_failed)
        steps.callback(defaults.lay)
        steps.callback(propose_processors, held)
        steps.callback(propose_senders, held)
        steps.callback(propose_writers, held)
        steps.callback(propose_listeners, held)


def _note_unless_it_failed(exc_type: type[BaseException] | None, *_: object) -> None:
    if exc_type is None:
        partitioning.proposed()


def delete_expired() -> None:
    """Delete what is older than its channel keeps it, until nothing is left.

    In a thread, one in each process: who proposes must not wait.
    """
    is_busy = _Own.deleting is not None and not _Own.deleting.done()
    if not is_busy and _kept_for_a_time().exists():
        _Own.deleting = in_background(_delete)


def tell_events() -> None:
    """Publish what Relay has to tell, of itself and of what people do: in a thread, one in each process."""
    is_busy = _Own.telling is not None and not _Own.telling.done()
    if not is_busy and (Event.objects.exists() or Handled.objects.exists()):
        _Own.telling = in_background(_tell)


def delete_all_expired() -> int:
    """The same here and now; how many messages there were.

    Raises:
        PyMongoError, redis.RedisError: a server does not answer.
        UnfitServer: the partitions, the secret or the Redis database are not this deployment's.
    """
    deployment.require_unless_away()
    every = _kept_for_a_time().values_list("channel", flat=True)
    _forget(every)
    total, late, all_at = 0, list(every), time.monotonic()
    while late and not stopping.worker_stops():
        if time.monotonic() - all_at > _ALL_SECONDS:
            late, all_at = list(every), time.monotonic()
        turns = {name: _turn(name) for name in late}
        total += sum(deleted for deleted, _ in turns.values())
        late = [name for name, (_, more) in turns.items() if more]
    return total


def _kept_for_a_time() -> QuerySet[Channel]:
    return Channel.objects.exclude(retention_seconds=None)


def _turn(name: str) -> tuple[int, bool]:
    """Delete from one channel for a while; how many messages, and whether there may be more."""
    # Asked at each turn: it may have been changed since the one before.
    if stopping.worker_stops() or (found := _kept_now(name)) is None:
        return 0, False
    channel, kept_for = found
    until = time.monotonic() + _TURN_SECONDS
    deleted, more = expire(
        name,
        channel.partition,
        _expired_below(name, kept_for),
        lambda: stopping.worker_stops() or time.monotonic() > until,
    )
    if deleted:
        log.info("%d messages have expired", deleted, extra={"channel": name})
    return deleted, more


def _expired_below(name: str, kept_for: int) -> str:
    """What stands below this position may be deleted: but for what a rule may come past once more."""
    below, held = older_than(kept_for), kept_above(name)
    return below if held is None else min(below, held)


def _forget(every: Iterable[str]) -> None:
    """Of all these channels, once in a while, what ended undelivered long ago."""
    if time.monotonic() - _Own.forgot_at < _FORGET_SECONDS:
        return
    for name in list(every):
        if stopping.worker_stops():
            return
        if (found := _kept_now(name)) is not None and (count := forget(name, found[1])):
            log.info("%d records of what ended undelivered are deleted", count, extra={"channel": name})
    _Own.forgot_at = time.monotonic()


def _kept_now(name: str) -> tuple[Channel, int] | None:
    """This channel, and how many seconds it keeps messages; None: it keeps them for ever, or is gone."""
    channel = Channel.objects.filter(channel=name).first()
    if channel is None:
        return None
    # By PostgreSQL's clock, as it was written when the time was made shorter.
    kept_for = channel.retention.holds(Channel.objects.now())
    return None if kept_for is None else (channel, kept_for)


def _tell() -> int:
    told = 0
    try:
        for each in (tell, handling.tell):
            try:
                told += each()
            except Exception as exc:  # What fails keeps the other from nothing.
                log.warning("what has happened is not told, that is tried again: %s", one_line(exc))
    finally:
        connections.close_all()
    return told


def _delete() -> int:
    try:
        return delete_all_expired()
    except Exception as exc:
        log.warning("what has expired is not deleted, that is tried again: %s", one_line(exc))
        return 0
    finally:
        connections.close_all()


@signals.worker_shutdown.connect
def _wait(**_: object) -> None:
    """A batch is counted once it is deleted: let the last one come to that."""
    if _Own.deleting is not None:
        wait([_Own.deleting], _STOP_SECONDS)
