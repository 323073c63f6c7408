"""Ends processes that tests have started. None is left behind, whatever becomes of the others.

One that is left fails a test that has nothing to do with it: by a ResourceWarning when it is forgotten, or by
its connection to a database that is to be dropped.
"""

import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

Started = subprocess.Popen[Any]


def end(*processes: Started, seconds: float = 10.0) -> None:
    """SIGTERM to all of them, and SIGKILL to those that have not ended after so long. All are collected.

    Raises:
        AssertionError: one had to be killed.
    """
    for process in processes:
        process.send_signal(signal.SIGTERM)
    deadline = time.monotonic() + seconds
    late = [process for process in processes if not _ends(process, deadline)]
    for process in late:
        process.kill()
    for process in late:
        process.wait()
    assert not late, f"did not end within {seconds:g} s: {[process.args for process in late]}"


@contextmanager
def ended(process: Started) -> Iterator[Started]:
    """It has ended when this is left, by itself or by SIGKILL."""
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def _ends(process: Started, deadline: float) -> bool:
    try:
        process.wait(max(0.0, deadline - time.monotonic()))
    except subprocess.TimeoutExpired:
        return False
    return True
