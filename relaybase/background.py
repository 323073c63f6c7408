"""Work that waits for MongoDB, in threads that nobody has to wait for."""

import time
from collections.abc import Callable
from concurrent.futures import Future, wait
from typing import ParamSpec, TypeVar

from relaybase import logs

P = ParamSpec("P")
T = TypeVar("T")

_LOOK_SECONDS = 0.05
_AWAITED_LOOK_SECONDS = 0.5


class Interrupted(Exception):
    """The writer was asked to stop before MongoDB answered: what became of the work is not known."""


def in_background(work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> "Future[T]":
    """Do some work in a thread of its own; its result.

    Not in a `ThreadPoolExecutor`: Python waits for its threads when a process ends, and
    while MongoDB does not answer that would take longer than a writer has for stopping.
    """
    future: Future[T] = Future()

    def run() -> None:
        try:
            future.set_result(work(*args, **kwargs))
        except BaseException as exc:
            future.set_exception(exc)

    logs.thread(run, f"writer {work.__name__}").start()
    return future


def awaited(work: "Future[T]", stopping: Callable[[], bool], parting_seconds: float = 0.0) -> T:
    """What work in the background came to.

    Raises:
        Interrupted: `stopping()`, and it takes longer than `parting_seconds` from then on.
    """
    while not stopping():
        if wait([work], _AWAITED_LOOK_SECONDS).done:
            return work.result()
    if not wait([work], parting_seconds).done:
        raise Interrupted
    return work.result()


def rest(seconds: float, stopping: Callable[[], bool]) -> None:
    """Wait before trying again.

    Raises:
        Interrupted: as soon as `stopping()`.
    """
    until = time.monotonic() + seconds
    while True:
        if stopping():
            raise Interrupted
        left = until - time.monotonic()
        if left <= 0:
            return
        time.sleep(min(left, _LOOK_SECONDS))
