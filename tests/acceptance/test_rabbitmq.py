"""A whole Relay whose broker is RabbitMQ: one that RABBITMQ_URL names, or one of the test's own."""

import os
import signal
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from kombu.connection import Connection

from relaybase.queues import QUEUES
from relayproject.rabbitmq import QUEUE_ARGUMENTS, is_meant
from tests.acceptance import rabbitmq
from tests.acceptance.stack import Stack
from tests.acceptance.test_messages_arrive import manage, run

Wait = Callable[..., None]


@pytest.fixture(scope="module")
def broker() -> Iterator[str]:
    if url := os.environ.get("RABBITMQ_URL"):
        yield url
    elif script := rabbitmq.installed():
        with tempfile.TemporaryDirectory(prefix="relay-rabbitmq-") as directory:
            with rabbitmq.running(script, Path(directory) / "server") as url:
                yield url
    else:
        pytest.skip("no RabbitMQ: set RABBITMQ_URL, or apt-get install rabbitmq-server")


@pytest.fixture(scope="module")
def stack(broker: str, room: Path) -> Iterator[Stack]:
    stack = Stack(room / "rabbitmq", CELERY_BROKER_URL=broker)
    stack.start()
    yield stack
    stack.stop()


def log(stack: Stack, name: str) -> str:
    return (stack.data / "log" / f"{name}.log").read_text()


def test_a_channel_becomes_active_and_its_message_arrives(
    stack: Stack, broker: str, wait_until: Wait
) -> None:
    stack.listen_to("orders")
    stack.redis.publish("orders", "hello")
    wait_until(lambda: stack.texts("orders") == ["hello"])
    assert "amqp://" in log(stack, "listeners")
    assert not [name for name in QUEUES if stack.redis.exists(name)], "the tasks came by Redis"


def test_a_task_that_waits_behind_an_endless_one_harms_nothing(
    stack: Stack, broker: str, wait_until: Wait
) -> None:
    pids, leases = stack.pids, (stack.lease("listener"), stack.lease("writer"))
    send = "from channels_app.tasks import listen; from messages_app.tasks import write; "
    manage(stack, "shell", "-c", send + "[(listen.delay(0), write.delay(0)) for _ in range(5)]")
    reserved = run(stack, "-m", "celery", "-A", "relayproject", "inspect", "reserved")
    assert "messages_app.tasks.write" in reserved, "nothing waits in a worker"
    stack.listen_to("more")
    stack.redis.publish("more", "still here")
    wait_until(lambda: stack.texts("more") == ["still here"])
    assert (stack.pids, (stack.lease("listener"), stack.lease("writer"))) == (pids, leases)


def test_the_queues_say_how_long_a_task_may_wait(stack: Stack, broker: str) -> None:
    with Connection(broker) as connection:
        for name in QUEUES:
            # RabbitMQ refuses this if the queue is there with other arguments.
            with connection.channel() as channel:
                channel.queue_declare(name, durable=True, auto_delete=False, arguments=QUEUE_ARGUMENTS)
        version = tuple(map(int, connection.connection.server_properties["version"].split(".")[:2]))
    assert ("ends workers with endless tasks" in log(stack, "writers")) == (version < (3, 12))


def test_a_worker_that_is_killed_is_replaced(stack: Stack, wait_until: Wait) -> None:
    epoch = stack.lease("writer")[0]
    os.kill(stack.pids["writers"], signal.SIGKILL)
    wait_until(lambda: stack.lease("writer")[0] > epoch, 20, "another writer")
    stack.redis.publish("orders", "after the kill")
    wait_until(lambda: "after the kill" in stack.texts("orders"), 20)


@pytest.mark.parametrize("url", ["redis://127.0.0.1/0", "rediss://127.0.0.1/0", "sqs://"])
def test_only_amqp_is_rabbitmq(url: str) -> None:
    assert not is_meant(url)
    assert is_meant("amqp://127.0.0.1//")
    assert is_meant("amqps://127.0.0.1//")
