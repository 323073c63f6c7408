"""When beat sends what: proposals by a clock of its own, all else by django-celery-beat's tables.

What brings back a loop that has ended must not stop because of a row. So proposals are sent every few
seconds from the start of beat on, by the clock that nobody sets; the row in the tables only shows them,
and is put right when somebody has changed it. No other row can hold them up: tables that cannot be read
are read again later.

The clock of the host may be set, and then last runs stand in the future. Every wait is one by the
monotonic clock, a step of the other one has all waits reckoned anew, and what seems to have run in the future
has run now.
"""

import logging
import time
from datetime import datetime
from typing import Any, Final

from celery.beat import ScheduleEntry
from celery.schedules import schedstate, schedule
from django.db import DatabaseError, InterfaceError
from django.db.models import F
from django_celery_beat.models import IntervalSchedule, PeriodicTask
from django_celery_beat.schedulers import DatabaseScheduler, ModelEntry

from relaybase.proposing import enough_wait
from relaybase.queues import DEFAULT, PROPOSE

log = logging.getLogger(__name__)

_LOOK_SECONDS: Final = 1.0
_STEP_SECONDS: Final = 1.0

_MOST_WAITING: Final = 100
"""Proposals, in a queue where there may be an operator's own tasks as well."""

_RETIRED: Final = (
    "channels_app.tasks.propose_listeners",
    "messages_app.tasks.propose_writers",
    "relayproject.tasks.delete_expired",
)
"""Tasks of earlier versions, whose entries are still in their tables. No worker knows them any more."""


class Proposals(ScheduleEntry):  # type: ignore[misc]  # It comes without types.
    """Due at once, and then each `seconds`, whatever the tables and the clock of the host say."""

    def __init__(self, name: str, seconds: float, app: Any) -> None:
        super().__init__(name=name, task=PROPOSE, schedule=schedule(seconds, app=app), app=app)
        self.seconds = seconds
        self._due_at = float("-inf")

    def is_due(self) -> schedstate:
        """Whether it is, and the seconds until the next look."""
        wait = self._due_at - time.monotonic()
        return schedstate(False, wait) if wait > 0 else schedstate(True, self.seconds)

    def __next__(self) -> "Proposals":
        """The same, which has been sent now."""
        self._due_at = time.monotonic() + self.seconds
        self.last_run_at = self.default_now()
        self.total_run_count += 1
        return self


class Entry(ModelEntry):  # type: ignore[misc]
    """A row of the tables."""

    def is_due(self) -> schedstate:
        """As ever, once a last run in the future is one of now: in the tables too, which are read anew."""
        now = self._default_now()
        if self.model.last_run_at > now:
            self.last_run_at = self.model.last_run_at = now
            PeriodicTask.objects.filter(pk=self.model.pk).update(last_run_at=now)
        return super().is_due()


