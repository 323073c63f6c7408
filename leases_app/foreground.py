"""The endless loops without Celery, for debugging: `manage.py listen`, `write` and `send`."""

import signal
from collections.abc import Callable
from functools import partial
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from leases_app import endless
from relaycore.errors import RelayError


class LoopCommand(BaseCommand):
    """Runs one loop until Ctrl-C or SIGTERM. Subclasses say which, and for what there is one."""

    share = "partition"

    def loop(self, number: int, stopping: Callable[[], bool]) -> bool:
        """Run until `stopping()`; False if the lease is held elsewhere."""
        raise NotImplementedError

    def add_arguments(self, parser: CommandParser) -> None:
        """Which partition, or shard."""
        parser.add_argument(f"--{self.share}", type=int, default=0, dest="number")

    def handle(self, *args: Any, number: int, **options: Any) -> None:
        """Run the loop."""
        try:
            done = endless.run_here(partial(self.loop, number), signal.SIGINT, signal.SIGTERM)
        except RelayError as exc:
            raise CommandError(str(exc)) from exc
        if not done:
            raise CommandError(
                f"{self.share.capitalize()} {number} is taken: another process holds its lease "
                "(see Leases in the admin). Stop that one, or wait until its lease lapses."
            )
