"""Keeps listeners of partition 0 going, as beat and the pool of a worker do.

    python -m tests.chaos.nursery 2
    python -m tests.chaos.nursery 2 lives     # without this protection: see `careless`

Each one is forked, as in a worker's pool, and so it listens a moment after the one before it
has ended: hand-overs come by the hundred. One that was killed is replaced as well; one that
fails ends all of them.
"""

import os
import sys
import time
import traceback

import django

from tests.chaos import careless

_FULL_SECONDS = 0.05


def bear() -> int:
    """Fork one listener; its process id."""
    pid = os.fork()
    if pid:
        return pid
    status = 1
    try:
        _listen()
        status = 0
    except Exception:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        os._exit(status)


def _listen() -> None:
    import signal

    from channels_app.listening.listener import listen
    from leases_app import partitioning
    from relaybase import stopping

    stopping.listen_to_signals(signal.SIGINT, signal.SIGTERM)
    partitioning.require()
    if not listen(0, stopping.asked):
        time.sleep(_FULL_SECONDS)  # The seat of one that was killed lives on for a moment.


def keep(listeners: int) -> None:
    """For ever."""
    alive: set[int] = set()
    while True:
        while len(alive) < listeners:
            alive.add(bear())
        pid, status = os.wait()
        alive.discard(pid)
        if os.WIFEXITED(status) and os.WEXITSTATUS(status):
            sys.exit(f"a listener has failed: {os.WEXITSTATUS(status)}")


if __name__ == "__main__":
    django.setup()
    # Imported before the fork, so that a child has nothing to load.
    import channels_app.listening.listener  # noqa: F401

    for protection in sys.argv[2:]:
        careless.WITHOUT[protection]()
    keep(int(sys.argv[1]))
