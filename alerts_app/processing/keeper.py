"""Keeps what rules have come to, one write after another, in a thread."""

import logging
import threading
import time
from concurrent.futures import Future
from typing import Final

from pymongo.errors import PyMongoError

from alerts_app.processing.course import Course
from alerts_app.processing.fence import Fence
from alerts_app.processing.patience import Patience
from alerts_app.processing.writing import Kept, forget, write
from relaybase.background import in_background
from relaycore.alerting.items import Keep
from relaycore.errors import one_line

log = logging.getLogger(__name__)

KEEP_SECONDS: Final = 0.1


class Keeper:
    """For the thread of the processor."""

    def __init__(self, fence: Fence, woken: threading.Event) -> None:
        self._fence = fence
        self._woken = woken
        self._mongo = Patience()
        self._unkept: dict[Course, None] = {}
        self._forgets: set[str] = set()
        self._writing: tuple[list[tuple[Course, Keep]], set[str], Future[None]] | None = None
        self._began_at = float("-inf")

    @property
    def trouble(self) -> str:
        """What keeps it from keeping; empty: nothing."""
        return self._mongo.trouble

    @property
    def is_idle(self) -> bool:
        """Whether there is nothing that it could keep."""
        return self._writing is None and not self._unkept

    @property
    def due_in(self) -> float:
        """Seconds until it may keep the next."""
        if self._writing is not None or not (self._unkept or self._forgets):
            return 60.0
        return max(0.0, self._began_at + KEEP_SECONDS - time.monotonic())

    def add(self, course: Course) -> None:
        """It may have something to keep. Not if it was let go meanwhile: its rule may be no more."""
        if not course.is_closed:
            self._unkept[course] = None

    def remove(self, course: Course) -> None:
        """It is let go."""
        self._unkept.pop(course, None)

    def forget(self, rule: str) -> None:
        """Nothing is to be kept of it. `rule`: its uuid."""
        self._forgets.add(rule)

    def turn(self) -> list[Course]:
        """See what is kept, and keep what is next; of whom something was kept.

        Raises:
            LeaseLost: a later term has begun.
        """
        touched = self._take()
        if not self.due_in and self._mongo.may_ask:
            self._begin()
        return touched

    # --- inside --------------------------------------------------------------------------

    def _begin(self) -> None:
        courses, self._unkept = list(self._unkept), {}
        # What waits until something is stored is added again when that is so.
        found = [(course, kept) for course in courses if (kept := course.keep()) is not None]
        forgets, self._forgets = self._forgets, set()
        if not found and not forgets:
            return
        self._began_at = time.monotonic()
        writing = in_background(_write, self._fence, [kept for _, (_, kept) in found], forgets)
        self._writing = [(course, keep) for course, (keep, _) in found], forgets, writing
        writing.add_done_callback(lambda _: self._woken.set())

    def _take(self) -> list[Course]:
        if self._writing is None or not self._writing[2].done():
            return []
        (keeps, forgets, writing), self._writing = self._writing, None
        try:
            writing.result()
        except PyMongoError as exc:
            self._mongo.failed(f"MongoDB does not keep how far rules have come: {one_line(exc)}")
            log.warning("%s", self._mongo.trouble)
            self._forgets |= forgets
            for course, _ in keeps:
                self.add(course)
            return []
        self._mongo.answered()
        for course, keep in keeps:
            course.processing.kept(keep)
            self.add(course)
        return [course for course, _ in keeps]


def _write(fence: Fence, kept: list[Kept], forgets: set[str]) -> None:
    write(fence, kept)
    for rule in forgets:
        forget(rule)
