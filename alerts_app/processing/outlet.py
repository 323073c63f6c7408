"""What all rules of a processor say: appended, and followed until it is stored."""

import logging
import threading
import time
from collections.abc import Iterable
from concurrent.futures import Future
from typing import Final

import redis
from django.conf import settings
from pymongo.errors import PyMongoError

from alerts_app.processing.course import Course
from alerts_app.processing.fence import Fence
from alerts_app.processing.patience import Patience
from alerts_app.processing.saying import Entry, Said, Saying, Settled, look_up
from messages_app.searching import archive
from relaybase.background import in_background
from relaycore.channels import partition_of
from relaycore.errors import Disconnected, NotTaken, one_line
from relaycore.layout import Layout

log = logging.getLogger(__name__)

_LOOK_SECONDS: Final = 0.1
_PRESSED_SECONDS: Final = 0.02
"""If a rule takes nothing before it knows that something is stored."""

_Looking = tuple[Saying, list[Entry], "Future[Settled]"]


class Outlet:
    """For the thread of the processor. `redis`: shared by all that asks Redis."""

    def __init__(self, layout: Layout, fence: Fence, redis: Patience, woken: threading.Event) -> None:
        self._layout = layout
        self._fence = fence
        self._redis = redis
        self._woken = woken
        self._mongo = Patience()
        self._sayings: dict[int, Saying] = {}
        self._unsaid: dict[Course, None] = {}
        self._looking: _Looking | None = None
        self._looked_at = float("-inf")

    @property
    def waiting(self) -> int:
        """So many outputs stand of which it is not known that they are stored."""
        return sum(saying.waiting for saying in self._sayings.values())

    @property
    def is_idle(self) -> bool:
        """Whether there is nothing to append, and everything is stored."""
        return not self._unsaid and self._looking is None and not self.waiting

    @property
    def trouble(self) -> str:
        """What keeps it from knowing what is stored; empty: nothing."""
        return self._mongo.trouble

    def due_in(self, *, is_pressed: bool) -> float:
        """Seconds until it is to be looked what is stored."""
        if not self.waiting or self._looking is not None:
            return 60.0
        every = _PRESSED_SECONDS if is_pressed else _LOOK_SECONDS
        return max(0.0, self._looked_at + every - time.monotonic())

    def add(self, course: Course) -> None:
        """It may have something to say."""
        self._unsaid[course] = None

    def say(self) -> None:
        """Append what is to be said.

        Raises:
            LeaseLost: a later term has begun.
            UnfitServer: everything is divided otherwise by now.
        """
        if not self._unsaid or not self._redis.may_ask:
            return
        courses, self._unsaid = list(self._unsaid), {}
        by_partition: dict[int, list[Said]] = {}
        for course in courses:
            partition = partition_of(course.rule.to, settings.RELAY_PARTITIONS)
            said = by_partition.setdefault(partition, [])
            said += [Said(course, made) for made in course.outputs()]
        for partition, said in by_partition.items():
            if said:
                self._append(partition, said)

    def settle(self, *, is_pressed: bool) -> list[Course]:
        """See what is stored; of whom something was stored or lost.

        Raises:
            UnfitServer: everything is divided otherwise by now.
        """
        touched = self._take()
        self._count()
        if self._looking is None and not self.due_in(is_pressed=is_pressed):
            self._look()
        return touched

    # --- inside --------------------------------------------------------------------------

    def _append(self, partition: int, said: list[Said]) -> None:
        saying = self._sayings.get(partition)
        if saying is None:
            saying = self._sayings[partition] = Saying(partition, self._layout, self._fence)
        try:
            saying.append(said)
            self._redis.answered()
        except (Disconnected, NotTaken, PyMongoError) as exc:
            self._redis.failed(one_line(exc))
            log.warning("what rules say is not appended: %s", one_line(exc))
            for course, ids in _by_course(said).items():
                course.lost(ids)
                self.add(course)

    def _count(self) -> None:
        if not self._redis.may_ask:
            return
        try:
            for saying in self._sayings.values():
                saying.count()
        except redis.RedisError as exc:
            self._redis.failed(one_line(exc))

    def _look(self) -> None:
        """Whether the watermark has passed something. MongoDB is asked in a thread."""
        if not (self._redis.may_ask and self._mongo.may_ask):
            return
        self._looked_at = time.monotonic()
        for saying in sorted(self._sayings.values(), key=lambda one: one.waiting, reverse=True):
            if not saying.waiting:
                break
            try:
                horizon = archive.look(saying.partition, self._layout)
            except Disconnected as exc:
                self._redis.failed(one_line(exc))
                return
            if entries := saying.settled(horizon):
                looking = in_background(look_up, entries, horizon)
                self._looking = saying, entries, looking
                looking.add_done_callback(lambda _: self._woken.set())
                return

    def _take(self) -> list[Course]:
        if self._looking is None or not self._looking[2].done():
            return []
        saying, entries, looking = self._looking
        self._looking = None
        try:
            settled = looking.result()
        except (Disconnected, PyMongoError) as exc:
            self._mongo.failed(f"MongoDB does not say what is stored: {one_line(exc)}")
            saying.again(entries)
            return []
        self._mongo.answered()
        touched: dict[Course, None] = {}
        for course, ids in _by_course(settled.stored).items():
            course.stored(ids)
            touched[course] = None
        if settled.lost:
            log.warning("%d outputs of rules are gone before they were stored: again", len(settled.lost))
        for course, ids in _by_course(settled.lost).items():
            course.lost(ids)
            self.add(course)
            touched[course] = None
        return list(touched)


def _by_course(said: Iterable[Said]) -> dict[Course, list[bytes]]:
    found: dict[Course, list[bytes]] = {}
    for one in said:
        found.setdefault(one.course, []).append(one.made.id)
    return found
