"""The processes of a deployment, which Celery worker serves what, and which tasks are endless.

This is the one place. The one-command stack starts what stands here, and the
deployment files are tested against it. Standard library only: the stack reads it
before there is a database to configure Django with.

==========  ============  =====================================================
process     queue         what it does
==========  ============  =====================================================
web         –             API, admin
beat        –             sends the proposals, every few seconds
default     `default`     looks which partitions and shards lack a loop, and proposes tasks
listeners   `listeners`   endless: one listener a slot (`channels_app.listening`)
writers     `writers`     endless: one writer a slot (`messages_app.writing`)
senders     `senders`     endless: one sender a slot (`webhooks_app.sending`)
processors  `processors`  endless: one processor a slot (`alerts_app.processing`)
==========  ============  =====================================================

A slot is one pool process, since all loops are bound by CPU. A worker has a slot for each
writer, sender, processor and listener, so that any one host can carry all of them. Where there are
several hosts, RELAY_LISTENER_SLOTS may be smaller.

Senders have a worker of their own also where there is one shard, which costs the memory of a worker's
main process (`docs/operations.md`). What they talk to is not ours: whatever an answer does to their
process, to its memory or its sockets, must not reach a listener, whose end may lose what nobody else
has. A worker for two queues would also fill its slots with whichever tasks come first: so processors have
one of their own as well.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from relaybase.queues import DEFAULT, LISTENERS, PROCESSORS, SENDERS, WRITERS


@dataclass(frozen=True, slots=True)
class Endless:
    """A kind of endless task. Wherever it is asked which there are, the answer is `ENDLESS`.

    role:   of the lease that a task holds while it runs (`leases_app.models.Lease.Role`)
    queue:  where proposals of it wait
    task:   its name
    shards: the setting that says for how many shards there has to be one; their numbers begin at 0
    """

    role: str
    queue: str
    task: str
    shards: str = "RELAY_PARTITIONS"


ENDLESS: Final = (
    Endless("listener", LISTENERS, "channels_app.tasks.listen"),
    Endless("writer", WRITERS, "messages_app.tasks.write"),
    Endless("sender", SENDERS, "webhooks_app.tasks.send", shards="RELAY_SENDER_SHARDS"),
    Endless("processor", PROCESSORS, "alerts_app.tasks.process", shards="RELAY_PROCESSOR_SHARDS"),
)


@dataclass(frozen=True, slots=True)
class Process:
    """A name, and the arguments after `python`."""

    name: str
    arguments: tuple[str, ...]

    def argv(self, python: str) -> list[str]:
        """The whole command."""
        return [python, *self.arguments]


def processes(environ: Mapping[str, str] = os.environ) -> tuple[Process, ...]:
    """All processes of one host, in the order in which they may start."""
    partitions = int(environ.get("RELAY_PARTITIONS") or "1")
    seats = int(environ.get("RELAY_LISTENERS_PER_PARTITION") or "2")
    shards = environ.get("RELAY_SENDER_SHARDS") or "1"
    rules = environ.get("RELAY_PROCESSOR_SHARDS") or "1"
    slots = environ.get("RELAY_LISTENER_SLOTS") or str(partitions * seats)
    host = environ.get("RELAY_WEB_HOST") or "127.0.0.1"
    port = environ.get("RELAY_WEB_PORT") or "8000"
    return (
        Process(
            "web",
            ("-m", "uvicorn", "relayproject.asgi:application", "--host", host, "--port", port)
            # Whoever waits for a request has bounds in time and number.
            + ("--http", "relaybase.http.connections:Connection")
            # Whose word counts for addresses says RELAY_TRUSTED_PROXIES; uvicorn believes localhost.
            + ("--no-proxy-headers",)
            # Without a limit an open stream holds up SIGTERM for ever.
            + ("--timeout-graceful-shutdown", "3", "--no-access-log", "--log-level", "warning"),
        ),
        _worker(LISTENERS, "--concurrency", slots),
        _worker(WRITERS, "--concurrency", str(partitions)),
        _worker(SENDERS, "--concurrency", shards),
        _worker(PROCESSORS, "--concurrency", rules),
        # Its tasks are short: they run in the worker itself, which saves a process.
        _worker(DEFAULT, "--pool", "solo"),
        Process(
            "beat",
            ("-m", "celery", "-A", "relayproject", "beat", "--loglevel", "WARNING", "--pidfile="),
        ),
    )


def _worker(queue: str, *options: str) -> Process:
    return Process(
        queue,
        ("-m", "celery", "-A", "relayproject", "worker", "--queues", queue, "--hostname", f"{queue}@%h")
        + ("--loglevel", "INFO", "--without-gossip", "--without-mingle")
        # For Flower and the like: by default every two seconds, which is much for a system at rest.
        + ("--heartbeat-interval", "30", *options),
    )
