"""How an endless loop learns that it should end.

Three askers, one answer:

* the Celery worker shuts down. The loop runs in a pool process that was forked from
  the worker, so the word goes through a byte of memory that both share. Not through
  `multiprocessing.Event`: its lock stays locked for everybody when a process is
  killed while it holds it.
* the process itself got SIGTERM or SIGINT (`manage.py listen`, a terminated task).
* the parent is gone. A pool process whose worker was killed must not live on.
"""

import mmap
import os
import signal
from types import FrameType

_shared = mmap.mmap(-1, 1)


class _Own:
    """What this process alone knows."""

    signalled = False
    parent = os.getppid()


def ask_all() -> None:
    """Ask every loop of this worker, in this process or in one forked from it."""
    _shared[0] = 1


def worker_stops() -> bool:
    """Whether the worker that this process belongs to shuts down."""
    return bool(_shared[0])


def asked() -> bool:
    """Whether the loop should end."""
    return _Own.signalled or worker_stops() or os.getppid() != _Own.parent


def leave_if_signalled() -> None:
    """End the process, if it was told to end itself and not only its loop.

    Raises:
        SystemExit: which a pool process of Celery takes as its end.
    """
    if _Own.signalled:
        raise SystemExit(0)


def listen_to_signals(*signals: signal.Signals) -> None:
    """Take these signals as a request to end. Call it where the loop begins, in the main thread.

    Not before: a pool process of Celery installs a handler of its own when it starts, which
    ends whatever runs at any instruction.
    """
    _Own.parent = os.getppid()
    for number in signals:
        signal.signal(number, _on_signal)


def _on_signal(number: int, frame: FrameType | None) -> None:
    _Own.signalled = True