class Scheduler(DatabaseScheduler):  # type: ignore[misc]
    """Looks once in a turn whether the schedule was changed.

    The stock one (2.9.0) asks PostgreSQL at each look at an entry, five times a second for three
    entries, checks the connection before each, and in each turn compares all entries with those of
    the turn before.
    """

    Entry = Entry

    _heap_invalidated: bool = False

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self._looked_at = float("-inf")
        self._is_unread = False
        self._clock_ahead = time.time() - time.monotonic()
        app = kwargs["app"] if "app" in kwargs else args[0]
        ((name, fields),) = app.conf.beat_schedule.items()
        self._proposals = Proposals(name, fields["schedule"], app)
        super().__init__(*args, **kwargs)

    def setup_schedule(self) -> None:
        """As ever, without what earlier versions have left."""
        try:
            self.Model.objects.filter(task__in=_RETIRED).delete()
        except (DatabaseError, InterfaceError) as exc:
            log.warning("what earlier versions have left stays in the tables: %r", exc)
        self.install_default_entries(self.schedule)
        if self._list_proposals():
            log.info("the periodic task %s is listed", self._proposals.name)

    def tick(self, *args: Any, **kwargs: Any) -> float:
        """Send what is due; the seconds until the next turn."""
        ahead = time.time() - time.monotonic()
        if abs(ahead - self._clock_ahead) > _STEP_SECONDS:
            log.warning("the clock was set by %+.1f s: waits are reckoned anew", ahead - self._clock_ahead)
            self._heap, self._last_full_sync, self._clock_ahead = None, datetime.now(), ahead
        return float(super().tick(*args, **kwargs))

    def enabled_models_qs(self) -> Any:
        """What the tables have, but for the row that shows the proposals."""
        return super().enabled_models_qs().exclude(name=self._proposals.name)

    def all_as_schedule(self) -> dict[str, Any]:
        """What is to be sent. Without what the tables have, if they cannot be read now."""
        try:
            found, self._is_unread = super().all_as_schedule(), False
        except Exception:
            log.exception("the periodic tasks cannot be read, that is tried again: only proposals are sent")
            found, self._is_unread = {}, True
        return {**found, self._proposals.name: self._proposals}

    def schedule_changed(self) -> bool:
        """Whether the tables differ from what was read; False as well if that was asked just now."""
        now = time.monotonic()
        if now - self._looked_at < _LOOK_SECONDS:
            return False
        self._looked_at = now
        before = self._last_timestamp
        # Not only whether it is later: who changed the tables before may have had a clock that is ahead.
        is_later = bool(super().schedule_changed())
        return is_later or self._is_unread or before not in {None, self._last_timestamp}

    def reserve(self, entry: Any) -> Any:
        """The entry after this one. Only a row is written back."""
        return next(entry) if entry is self._proposals else super().reserve(entry)

    def apply_entry(self, entry: Any, producer: Any = None) -> None:
        """Send it. Proposals not while enough of them wait for a worker."""
        # The producer by name: Sentry, which stands between, takes two arguments by place.
        if entry is not self._proposals:
            super().apply_entry(entry, producer=producer)
            return
        if not enough_wait(DEFAULT, _MOST_WAITING):
            super().apply_entry(entry, producer=producer)
        if self._list_proposals():
            log.warning(
                "the periodic task %s was disabled, changed or deleted, and is as it was: without it nobody "
                "would replace a loop that has ended",
                entry.name,
            )

    def _list_proposals(self) -> bool:
        """Have the tables show what is sent; whether they showed something else."""
        own, all_rows = self._proposals, self.Model.objects.all()
        every = {"every": max(1, round(own.seconds)), "period": IntervalSchedule.SECONDS}
        shown = {"name": own.name, "task": own.task, "enabled": True, "one_off": False}
        shown |= dict.fromkeys(("crontab", "solar", "clocked", "start_time", "expires", "expire_seconds"))
        is_shown = all_rows.filter(**shown, **{f"interval__{name}": value for name, value in every.items()})
        try:
            if is_shown.update(last_run_at=own.last_run_at, total_run_count=F("total_run_count") + 1):
                return False
            interval = IntervalSchedule.objects.filter(**every).first()
            row = all_rows.filter(name=own.name).first() or all_rows.filter(task=own.task).first()
            row = row or self.Model()
            for name, value in shown.items():
                setattr(row, name, value)
            row.interval = interval or IntervalSchedule.objects.create(**every)
            row.save()
        except (DatabaseError, InterfaceError) as exc:
            log.warning("whether the periodic task %s is listed is not known: %r", own.name, exc)
            return False
        return True

    def _when(self, entry: Any, next_time_to_run: float | None, *_: Any) -> float:
        """The moment in so many seconds, by the clock that nobody sets."""
        return time.monotonic() + (next_time_to_run or 0.0)

    def adjust(self, n: float | None, *_: Any, **__: Any) -> float | None:
        """The seconds until an entry is due, as they are.

        Celery takes off 10 ms, wakes early, and asks some 25 times whether it is due by now: more than half
        of what an idle beat does.
        """
        return n

    def schedules_equal(self, *_: Any) -> bool:
        """Whether the tables were read anew: nothing else changes an entry."""
        was_read, self._heap_invalidated = self._heap_invalidated, False
        return not was_read
