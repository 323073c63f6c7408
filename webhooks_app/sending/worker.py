"""One thread that asks PostgreSQL, so that the event loop does not, and one connection lasts."""

import asyncio
import queue
import time
from collections.abc import Callable
from typing import Any, TypeVar

from django.db import connection

from relaybase import logs

Answer = TypeVar("Answer")


class Worker:
    """Does one thing after another. Nobody who ends waits for it: a server may stand still."""

    def __init__(self, name: str) -> None:
        self._asked: queue.SimpleQueue[tuple[Callable[[], Any], asyncio.Future[Any]] | None]
        self._asked = queue.SimpleQueue()
        self._since: float | None = None
        logs.thread(self._run, name).start()

    @property
    def busy_seconds(self) -> float:
        """For so long it does the same thing; 0: it waits for one."""
        since = self._since
        return 0.0 if since is None else time.monotonic() - since

    async def do(self, work: Callable[[], Answer]) -> Answer:
        """What this says, in the thread. Raises what it raises."""
        future: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._asked.put((work, future))
        return await future

    def close(self) -> None:
        """End, after what is asked already."""
        self._asked.put(None)

    def _run(self) -> None:
        while (asked := self._asked.get()) is not None:
            work, future = asked
            answer: Any = None
            error: Exception | None = None
            self._since = time.monotonic()
            try:
                answer = work()
            except Exception as exc:
                error = exc
                # It may have left a transaction open, with its locks. The next thing begins with a new one.
                connection.close()
            finally:
                self._since = None
            try:
                future.get_loop().call_soon_threadsafe(_settle, future, answer, error)
            except RuntimeError:
                break  # The event loop has ended.
        connection.close()


def _settle(future: "asyncio.Future[Any]", answer: Any, error: Exception | None) -> None:
    if future.done():
        return
    if error is not None:
        future.set_exception(error)
    else:
        future.set_result(answer)
