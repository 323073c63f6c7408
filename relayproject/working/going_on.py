"""What must not end a worker: its loops hear and store, whatever becomes of the broker and of one child.

A listener that ends may take with it what nobody else has. So a broker that refuses (another password, a
right that was taken away, a full memory) is one that is away: the worker comes back to it for as long as it
takes, and its loops go on meanwhile. Celery by itself gives up after a hundred attempts, and at once if the
broker answers with an error. There is a pause between, that grows: a connection whose first command is
refused is made at once.

A child that is killed is replaced at any time. Celery ends the whole worker if that happens while it starts.
"""

import random
import time
from typing import Any, Final

from celery import Celery, bootsteps
from celery.concurrency.prefork import TaskPool
from celery.worker import state
from celery.worker.consumer import Agent, Events

from relaycore.backoff import Backoff

SETTINGS: Final = {
    "broker_connection_retry": True,
    "broker_connection_retry_on_startup": True,
    "broker_connection_max_retries": None,
    "broker_channel_error_retry": True,
}
"""Of Celery."""

_SOUND_SECONDS: Final = 10.0
_LOOK_SECONDS: Final = 0.1


class Pause(bootsteps.StartStopStep):  # type: ignore[misc]  # It comes without types.
    """Before a worker consumes again from a broker that it has just lost."""

    requires = ("celery.worker.consumer.connection:Connection",)

    def __init__(self, consumer: Any, **options: Any) -> None:
        super().__init__(consumer, **options)
        self._began_at = float("-inf")
        self._backoff = Backoff(first=0.5, longest=5.0)

    def start(self, consumer: Any) -> None:
        """Wait, unless the connection before was a good one."""
        now = time.monotonic()
        if now - self._began_at > _SOUND_SECONDS:
            self._backoff.reset()
        else:
            until = now + self._backoff.next(random.random())
            while time.monotonic() < until:
                state.maybe_shutdown()
                time.sleep(_LOOK_SECONDS)
        self._began_at = time.monotonic()

    def stop(self, consumer: Any) -> None:
        """There is nothing to stop."""


def install(app: Celery) -> None:
    """Have all workers of this application go on."""
    app.steps["consumer"].add(Pause)
    # Celery orders its steps by what they require, and beyond that by chance. All others that talk by the
    # connection, that which consumes among them, require one of these two.
    for step in (Events, Agent):
        step.requires = (*step.requires, Pause)
    TaskPool.did_start_ok = lambda pool: True
