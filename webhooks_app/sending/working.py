"""What one sender does in its event loop: what is set, what has happened, what is written, and the end."""

import asyncio
import contextlib
import functools
import itertools
import logging
import time
from collections.abc import Callable, Iterable
from typing import Final

from django.conf import settings

from leases_app.leasing import Term
from relaycore.errors import one_line
from relaycore.outbound.addresses import Allowed
from relaycore.sending.answers import Answer
from relaycore.sending.batches.batch import Batch
from relaycore.sending.items import Item, Progress
from webhooks_app.http.client import Client
from webhooks_app.http.room import most_connections
from webhooks_app.registration import disable_by_sender
from webhooks_app.sending.clock import Clock, StreamClock
from webhooks_app.sending.course import Course
from webhooks_app.sending.encoding import Encoding
from webhooks_app.sending.known import Hook, Known, KnownEndpoint, learn
from webhooks_app.sending.lane import Lane
from webhooks_app.sending.logbook import Logbook
from webhooks_app.sending.present import Present
from webhooks_app.sending.recording.pause import LEAST_SECONDS, Pause
from webhooks_app.sending.recording.seeing import Rhythm
from webhooks_app.sending.recording.transaction import MOST, Job, Result, record
from webhooks_app.sending.worker import Worker

log = logging.getLogger(__name__)

LOOK_SECONDS: Final = 1.0
LEARN_SECONDS: Final = 0.75
_HANGS_SECONDS: Final = 5.0
"""PostgreSQL that has not answered for so long is trouble, though nothing has failed yet."""

_PARTING_SECONDS: Final = 3.0
"""What is under way when the sender stops may end; then it is closed, and is sent once more by the next."""

_RECORDING_SECONDS: Final = 1.0
"""So long PostgreSQL is waited for then, twice."""


