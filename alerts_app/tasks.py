"""Processor tasks, and beat's proposals of them."""

from functools import partial

from celery import Task, shared_task

from alerts_app.processing.processor import process as run
from leases_app import endless
from leases_app.leasing import Held
from leases_app.models import Lease
from leases_app.sharding import PROCESSORS
from relaybase import queues


@shared_task(bind=True)
def process(self: Task, shard: int) -> None:
    """Process the rules of one shard until the worker stops. Ends at once if somebody does already."""
    loop = partial(run, shard, task_id=self.request.id or "")
    endless.run(Lease.Role.PROCESSOR, shard, loop, PROCESSORS.has)


def propose_processors(held: Held) -> None:
    """Send a task for each shard without a processor: the first alert of the first rule waits for nobody."""
    endless.propose(Lease.Role.PROCESSOR, range(PROCESSORS.shards), held, process, queues.PROCESSORS)
