"""Celery, of whose first child the kernel makes an end while the worker starts.

python -m tests.integration.working.dies_at_start MARK -A relayproject worker ...
"""

import os
import signal
import sys
import time
from pathlib import Path
from typing import Any

from celery import signals
from celery.__main__ import main
from celery.concurrency.prefork import TaskPool

MARK = Path(sys.argv.pop(1))


@signals.worker_process_init.connect
def _die(**_: Any) -> None:
    if not MARK.exists():
        MARK.touch()
        os.kill(os.getpid(), signal.SIGKILL)


def _start_later(pool: Any, start: Any = TaskPool.on_start) -> None:
    """So that it is dead when the worker looks."""
    start(pool)
    while not MARK.exists():
        time.sleep(0.01)
    time.sleep(0.5)


TaskPool.on_start = _start_later

if __name__ == "__main__":
    main()
