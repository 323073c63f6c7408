"""Listener tasks, and beat's proposals of them."""

import logging
import signal
import time

from celery import Task, shared_task
from django.conf import settings

from channels_app.listening.listener import listen as hear
from channels_app.listening.recording import unheard
from leases_app import deployment, partitioning
from leases_app.leasing import Held
from relaybase import stopping
from relaybase.proposing import enough_wait, propose
from relaybase.queues import LISTENERS
from relaycore.errors import RelayError

log = logging.getLogger(__name__)


@shared_task(bind=True)
def listen(self: Task, partition: int, elsewhere: bool = False) -> None:
    """Listen to one partition until the worker stops. Ends at once if it has listeners enough."""
    stopping.listen_to_signals(signal.SIGTERM)
    has_listened = False
    try:
        deployment.require()
        if partitioning.has(partition):
            has_listened = hear(partition, stopping.asked, task_id=self.request.id or "", elsewhere=elsewhere)
    except RelayError as exc:
        log.error("partition %d: %s", partition, exc, extra={"partition": partition})
    if has_listened:  # Its seat is empty now.
        propose()
    stopping.leave_if_signalled()


def propose_listeners(held: Held) -> None:
    """Send a task for each seat that nobody holds; channels that nobody hears are in a gap.

    A partition without channels gets its listeners too: its first channel is then ACTIVE at once.
    """
    partitions = set(range(settings.RELAY_PARTITIONS))
    if unheard.is_possible(held, partitions):
        unheard.record()
    interval = settings.RELAY_PROPOSE_INTERVAL_SECONDS
    # Each third time a host may take a seat although another host would be better.
    elsewhere = int(time.time() / interval) % 3 != 0
    vacancies = held.vacancies(partitions, settings.RELAY_LISTENERS_PER_PARTITION)
    if not vacancies or enough_wait(LISTENERS, sum(vacancies.values())):
        return  # Or no worker has a slot for what was proposed before.
    for partition, vacant in vacancies.items():
        for _ in range(vacant):
            listen.apply_async((partition, elsewhere))
