"""`manage.py send`: a sender in the foreground."""

from collections.abc import Callable

from leases_app.foreground import LoopCommand
from webhooks_app.sending.sender import send


class Command(LoopCommand):
    """The same loop as the Celery task."""

    help = "Send webhooks to the endpoints of one shard in the foreground, until Ctrl-C."
    share = "shard"

    def loop(self, number: int, stopping: Callable[[], bool]) -> bool:
        """Run until `stopping()`; False if the lease is held elsewhere."""
        return send(number, stopping)
