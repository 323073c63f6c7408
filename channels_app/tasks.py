"""Listener tasks, and beat's proposals of them."""

import time
from functools import partial

from celery import Task, shared_task
from django.conf import settings

from channels_app.listening.listener import listen as hear
from channels_app.listening.recording import unheard
from leases_app import endless, partitioning
from leases_app.leasing import Held
from leases_app.models import Lease
from relaybase.proposing import enough_wait
from relaybase.queues import LISTENERS


@shared_task(bind=True)
def listen(self: Task, partition: int, elsewhere: bool = False) -> None:
    """Listen to one partition until the worker stops. Ends at once if it has listeners enough."""
    loop = partial(hear, partition, task_id=self.request.id or "", elsewhere=elsewhere)
    endless.run(Lease.Role.SEAT, partition, loop, partitioning.has)


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
