"""What is over ends, and what waits is told: again and again, in each process that takes alerts."""

import asyncio
import logging
import math
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Final, TypeVar

from django.conf import settings
from django.db import DatabaseError, InterfaceError, connection

from alerts_app import defaults
from alerts_app.receiving import ending, telling
from alerts_app.receiving.appending import Appender
from relaybase.connections import one_per_loop
from relaycore.errors import one_line
from relaycore.receiving.hearing import Awake, Hearing

log = logging.getLogger(__name__)

LOOK_SECONDS: Final = 1.0
PATIENCE_SECONDS: Final = 2.0
"""So long a sender waits until what he has changed is told. It is told in any case."""

_FORGET_SECONDS: Final = 600.0
_LATELY_SECONDS: Final = 15.0

Answer = TypeVar("Answer")


class Keeper:
    """Of one event loop. It begins with `begin`, and ends with the loop."""

    def __init__(self) -> None:
        # Senders are not to wait for Redis, nor for each other's locks.
        self._takers = ThreadPoolExecutor(1, "alerts-taken")
        self._tellers = ThreadPoolExecutor(1, "alerts-told")
        self._task: asyncio.Task[None] | None = None
        self._beating: asyncio.Task[None] | None = None
        self._waits = asyncio.Event()
        self._told: asyncio.Future[None] | None = None
        self._forgot_at = time.monotonic()
        self._hearing = Hearing(self._forgot_at)
        self._awake = Awake(self._forgot_at)
        self._is_failing = self._has_laid = False
        self._went_well_at = -math.inf

    def begin(self) -> None:
        """Begin, if it has not."""
        if self._task is None or self._task.done():
            self._hearing, self._awake = Hearing(time.monotonic()), Awake(time.monotonic())
            self._task = asyncio.create_task(self._run())
            self._beating = asyncio.create_task(self._beat())

    def is_late(self, came_at: float) -> bool:
        """Whether a request that was read at that moment of `time.monotonic` is too old to be taken."""
        return self._awake.is_late(came_at, time.monotonic())

    @property
    def is_telling(self) -> bool:
        """Whether all that alerts had changed was told lately. Whoever stands still does not know it."""
        return time.monotonic() - self._went_well_at < _LATELY_SECONDS

    async def ask(self, work: Callable[[], Answer]) -> Answer:
        """What PostgreSQL answers to this, in the thread for it. Once more if it had to be connected to anew.

        Raises:
            django.db.Error: it does not answer.
        """
        loop = asyncio.get_running_loop()
        try:
            return await loop.run_in_executor(self._takers, _in_thread, work)
        except (DatabaseError, InterfaceError):
            # What is asked here may be done twice: it says how things are.
            return await loop.run_in_executor(self._takers, _in_thread, work)

    async def ask_once(self, work: Callable[[], Answer]) -> Answer:
        """The same for what would be there twice. Where it fails nobody knows whether it was done."""
        return await asyncio.get_running_loop().run_in_executor(self._takers, _in_thread, work)

    async def told(self) -> None:
        """Returns once what waits by now is told, or after `PATIENCE_SECONDS`."""
        self.begin()
        if self._told is None:
            self._told = asyncio.get_running_loop().create_future()
        self._waits.set()
        await asyncio.wait({self._told}, timeout=PATIENCE_SECONDS)

    async def _beat(self) -> None:
        while True:
            self._awake.beat(time.monotonic())
            await asyncio.sleep(LOOK_SECONDS)

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()
        publish = Appender(loop)
        while True:
            self._waits.clear()
            told, self._told = self._told, None
            try:
                while await loop.run_in_executor(self._tellers, _in_thread, lambda: self._step(publish)):
                    pass
                self._is_failing, self._went_well_at = False, time.monotonic()
            except Exception as exc:  # Whatever it is: it is tried again.
                self._failed(exc)
            if told is not None:
                told.set_result(None)
            await self._rest()

    def _step(self, publish: telling.Publish) -> bool:
        """Whether there may be more to do. In the thread."""
        if not self._has_laid:  # So what is told is grouped from the first alert on.
            defaults.lay()
            self._has_laid = True
        at = ending.moment()  # Before what is asked of `Hearing`, which says why.
        now, ended = time.monotonic(), 0
        if self._hearing.is_long_enough(now, settings.RELAY_ALERTMANAGER_GRACE_SECONDS):
            ended = ending.end(at)
        if now - self._forgot_at >= _FORGET_SECONDS:
            ending.forget()
            self._forgot_at = now
        return telling.tell(publish) > 0 or ended == ending.AT_ONCE

    def _failed(self, exc: Exception) -> None:
        if isinstance(exc, (DatabaseError, InterfaceError)):
            self._hearing.failed(time.monotonic())
        if not self._is_failing:  # Once, and not each second.
            log.warning("what alerts have changed is told later: %s: %s", type(exc).__name__, one_line(exc))
        self._is_failing, self._went_well_at = True, -math.inf

    async def _rest(self) -> None:
        if self._is_failing or not self._waits.is_set():
            try:
                async with asyncio.timeout(LOOK_SECONDS):
                    await (asyncio.sleep(LOOK_SECONDS) if self._is_failing else self._waits.wait())
            except TimeoutError:
                pass


@one_per_loop
def keeper() -> Keeper:
    """The one of this event loop."""
    return Keeper()


def _in_thread(work: Callable[[], Answer]) -> Answer:
    try:
        return work()
    except (DatabaseError, InterfaceError):
        connection.close()
        raise
