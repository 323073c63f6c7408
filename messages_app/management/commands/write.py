"""`manage.py write`: a writer in the foreground."""

from collections.abc import Callable

from leases_app.foreground import LoopCommand
from messages_app.writing.writer import write


class Command(LoopCommand):
    """The same loop as the Celery task."""

    help = "Write one partition's stream into MongoDB in the foreground, until Ctrl-C."

    def loop(self, number: int, stopping: Callable[[], bool]) -> bool:
        """Run until `stopping()`; False if the lease is held elsewhere."""
        return write(number, stopping)
