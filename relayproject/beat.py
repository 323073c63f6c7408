"""When beat sends what: django-celery-beat's schedule, asked less often."""

import time
from typing import Any, Final

from django_celery_beat.schedulers import DatabaseScheduler

_LOOK_SECONDS: Final = 1.0

_RETIRED: Final = (
    "channels_app.tasks.propose_listeners",
    "messages_app.tasks.propose_writers",
    "relayproject.tasks.delete_expired",
)
"""Tasks of earlier versions, whose entries are still in their tables. No worker knows them any more."""


class Scheduler(DatabaseScheduler):  # type: ignore[misc]  # It comes without types.
    """Looks once in a turn whether the schedule was changed.

    The stock one (2.9.0) asks PostgreSQL at each look at an entry, five times a second for three
    entries, checks the connection before each, and in each turn compares all entries with those of
    the turn before.
    """

    _heap_invalidated: bool = False

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self._looked_at = float("-inf")
        super().__init__(*args, **kwargs)

    def setup_schedule(self) -> None:
        """As ever, without what earlier versions have left."""
        self.Model.objects.filter(task__in=_RETIRED).delete()
        super().setup_schedule()

    def schedule_changed(self) -> bool:
        """Whether the tables differ from what was read; False as well if that was asked just now."""
        now = time.monotonic()
        if now - self._looked_at < _LOOK_SECONDS:
            return False
        self._looked_at = now
        return bool(super().schedule_changed())

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
