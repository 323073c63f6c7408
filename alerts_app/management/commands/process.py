"""`manage.py process`: a processor in the foreground."""

from collections.abc import Callable

from alerts_app.processing.processor import process
from leases_app.foreground import LoopCommand


class Command(LoopCommand):
    """The same loop as the Celery task."""

    help = "Process the rules of one shard in the foreground, until Ctrl-C."
    share = "shard"

    def loop(self, number: int, stopping: Callable[[], bool]) -> bool:
        """Run until `stopping()`; False if the lease is held elsewhere."""
        return process(number, stopping)
