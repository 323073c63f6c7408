"""What some commands need: that no loop runs."""

import time

from django.conf import settings
from django.core.management.base import CommandError

from leases_app import partitioning


def require_silence() -> None:
    """Nobody listens, writes or sends; leases of those that were killed are given time to lapse.

    Raises:
        CommandError: somebody does, and the text says who.
    """
    deadline = time.monotonic() + settings.RELAY_LEASE_TTL_SECONDS + 1
    while running := partitioning.running():
        if time.monotonic() > deadline:
            raise CommandError(f"Stop everything first. Still running: {', '.join(running)}.")
        time.sleep(0.1)
