"""Listener tasks, and beat's proposals of them."""

import logging
import signal

from celery import Task, shared_task
from django.conf import settings

from channels_app import placement
from channels_app.listening.listener import listen as lead
from channels_app.models import Channel
from leases_app.leasing import unheld
from leases_app.models import Lease
from relaycore.errors import RelayError
from relayproject import stopping
from relayproject.celery import propose

log = logging.getLogger(__name__)


@shared_task(bind=True)
def listen(self: Task, partition: int) -> None:
    """Lead one partition until the worker stops. Ends at once if somebody leads it already."""
    stopping.listen_to_signals(signal.SIGTERM)
    try:
        lead(partition, stopping.asked, task_id=self.request.id or "")
    except RelayError as exc:
        log.error("partition %d: %s", partition, exc)
    if not stopping.asked():
        return  # Somebody else has the lease: nothing has changed.
    propose(propose_listeners.name)
    stopping.leave_if_signalled()


@shared_task
def propose_listeners() -> None:
    """Send a task for each partition without a listener; its channels are INACTIVE until then.

    A partition without channels gets one too: its first channel is then ACTIVE at once.
    """
    placement.settle()
    Channel.objects.orphaned().update(subscription_status=Channel.Status.INACTIVE, active_since=None)
    for partition in unheld(Lease.Role.LISTENER, set(range(settings.RELAY_PARTITIONS))):
        listen.apply_async((partition,), expires=settings.RELAY_PROPOSE_INTERVAL_SECONDS)
