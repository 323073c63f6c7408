"""What a processor does, turn by turn, in one thread."""

import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Final

import redis
from pymongo.errors import PyMongoError

from alerts_app.processing.course import Course
from alerts_app.processing.fence import Fence
from alerts_app.processing.keeper import Keeper
from alerts_app.processing.learning import Learning
from alerts_app.processing.outlet import Outlet
from alerts_app.processing.passage import Passage
from alerts_app.processing.patience import Patience
from leases_app.leasing import Condition
from leases_app.rounds import Rounds
from relaycore.errors import Disconnected, UnfitServer, one_line
from relaycore.layout import Layout

log = logging.getLogger(__name__)

_STOPPING_LOOK_SECONDS: Final = 0.25
_AGAIN_SECONDS: Final = 0.05
_PARTING_SECONDS: Final = 2.0
"""What was said when the processor stops may be stored and kept; else the next one says it again."""


class Working:
    """The rules of one shard, while one term lasts. `run` is called once."""

    def __init__(self, fence: Fence, layout: Layout) -> None:
        self._woken = threading.Event()
        self._touched: deque[str] = deque()
        self._learning = Learning(fence, self._tells, self._woken)
        self._redis = Patience()
        self._passage = Passage(layout)
        self._outlet = Outlet(layout, fence, self._redis, self._woken)
        self._keeper = Keeper(fence, self._woken)
        self._courses: dict[str, Course] = {}
        self._waits: dict[Course, int] = {}
        self._not_before: dict[Course, float] = {}
        self._rounds = Rounds()
        self._said = (0, "")

    def condition(self) -> Condition:
        """How this processor is. Asked by another thread: it does not wait."""
        waiting, trouble = self._said
        return Condition(waiting=waiting, trouble=self._rounds.trouble(trouble))

    def run(self, stopping: Callable[[], bool]) -> None:
        """Until `stopping()`.

        Raises:
            LeaseLost: a later term has begun.
            UnfitServer: everything is divided otherwise by now.
        """
        self._learning.start()
        try:
            while not stopping():
                self._woken.wait(self._due_in())
                self._woken.clear()
                self._turn()
                self._said = self._outlet.waiting, self._trouble()
                self._rounds.come()
            self._part()
        finally:
            for course in self._courses.values():
                course.close()
            self._learning.close()

    # --- one turn ------------------------------------------------------------------------

    def _turn(self) -> None:
        self._hear()
        for course in self._take_touched():
            self._advance(course)
        self._pass_time()
        self._say_and_keep()

    def _hear(self) -> None:
        """What was learned of the rules."""
        while not self._learning.news.empty():
            news = self._learning.news.get()
            if news.error is not None:
                raise news.error
            for course in news.opened:
                self._courses[course.rule.uuid] = course
            for uuid, wanted in news.changed.items():
                if (changed := self._courses.get(uuid)) is not None:
                    changed.set(wanted)
            for uuid in news.closed:
                self._let_go(uuid)
            for uuid in news.deleted:
                self._keeper.forget(uuid)
            self._touched.extend((*(course.rule.uuid for course in news.opened), *news.changed))

    def _take_touched(self) -> list[Course]:
        uuids: dict[str, None] = {}
        while self._touched:
            uuids[self._touched.popleft()] = None
        return [course for uuid in uuids if (course := self._courses.get(uuid)) is not None]

    def _advance(self, course: Course) -> None:
        """Take what has come, and go on with what waited for something."""
        try:
            if course.advance():
                self._keeper.add(course)
                self._outlet.add(course)
            course.trouble = ""
        except UnfitServer:
            raise
        except (Disconnected, PyMongoError) as exc:
            course.trouble = one_line(exc)
            self._not_before[course] = time.monotonic() + 10 * _AGAIN_SECONDS
        except Exception as exc:  # Whatever it is, it is of one rule: it begins anew with what is kept.
            log.exception("rule %s is begun with anew", course.rule.name)
            self._let_go(course.rule.uuid)
            self._learning.begin_again(course.rule.uuid, f"{type(exc).__name__}: {one_line(exc)}")
            return
        self._waits[course] = course.waits_for

    def _pass_time(self) -> None:
        """Of those whose time has come by Redis' clock."""
        if not self._waits or not self._redis.may_ask:
            return
        try:
            self._passage.compare()
            now, clock = self._passage.now, time.monotonic()
            for course, waits in list(self._waits.items()):
                is_free = not course.is_looking and self._not_before.get(course, clock) <= clock
                if waits <= now and is_free:
                    self._not_before[course] = clock + _AGAIN_SECONDS
                    if (passed := self._passage.let_pass(course.partition, waits)) is not None:
                        course.let_pass(*passed)
        except (Disconnected, PyMongoError, redis.RedisError) as exc:
            self._redis.failed(f"Time does not pass: {one_line(exc)}")

    def _say_and_keep(self) -> None:
        self._outlet.say()
        for course in self._outlet.settle(is_pressed=self._is_pressed):
            self._keeper.add(course)
            self._touched.append(course.rule.uuid)
        for course in self._keeper.turn():
            self._outlet.add(course)
            self._touched.append(course.rule.uuid)
        if self._touched:
            self._woken.set()

    # --- inside --------------------------------------------------------------------------

    def _tells(self, uuid: str) -> Callable[[], None]:
        """What a feed calls when something has come for this rule, in another thread."""

        def tell() -> None:
            self._touched.append(uuid)
            self._woken.set()

        return tell

    @property
    def _is_pressed(self) -> bool:
        return any(course.is_full for course in self._courses.values())

    def _due_in(self) -> float:
        now = self._passage.now
        waits = [waits for course, waits in self._waits.items() if not course.is_looking]
        until = max(_AGAIN_SECONDS, (min(waits) - now) / 1000) if waits else 60.0
        if waits and min(waits) > now:
            until = (min(waits) - now) / 1000
        return min(
            _STOPPING_LOOK_SECONDS,
            until,
            self._outlet.due_in(is_pressed=self._is_pressed),
            self._keeper.due_in,
        )

    def _let_go(self, uuid: str) -> None:
        if (course := self._courses.pop(uuid, None)) is not None:
            course.close()
            self._keeper.remove(course)
            self._waits.pop(course, None)
            self._not_before.pop(course, None)

    def _part(self) -> None:
        """What was said may be stored and kept."""
        until = time.monotonic() + _PARTING_SECONDS
        for course in self._courses.values():
            course.stop()
        # Nobody waits for a Redis that does not answer: one more question may take what time is left.
        while time.monotonic() < until and not (self._is_done or self._redis.trouble):
            self._say_and_keep()
            self._woken.wait(0.02)
            self._woken.clear()

    @property
    def _is_done(self) -> bool:
        return self._outlet.is_idle and self._keeper.is_idle

    def _trouble(self) -> str:
        found = [self._redis.trouble, self._outlet.trouble, self._keeper.trouble]
        found += list(self._learning.troubles.values())
        found += [
            f"Rule {one.rule.name}: {one.trouble}" for one in list(self._courses.values()) if one.trouble
        ]
        found = [one for one in found if one]
        more = f" (and {len(found) - 1} more)" if len(found) > 1 else ""
        return found[0] + more if found else ""
