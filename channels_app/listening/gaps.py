"""What a leader finds out about windows in which nobody heard its partition.

Here are only notes; the roster's thread writes them (`write`), since a listener never
waits for PostgreSQL. Times are those of Redis, which ticks carry.
"""

import logging
import time
from collections import deque
from dataclasses import dataclass

from django.db.models import F, QuerySet
from django.db.models.functions import Greatest

from channels_app.models import Gap
from leases_app.models import ClockTimestamp
from relaycore.ticks import Tick, missed_at_most
from relaycore.times import from_milliseconds

log = logging.getLogger(__name__)

_STRETCH_MS = 1000


@dataclass(frozen=True, slots=True)
class Opened:
    """Nobody has heard the partition, or the channel, from `at` on (ms since 1970)."""

    at: int
    cause: Gap.Cause
    channel: str = ""


@dataclass(frozen=True, slots=True)
class Closed:
    """Nobody has heard the partition, or the channel, from `began` to `ended` (ms since 1970)."""

    began: int
    ended: int
    cause: Gap.Cause
    missed_at_most: int | None
    channel: str = ""


@dataclass(frozen=True, slots=True)
class Covered:
    """Whatever is open in the partition: this listener has heard all of it."""


@dataclass(frozen=True, slots=True)
class Ended:
    """Whatever is open in the partition: it is heard again, and nobody can say what was missed."""


Note = Opened | Closed | Covered | Ended


def between(before: Tick, after: Tick, cause: Gap.Cause, channel: str = "") -> Closed:
    """The window between two ticks."""
    if before.run_id != after.run_id:
        cause = Gap.Cause.REDIS_RESTARTED
    # The clock of Redis may have been set back.
    return Closed(before.at, max(before.at, after.at), cause, missed_at_most(before, after), channel)


class Notes:
    """Notes on their way to PostgreSQL, in order. True while some wait.

    One thread says with `expect` that a note will come; another one adds and writes it.
    """

    def __init__(self, partition: int) -> None:
        self._partition = partition
        self._waiting: deque[Note] = deque()
        self._expected = self._written = 0

    def __bool__(self) -> bool:
        return bool(self._waiting)

    @property
    def are_written(self) -> bool:
        """Whether PostgreSQL has every note that was ever expected."""
        return self._written == self._expected

    def expect(self) -> None:
        """One more will be added."""
        self._expected += 1

    def add(self, note: Note) -> None:
        """Say it in the log, and let it wait."""
        _log(note, self._partition)
        self._waiting.append(note)

    def write(self) -> None:
        """Write what waits.

        Raises:
            django.db.Error: PostgreSQL does not answer. What is not written waits on.
        """
        while self._waiting:
            write(self._waiting[0], self._partition)
            self._waiting.popleft()
            self._written += 1


class Losses:
    """Messages that were heard and had to be let go: a gap for each stretch of time in which it happened.

    True while there are some that no gap speaks of.
    """

    def __init__(self) -> None:
        self._messages = 0
        self._began = self._latest = 0

    def add(self, messages: int) -> None:
        """So many more, now."""
        self._latest = time.time_ns() // 1_000_000
        self._began = self._began or self._latest
        self._messages += messages

    def __bool__(self) -> bool:
        return self._messages > 0

    def take(self, *, at_end: bool = False) -> Closed | None:
        """The stretch, when it is over."""
        if not self:  # As nearly always, and this is asked in each turn of the main loop.
            return None
        quiet = time.time_ns() // 1_000_000 - self._latest
        if quiet < _STRETCH_MS and not at_end:
            return None
        gap = Closed(self._began, self._latest, Gap.Cause.MEMORY_FULL, self._messages)
        self._messages = self._began = 0
        return gap


def write(note: Note, partition: int) -> None:
    """Write one note. Writing it again changes nothing.

    Raises:
        django.db.Error: PostgreSQL does not answer.
    """
    whole = Gap.objects.filter(partition=partition, channel="")
    still_open = whole.filter(ended_at=None)
    match note:
        case Opened(at, cause, channel):
            if not Gap.objects.filter(partition=partition, channel=channel, ended_at=None).exists():
                Gap.objects.create(
                    partition=partition, channel=channel, began_at=from_milliseconds(at), cause=cause
                )
        case Covered():
            cover(still_open)
        case Ended():
            end_late(still_open)
        case Closed():
            _close(note, partition, still_open)


def end_late(gaps: QuerySet[Gap]) -> None:
    """Channels of these gaps are heard now."""
    gaps.filter(ended_at=None).update(ended_at=_now())


def cover(gaps: QuerySet[Gap]) -> None:
    """These gaps are over, and a listener has heard all of it."""
    gaps.filter(ended_at=None).update(ended_at=_now(), covered=True, missed_at_most=0)


def _now() -> Greatest:
    """Now, but not before the gap began: that was said by the clock of Redis."""
    return Greatest(ClockTimestamp(), F("began_at"))


def _close(gap: Closed, partition: int, still_open: QuerySet[Gap]) -> None:
    began_at, ended_at = from_milliseconds(gap.began), from_milliseconds(gap.ended)
    if not gap.channel and gap.cause is not Gap.Cause.MEMORY_FULL:
        closed = still_open.update(
            began_at=began_at, ended_at=ended_at, missed_at_most=gap.missed_at_most, cause=gap.cause
        )
        if closed:
            return
    same = {"partition": partition, "channel": gap.channel, "began_at": began_at}
    what = {"ended_at": ended_at, "missed_at_most": gap.missed_at_most, "cause": gap.cause}
    known = Gap.objects.filter(**same)
    # A leader that ended before it could confirm beyond a gap leaves it to the next one: it is longer now.
    if not known.filter(ended_at__lt=ended_at).update(**what, covered=False) and not known.exists():
        Gap.objects.create(**same, **what)


def _log(note: Note, partition: int) -> None:
    if isinstance(note, Closed):
        log.warning(
            "partition %d: %s not heard for %.1f s (%s); missed: %s",
            partition,
            f"channel {note.channel!r}" if note.channel else "all channels",
            (note.ended - note.began) / 1000,
            note.cause.label,
            "not known" if note.missed_at_most is None else f"at most {note.missed_at_most}",
            extra={"channel": note.channel},
        )
