"""What stands in one table is everywhere: the endless tasks, their queues, their leases, their processes."""

import pytest

from alerts_app.tasks import process
from channels_app.tasks import listen
from leases_app.models import Lease
from messages_app.tasks import write
from relaybase.queues import DEFAULT, QUEUES
from relayproject.celery import app
from relayproject.observing import traces
from relayproject.processes import ENDLESS, Endless, processes
from webhooks_app.tasks import send


def test_every_queue_is_served_by_the_process_of_its_name() -> None:
    served = {
        process.name: process.arguments[process.arguments.index("--queues") + 1]
        for process in processes({})
        if "--queues" in process.arguments
    }
    assert served == {queue: queue for queue in QUEUES}


@pytest.mark.parametrize("one", ENDLESS, ids=lambda one: one.role)
def test_an_endless_task_has_a_role_a_queue_and_a_setting(one: Endless, settings) -> None:
    assert one.role in Lease.Role.values
    assert one.queue in QUEUES
    assert one.queue != DEFAULT
    assert getattr(settings, one.shards) >= 1
    assert app.conf.task_routes[one.task] == {"queue": one.queue}
    app.loader.import_default_modules()
    assert one.task in app.tasks


def test_the_endless_tasks_are_those_that_there_are() -> None:
    assert (
        {one.task for one in ENDLESS}
        == {*(one.name for one in (listen, write, send, process))}
        == set(traces.ENDLESS)
    )
    # A seat is held beside the leadership, by the same task.
    assert {one.role for one in ENDLESS} == set(Lease.Role.values) - {Lease.Role.SEAT}
