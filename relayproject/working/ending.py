"""However a worker ends or restarts, its endless tasks end with it.

A worker that stops waits for its tasks. Celery sends `worker_shutting_down` only where a signal asks for the
end, and of the signals not for SIGHUP; `celery control shutdown` and what it calls an unrecoverable error
end a worker without a word. It would then wait for ever for loops that nobody has asked to end: they go
on, and the worker takes no task and answers nobody. All of these ways lead through the end of its blueprint.

On SIGHUP a worker starts itself again. Celery (5.7.0) does not where it was started by `python -m celery`: it
runs the path of that module, which is no script.
"""

import os
import sys
from typing import Any

from celery import Celery, bootsteps, signals
from celery.apps import worker as celery_worker

from relaybase import stopping


class AskLoops(bootsteps.StartStopStep):  # type: ignore[misc]  # It comes without types.
    """The first thing that a worker does when it closes, in whatever way."""

    def start(self, worker: Any) -> None:
        """There is nothing to start."""

    def close(self, worker: Any) -> None:
        """Before the worker waits for its tasks."""
        stopping.ask_all()

    def stop(self, worker: Any) -> None:
        """The same for whoever ends it without closing it."""
        stopping.ask_all()

    terminate = stop


def install(app: Celery) -> None:
    """Have it done by all workers of this application."""
    app.steps["worker"].add(AskLoops)
    celery_worker._reload_current_worker = _start_again


def _start_again() -> None:
    """Become what was started, by the same words. What was left open for it on purpose stays open."""
    os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])  # noqa: S606 -- a shell must not be between


@signals.worker_shutting_down.connect
def _ask_loops(**_: Any) -> None:
    """At once: the signal may come while the worker waits for something else."""
    stopping.ask_all()
