"""What the tests of the listener see of it: the channel table, the lease, the stream, the archive."""

import contextlib
import functools
import secrets
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import count
from typing import Any

import bson
import pytest
import redis

from channels_app.models import Channel
from leases_app import deployment
from leases_app.models import Lease
from relaybase import keys
from relaybase.redis import appending
from relaybase.redis.appending import Appended
from relaycore.capturing import notices
from relaycore.envelope import Encoder, timestamp
from relaycore.publishing.queue import Echo
from tests import loops
from tests.integration.writing.world import World

Wait = Callable[..., None]
DATA, COMMANDS = b"relay-listener", b"relay-appender"
"""What the two connections of a listener say first: how a proxy tells them apart."""

_numbers = count()


class Loop(loops.Loop):
    """`listen` or `write` on partition 0."""

    def __init__(self, loop: Callable[[int, Callable[[], bool]], bool]) -> None:
        super().__init__(functools.partial(loop, 0))


# --- what goes in ------------------------------------------------------------------------


def start(redis: Any, name: str, wait_until: Wait, **more: Any) -> Channel:
    """A row in the channel table, and a listener that has heard of it."""
    row = Channel.objects.create(channel=name, **more)
    wake(redis, name)
    wait_until(lambda: is_active(name), what=f"{name} ACTIVE")
    return row


def wake(redis: Any, name: str = "") -> None:
    """Have the listeners look a channel up; the whole table if the name is empty."""
    redis.publish(deployment.control_channel(0), notices.look(name, deployment.seal_key(0)))


def publish(redis: Any, channel: str, payloads: Iterable[str | bytes | int]) -> None:
    """Publish, and make sure that Redis has handed each one to somebody."""
    with redis.pipeline(transaction=False) as pipe:
        for payload in payloads:
            pipe.publish(channel, payload)
        assert all(pipe.execute()), "published while nobody was subscribed"


def post(redis: Any, channel: str, payloads: Sequence[str]) -> None:
    """Publish as the door does: onto the stream, and as echoes. Each is another message, as under `every`."""
    encode, at = Encoder(channel.encode()).encode, timestamp(time.time_ns() // 1_000_000)
    documents = [encode(secrets.token_bytes(12), payload.encode(), at) for payload in payloads]
    fields: list[Any] = [b"messages", len(documents), b"source", "http", b"bson", b"".join(documents)]
    command = appending.publish_command(0, [(len(documents), fields)], **_echoes(channel, payloads))
    assert not Appended.read(redis.execute_command(*command)).refused


def echoed(redis: Any, channel: str, payloads: Sequence[str]) -> None:
    """The echoes alone: what stands on the stream is of no interest."""
    (echo,) = (more := _echoes(channel, payloads)).pop("echoes")
    assert redis.execute_command(*appending.echo_command(0, [echo], **more)) == b""


def _echoes(channel: str, payloads: Sequence[str]) -> dict[str, Any]:
    control, key = deployment.control_channel(0), deployment.seal_key(0)
    echoes = [Echo(channel.encode(), [payload.encode() for payload in payloads])]
    return {"layout": "1 1", "control": control, "seal_key": key, "echoes": echoes}


def wait_until_heard(redis: Any, wait_until: Wait) -> None:
    """Everything that was published so far has been read by the listener.

    It reads its one data connection in order. So when it follows a control message that
    came after all that, it has read that too.
    """
    name = f"heard/{next(_numbers)}"
    Channel.objects.create(channel=name)
    wake(redis, name)
    wait_until(lambda: redis.pubsub_numsub(name)[0][1] == 1, what="everything heard")


@contextlib.contextmanager
def full(client: Any) -> Iterator[None]:
    """Redis is out of memory: it refuses to append, and goes on delivering what is published."""
    client.config_set("maxmemory", 1)
    try:
        with pytest.raises(redis.exceptions.OutOfMemoryError):
            client.xadd("orchestrator_channel:probe", {"no": "room"})
        yield
    finally:
        client.config_set("maxmemory", 0)


# --- what comes out ----------------------------------------------------------------------


def is_active(name: str) -> bool:
    return Channel.objects.with_status().get(channel=name).status == Channel.Status.ACTIVE


def lease(role: str = Lease.Role.LISTENER) -> Lease:
    return Lease.objects.get(role=role, partition=0)


def is_led(role: str = Lease.Role.LISTENER) -> bool:
    return Lease.objects.live().filter(role=role, partition=0).exists()


def entries(redis: Any) -> list[tuple[str, list[dict[str, Any]]]]:
    """The ids of the stream's entries with their documents."""
    return [
        (entry_id.decode(), bson.decode_all(fields[b"bson"]))
        for entry_id, fields in redis.xrange(keys.stream(0))
    ]


def on_stream(redis: Any) -> list[Any]:
    """The messages on the stream, in order, as often as they stand there."""
    return [document["message"] for _, documents in entries(redis) for document in documents]


def on_stream_once(redis: Any) -> list[Any]:
    """The messages on the stream, in order, each `_id` where it stands first."""
    first: dict[Any, Any] = {}
    for _, documents in entries(redis):
        for document in documents:
            first.setdefault(document["_id"], document["message"])
    return list(first.values())


def stored(archive: Any, channel: str) -> list[Any]:
    """The messages of a channel in MongoDB, in the order of their positions."""
    return [row["message"] for row in archive.find({"channel": channel}).sort("position")]


def is_settled(redis: Any) -> bool:
    """Whether a writer has brought to an end everything that stands on the stream."""
    return World(redis, None, None).is_settled()