class Working:
    """What one sender does, in its event loop, until it is stopped."""

    def __init__(self, term: Term, may_send: Callable[[], bool]) -> None:
        self._term = term
        self._worker = Worker("record deliveries")
        networks = Allowed(settings.RELAY_WEBHOOK_ALLOWED_NETWORKS)
        self._client = Client(networks, may_send=may_send, most_connections=most_connections())
        self._encoding = Encoding(settings.RELAY_PUBLIC_URL)
        self._clock, self._stream_clock = Clock(), StreamClock()
        self._logbook = Logbook()
        self._known = Known()
        self._lanes: dict[int, Lane] = {}
        self._courses: dict[int, Course] = {}
        self._dirty: dict[Course, None] = {}
        self._present = Present()
        self.out = 0  # So many attempts are under way.
        self._is_pressed = asyncio.Event()
        self._pause = Pause()
        self._recording = asyncio.Lock()
        self._looked_at = float("-inf")
        self._rhythm = Rhythm[Lane]()
        self._troubles: dict[str, str] = {}
        self.is_lost = self._is_stopping = False
        rounds = {self._learn: LEARN_SECONDS, self._record_soon: LEAST_SECONDS / 10}
        rounds[self._stream_clock.ask] = LOOK_SECONDS
        self._tasks = [asyncio.create_task(self._repeat(*one)) for one in rounds.items()]

    @property
    def trouble(self) -> str:
        """What it cannot do, in a sentence; empty: nothing."""
        found = [one for one in self._troubles.values() if one]
        if self._worker.busy_seconds > _HANGS_SECONDS:
            found.insert(0, f"PostgreSQL has not answered for more than {_HANGS_SECONDS:.0f} s")
        found += [*self._known.troubles, *self._present.troubles]
        more = f" (and {len(found) - 1} more)" if len(found) > 1 else ""
        return found[0] + more if found else ""

    async def _repeat(self, work: Callable[[], "asyncio.Future[None] | object"], seconds: float) -> None:
        """Whatever goes wrong in one turn is shown, and the next one comes."""
        while True:
            began = time.monotonic()
            try:
                await work()  # type: ignore[misc]
                self._troubles.pop(work.__name__, None)
            except Exception as exc:
                self._troubles[work.__name__] = f"{type(exc).__name__}: {one_line(exc)}"
                log.warning("sending: %s: %s", type(exc).__name__, one_line(exc))
            await asyncio.sleep(max(seconds / 10, seconds - (time.monotonic() - began)))

    # --- what is set ---------------------------------------------------------------------

    async def _learn(self) -> None:
        shard = self._term.partition
        known = await self._worker.do(functools.partial(learn, shard, self._known))
        if known is self._known:
            return
        before, self._known = self._known, known
        for id, endpoint in known.endpoints.items():
            self._set_endpoint(id, endpoint)
        for id in self._courses.keys() - known.hooks.keys():
            self._remove(id)
        for id, hook in known.hooks.items():
            if before.hooks.get(id) is not hook:
                self._set_hook(id, hook)
        for id in self._lanes.keys() - known.endpoints.keys():
            self._rhythm.forget(lane := self._lanes.pop(id))
            lane.close()

    def _set_endpoint(self, id: int, endpoint: KnownEndpoint) -> None:
        lane = self._lanes.get(id)
        if lane is None:
            self._lanes[id] = Lane(endpoint, self._client, self._encoding, self._clock, self)
        elif lane.endpoint is not endpoint:
            lane.set(endpoint)

    def _set_hook(self, id: int, hook: Hook) -> None:
        course = self._courses.get(id)
        if course is not None and course.hook.endpoint == hook.endpoint:
            course.set(hook)
        else:
            if course is not None:
                self._remove(id)
            course = self._courses[id] = Course(hook, self._stream_clock, lambda: self._come(id))
            self._lanes[hook.endpoint].add(course)
        self._present.put(course)
        self._touch(course)

    def _touch(self, course: Course) -> None:
        """There may be something to write of it; nothing is of one that was removed: another may be there."""
        if self._courses.get(course.id) is course:
            self._dirty[course] = None

    def _remove(self, id: int) -> None:
        course = self._courses.pop(id)
        if (lane := self._lanes.get(course.hook.endpoint)) is not None:
            lane.remove(course)
        course.close()
        self._present.remove(course)
        self._dirty.pop(course, None)

    def _come(self, id: int) -> None:
        course = self._courses.get(id)
        if course is not None:
            self._touch(course)
            self._present.hear(course)
            self._lanes[course.hook.endpoint].come(course)

    # --- what has happened ---------------------------------------------------------------

    def attempted(self, lane: Lane, course: Course, item: Item | Batch, id: str, answer: Answer) -> None:
        """An attempt has ended."""
        self._touch(course)
        if lane.faring.has_news:
            self._rhythm.hear(lane)
        if course.window is not None and course.window.is_pressed:
            self._is_pressed.set()
        for one in item.items if isinstance(item, Batch) else (item,):
            self._logbook.note(lane.endpoint, course.hook, one, id, answer)

    def gone(self, lane: Lane, reason: str) -> None:
        """Nothing is to be sent to this endpoint any more."""
        endpoint = lane.endpoint
        log.warning("endpoint %s is disabled: %s", endpoint.name, reason)
        lane.give_up()
        work = functools.partial(disable_by_sender, endpoint.id, endpoint.revision, reason)
        task = asyncio.create_task(self._worker.do(work))
        self._tasks.append(task)  # type: ignore[arg-type]
        task.add_done_callback(lambda done: self._disabled(lane, done))

    def _disabled(self, lane: Lane, done: "asyncio.Task[bool]") -> None:
        self._tasks.remove(done)  # type: ignore[arg-type]
        if done.cancelled() or done.exception() is None:
            return
        log.warning("endpoint %s is not disabled yet: %s", lane.endpoint.name, done.exception())
        lane.take_up()

    # --- what is written -----------------------------------------------------------------

    async def _record_soon(self) -> None:
        # `wait_for` may swallow that it is cancelled (Python 3.11), and who stops would wait for ever.
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._pause.seconds):
                await self._is_pressed.wait()
        self._is_pressed.clear()
        began = time.monotonic()
        async with self._recording:
            await self._record()
        self._pause.took(time.monotonic() - began, is_more=len(self._dirty) > MOST)

    async def _record(self) -> None:
        self._logbook.write()
        steps: dict[Course, Progress] = {}
        loads: list[Course] = []
        dirty = list(itertools.islice(self._dirty, MOST))
        for course in dirty:
            del self._dirty[course]
            course.count()
            if course.needs_load:
                loads.append(course)
            elif course.window is not None and (progress := course.window.progress()) is not None:
                steps[course] = progress
        is_time, looks = self._looks(dirty)
        said = self._rhythm.due(is_last=self._is_stopping)
        seen = [lane.seen() for lane in said]
        if not (steps or loads or looks or seen or is_time):
            return
        job = Job(
            [course.id for course in loads],
            {course.id: progress for course, progress in steps.items()},
            [course.id for course in looks],
            seen,
            self._present.ids if is_time else None,
            self._present.keyed if is_time else {course.id for course in looks if course.is_keyed},
        )
        try:
            result = await self._worker.do(functools.partial(record, self._term, job))
        except BaseException:
            self._take(Result(), steps, loads, said)
            raise
        self._take(result, steps, loads, said)
        self._troubles["record"] = result.trouble

    def _looks(self, dirty: Iterable[Course]) -> tuple[bool, list[Course]]:
        """Whether it is time to look which have rows, and those that are looked at in any case."""
        self._present.watch(dirty)
        if (now := time.monotonic()) - self._looked_at < LOOK_SECONDS:
            return False, [course for course in dirty if course.wants_look]
        self._looked_at = now
        self._present.turn()
        return True, self._present.watched()

    def _take(
        self, result: Result, steps: dict[Course, Progress], loads: list[Course], said: list[Lane]
    ) -> None:
        """What came of it. First what was written, then how the rows stood after that."""
        for lane in said:
            if lane.endpoint.id not in result.seen:
                lane.faring.missed()
                self._rhythm.hear(lane)
        self.is_lost = self.is_lost or result.is_lost
        if result.now:
            self._clock.hear(result.now)
        for course, progress in steps.items():
            if course.id in result.recorded:
                course.recorded(progress)
                self._come(course.id)  # There may be room again.
            else:
                course.missed()
                self._touch(course)
        for course in loads:
            if (stands := result.standing.get(course.id)) is not None:
                course.load(stands, result.dead_upto.get(course.id, ""))
            self._touch(course)
        for id, (standing, rows) in result.looked.items():
            looked = self._courses.get(id)
            if looked is not None:
                looked.look(standing, rows)
                self._touch(looked)
                self._lanes[looked.hook.endpoint].come(looked)

    # --- the end -------------------------------------------------------------------------

    async def stop(self) -> None:
        """Begin nothing any more; what is under way may end, and is recorded."""
        self._is_stopping = True
        for lane in self._lanes.values():
            lane.stop()
        until = time.monotonic() + _PARTING_SECONDS
        while self.out and time.monotonic() < until and not self.is_lost:
            await asyncio.sleep(0.02)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_RECORDING_SECONDS), self._recording:
                pass  # What is being written is heard of: else what has ended since could not be written.
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if not self.is_lost:
            self._dirty = dict.fromkeys(self._courses.values())
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_RECORDING_SECONDS):
                    for _ in range(0, len(self._courses) + 1, MOST):
                        await self._record()
        await self._logbook.close()

    def close(self) -> None:
        """Let everything go."""
        for course in self._courses.values():
            course.close()
        self._client.close()
        self._worker.close()
