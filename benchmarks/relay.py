"""Relay itself: the whole stack, as `make run` starts it, with real Celery workers."""

import json
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import psutil
import pymongo

from benchmarks.load import Shape
from benchmarks.processes import Groups, family
from benchmarks.target import HEARD_SECONDS, Target, WrongResult
from tests.acceptance.stack import PYTHON_PROCESSES, ROOT, Stack

BUFFER = "pubsub 32mb 8mb 60"
"""Redis' own default. The stack gives listeners more room; the figures are to hold without."""

_LEAST_CACHE_BYTES = 256 << 20
_GIB = 1 << 30

_MANY = 100
"""More channels are started and stopped by a script: one request for each would take minutes."""

_START = """
import json, sys
from channels_app import registration
from relaycore.policy import parse
prefix, count, policy = sys.stdin.readline().split(maxsplit=2)
for number in range(int(count)):
    registration.start(prefix + str(number), parse(json.loads(policy)))
"""
_SUBSCRIBE = """
import json, sys
from channels_app.models import Channel
from subscribers_app.models import Subscription
channel, mode, names = json.load(sys.stdin)
row = Channel.objects.get(channel=channel)
Subscription.objects.bulk_create(Subscription(name=name, channel=row, mode=mode) for name in names)
"""
_UNSUBSCRIBE = """
import sys
from subscribers_app.models import Subscription
Subscription.objects.filter(name__startswith=sys.stdin.readline().strip()).delete()
"""
_STOP = """
import sys
from channels_app import registration
from channels_app.models import Channel
registration.stop_all(Channel.objects.filter(channel__startswith=sys.stdin.readline().strip()))
"""


class Relay(Target):
    """The stack and its channels."""

    def __init__(self, stack: Stack) -> None:
        self.stack = stack
        client: pymongo.MongoClient[dict[str, Any]] = pymongo.MongoClient(stack.info["mongo_url"])
        super().__init__("Relay", client["relay"]["messages"], stack.redis)

    def processes(self) -> Groups:
        """By the names that the stack gives them."""
        return {name: family(pid) for name, pid in self.stack.pids.items()}

    def python(self) -> Groups:
        """Those of them that are Relay's own, and the supervisor."""
        assert self.stack.process is not None
        groups = {name: family(self.stack.pids[name]) for name in PYTHON_PROCESSES}
        return {**groups, "supervisor": family(self.stack.process.pid)[:1]}

    def make_channel(self, name: str) -> None:
        """One that nobody listens to."""
        self.stack.http.post("/api/v1/channels", json={"channel": name}).raise_for_status()

    def subscribe(self, channel: str, mode: str, names: Sequence[str]) -> None:
        """New pull subscriptions of a channel, from its first message on."""
        self.manage(_SUBSCRIBE, json.dumps([channel, mode, list(names)]))

    def unsubscribe(self, prefix: str) -> None:
        """No subscriptions whose names begin so any more: channels that have any cannot be stopped."""
        self.manage(_UNSUBSCRIBE, prefix + "\n")

    @contextmanager
    def listening(self, *shapes: Shape, policy: str = '"content"') -> Iterator[None]:
        """Relay these channels, and no others. `policy` is JSON."""
        for shape in shapes:
            self._start_listening(shape, policy)
        try:
            yield
        finally:
            for shape in shapes:
                self._stop_listening(shape)

    def _start_listening(self, shape: Shape, policy: str) -> None:
        if shape.channels > _MANY:
            self.manage(_START, f"{shape.prefix} {shape.channels} {policy}\n")
        else:
            for name in shape.names:
                wanted = {"channel": name, "deduplicate": json.loads(policy)}
                self.stack.http.post("/api/v1/start-listening", json=wanted).raise_for_status()
        deadline = time.monotonic() + HEARD_SECONDS
        while self._active(shape) < shape.channels:
            if time.monotonic() > deadline:
                raise WrongResult(f"Not all {shape.channels} channels became ACTIVE.")
            time.sleep(0.1)

    def _stop_listening(self, shape: Shape) -> None:
        if shape.channels > _MANY:
            self.manage(_STOP, shape.prefix + "\n")
        else:
            for name in shape.names:
                self.stack.http.delete(f"/api/v1/stop-listening/{name}").raise_for_status()

    def _active(self, shape: Shape) -> int:
        with self.stack.postgres() as connection, connection.cursor() as cursor:
            cursor.execute(
                "select count(*) from channels where subscription_status = 'ACTIVE' and channel like %s",
                [shape.prefix + "%"],
            )
            row = cursor.fetchone()
        return int(row[0]) if row else 0

    def manage(self, code: str, given: str) -> None:
        """Run this in `manage.py shell`; `given`: its standard input."""
        subprocess.run(
            [sys.executable, "manage.py", "shell", "-v", "0", "-c", code],
            cwd=ROOT,
            env={**self.stack.environment, "DJANGO_SETTINGS_MODULE": "relayproject.settings"},
            input=given,
            text=True,
            check=True,
            stdout=subprocess.DEVNULL,
        )


@contextmanager
def running(data: Path, **environment: str) -> Iterator[Relay]:
    """A whole Relay with its data in this directory."""
    stack = Stack(data, **environment)
    stack.start()
    try:
        stack.redis.config_set("client-output-buffer-limit", BUFFER)
        with closing(Relay(stack)) as relay:
            _give_cache(relay.collection.database.client)
            yield relay
    finally:
        stack.stop()


def _give_cache(client: pymongo.MongoClient[dict[str, Any]]) -> None:
    """What mongod takes by itself; the stack, which shares a developer's machine, gives it half a GiB.

    https://www.mongodb.com/docs/manual/core/wiredtiger/: half of what there is beyond 1 GiB.
    """
    cache = max(_LEAST_CACHE_BYTES, (psutil.virtual_memory().total - _GIB) // 2)
    client.admin.command("setParameter", 1, wiredTigerEngineRuntimeConfig=f"cache_size={cache >> 20}MB")
