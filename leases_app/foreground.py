"""The endless loops without Celery, for debugging: `manage.py listen`, `manage.py write`."""

import signal
from collections.abc import Callable
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from leases_app import deployment
from relaybase import stopping
from relaycore.errors import RelayError


class LoopCommand(BaseCommand):
    """Runs one loop until Ctrl-C or SIGTERM. Subclasses say which."""

    def loop(self, partition: int, stopping: Callable[[], bool]) -> bool:
        """Run until `stopping()`; False if the lease is held elsewhere."""
        raise NotImplementedError

    def add_arguments(self, parser: CommandParser) -> None:
        """Which partition."""
        parser.add_argument("--partition", type=int, default=0)

    def handle(self, *args: Any, partition: int, **options: Any) -> None:
        """Run the loop."""
        stopping.listen_to_signals(signal.SIGINT, signal.SIGTERM)
        try:
            deployment.require()
            done = self.loop(partition, stopping.asked)
        except RelayError as exc:
            raise CommandError(str(exc)) from exc
        if not done:
            raise CommandError(
                f"Partition {partition} is taken: another process holds its lease (see Leases in the admin). "
                "Stop that one, or wait until its lease lapses."
            )
