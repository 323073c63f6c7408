"""Writer tasks, and beat's proposals of them."""

import logging
import signal

from celery import Task, shared_task
from django.conf import settings

from leases_app import deployment, partitioning
from leases_app.leasing import Held
from leases_app.models import Lease
from messages_app.writing.writer import write as keep
from relaybase import stopping
from relaybase.proposing import enough_wait, propose
from relaybase.queues import WRITERS
from relaycore.errors import RelayError

log = logging.getLogger(__name__)


@shared_task(bind=True)
def write(self: Task, partition: int) -> None:
    """Write one partition until the worker stops. Ends at once if somebody writes it already."""
    stopping.listen_to_signals(signal.SIGTERM)
    try:
        deployment.require()
        if partitioning.has(partition):
            keep(partition, stopping.asked, task_id=self.request.id or "")
    except RelayError as exc:
        log.error("partition %d: %s", partition, exc, extra={"partition": partition})
    if not stopping.asked():
        return  # Somebody else has the lease: nothing has changed.
    propose()
    stopping.leave_if_signalled()


def propose_writers(held: Held) -> None:
    """Send a task for each partition without a writer."""
    lacking = held.lacking(Lease.Role.WRITER, set(range(settings.RELAY_PARTITIONS)))
    if lacking and not enough_wait(WRITERS, len(lacking)):
        for partition in lacking:
            write.apply_async((partition,))
