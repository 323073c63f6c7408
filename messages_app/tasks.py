"""Writer tasks, and beat's proposals of them."""

from functools import partial

from celery import Task, shared_task
from django.conf import settings

from leases_app import endless, partitioning
from leases_app.leasing import Held
from leases_app.models import Lease
from messages_app.writing.writer import write as keep
from relaybase.queues import WRITERS


@shared_task(bind=True)
def write(self: Task, partition: int) -> None:
    """Write one partition until the worker stops. Ends at once if somebody writes it already."""
    loop = partial(keep, partition, task_id=self.request.id or "")
    endless.run(Lease.Role.WRITER, partition, loop, partitioning.has)


def propose_writers(held: Held) -> None:
    """Send a task for each partition without a writer."""
    endless.propose(Lease.Role.WRITER, range(settings.RELAY_PARTITIONS), held, write, WRITERS)
