"""`manage.py listen`: a listener in the foreground."""

from collections.abc import Callable

from channels_app.listening.listener import listen
from leases_app.foreground import LoopCommand


class Command(LoopCommand):
    """The same loop as the Celery task."""

    help = "Listen to one partition in the foreground, until Ctrl-C."

    def loop(self, number: int, stopping: Callable[[], bool]) -> bool:
        """Run until `stopping()`; False if the lease is held elsewhere."""
        return listen(number, stopping)
