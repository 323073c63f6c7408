"""Runs a stack of an older version, has things happen to it, kills it, and keeps what its stores hold.

    git worktree add ../relay-0.1.0 0.1.0
    python -m tests.data.make_dump ../relay-0.1.0 tests/data/0.1.0

The stack is the one of that checkout, started as `make run` does and spoken to through its API; only the
servers are started from here, so that they outlive it. What was published is written down by the publisher
(`published.json`), so a test need not believe what the stores say of themselves.
"""

import base64
import json
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx2
import psutil
import psycopg2
import redis
from pymongo import MongoClient

from relaystack.servers.mongo import Mongo
from relaystack.servers.together import EmbeddedServers, servers_for_tests
from tests.data import stores

SECRET_KEY = "made up for a dump, and used for nothing else"
PASSWORD = "made-up-for-a-dump"
TOKEN = "relay_made-up-for-a-dump"

POLICIES: dict[str, Any] = {"orders": "content", "payments": {"field": "id"}, "readings": "every"}
TEN_YEARS = 10 * 365 * 86_400
MOST_BYTES = 2000
"""What is larger is refused: a dump with a megabyte in it is too large."""

_STREAM = "orchestrator_channel:{0}"


class Old:
    """The stack of the older version, and what was published on it."""

    def __init__(self, checkout: Path, servers: EmbeddedServers, data: Path) -> None:
        self._servers = servers
        self._data = data
        self._environment = {
            "PATH": "/usr/bin:/bin",
            "DATABASE_URL": servers.postgres.url,
            "REDIS_URL": servers.redis.url,
            "MONGO_URL": servers.mongo.url,
            "RELAY_DATA_DIR": str(data),
            "RELAY_WEB_PORT": "0",
            "RELAY_SECRET_KEY": SECRET_KEY,
            "RELAY_OPERATOR_PASSWORD": PASSWORD,
            "RELAY_OPERATOR_TOKEN": TOKEN,
            "RELAY_MESSAGE_MAX_BYTES": str(MOST_BYTES),
            "RELAY_WRITER_INSERTS_IN_FLIGHT": "1",
            "RELAY_STREAM_KEEP_SECONDS": "0",
        }
        self._checkout = checkout
        self.stack = subprocess.Popen(
            [sys.executable, "-m", "relayproject.stack"], cwd=checkout, env=self._environment
        )
        until(lambda: self._state().get("token"), "the stack runs", seconds=120)
        key = {"Authorization": f"Bearer {TOKEN}"}
        self.http = httpx2.Client(base_url=self._state()["web"] + "/api/v1/", headers=key, timeout=40)
        self.redis = redis.Redis.from_url(servers.redis.url)
        self.stored: dict[str, list[str | bytes]] = {}
        self.waiting: dict[str, list[str | bytes]] = {}

    def listen_to(self, channel: str, **more: Any) -> None:
        answer = self.http.post("start-listening?wait=20", json={"channel": channel, **more})
        assert answer.json().get("subscription_status") == "ACTIVE", answer.text
        self.stored[channel], self.waiting[channel] = [], []

    def publish(self, channel: str, *payloads: str | bytes) -> list[str | bytes]:
        """Publish, and make sure that each is heard."""
        for payload in payloads:
            assert self.redis.publish(channel, payload), f"nobody hears {channel}"
            time.sleep(0.002)
        return list(payloads)

    def is_stored(self) -> bool:
        """Whether everything so far is in MongoDB, as the API counts it."""
        rows = self.http.get("channels").json()["results"]
        return all(row["messages_stored"] == len(self.stored[row["channel"]]) for row in rows)

    def manage(self, *arguments: str) -> None:
        """Run a command of the older version."""
        command = [sys.executable, "manage.py", *arguments]
        subprocess.run(command, cwd=self._checkout, env=self._environment, check=True)

    def gaps(self, condition: str) -> int:
        """How many gaps there are of which this is true."""
        connection = psycopg2.connect(self._servers.postgres.url)
        with connection.cursor() as cursor:
            cursor.execute(f"select count(*) from gaps where {condition}")
            [found] = cursor.fetchone() or [0]
        connection.close()
        return int(found)

    def entries(self) -> tuple[int, int]:
        """Of the stream: how many were delivered and not acknowledged, and how many not even delivered."""
        [group] = self.redis.xinfo_groups(_STREAM)
        after = f"({group['last-delivered-id'].decode()}"
        return group["pending"], len(self.redis.xrange(_STREAM, after))

    def signal(self, name: str, which: signal.Signals) -> None:
        """To a worker and its children."""
        worker = psutil.Process(self._state()["pids"][name])
        for process in [*worker.children(recursive=True), worker]:
            process.send_signal(which)

    def kill(self) -> None:
        """All of it at once."""
        supervisor = psutil.Process(self.stack.pid)
        for process in [supervisor, *supervisor.children(recursive=True)]:
            process.kill()
        self.stack.wait()
        self.http.close()

    def _state(self) -> dict[str, Any]:
        try:
            return dict(json.loads((self._data / "stack.json").read_text()))
        except (OSError, ValueError):
            return {}


def until(condition: Callable[[], object], what: str, seconds: float = 30.0) -> None:
    """Wait for it."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"not within {seconds:g} s: {what}"
        time.sleep(0.1)
    print(f"{what}: yes", flush=True)


# --- what happens ----------------------------------------------------------------------------


def an_ordinary_day(old: Old) -> None:
    """Each policy, each kind of payload, what is refused, what an operator does."""
    for channel, policy in POLICIES.items():
        old.listen_to(channel, deduplicate=policy)
    old.listen_to("frames")
    old.listen_to("retired")
    for channel in POLICIES:
        texts = [f'{{"id": {number}, "of": "{channel}", "at": "Zürich"}}' for number in range(200)]
        # Every tenth one twice: only where every publish counts it is stored twice.
        once = [text for number, text in enumerate(texts) for _ in range(1 + (number % 10 == 0))]
        old.publish(channel, *once)
        old.stored[channel] += once if channel == "readings" else texts
    old.stored["frames"] += old.publish("frames", *(bytes([255, number, 0, 254]) for number in range(200)))
    old.stored["retired"] += old.publish("retired", *(f"last words {number}" for number in range(20)))
    old.publish("orders", "x" * (MOST_BYTES + 1), "y" * (MOST_BYTES + 1), b"\xff" * (MOST_BYTES + 1))
    old.redis.xadd(_STREAM, {"from": "somebody who does not know the format"})
    until(old.is_stored, "all is stored")
    until(lambda: old.http.get("channels/orders").json()["messages_stored"] == 200, "what is refused is not")
    old.http.patch("channels/payments", json={"retention_seconds": TEN_YEARS}).raise_for_status()
    old.http.delete("stop-listening/retired").raise_for_status()
    old.manage("tokens", "make", "import")
    old.manage("tokens", "make", "report", "--days", "9")
    old.manage("tokens", "revoke", "report")


def gaps_that_end(old: Old) -> None:
    """One that a standby has covered, and one in which nobody listened."""
    until(lambda: len(_data_connections(old)) == 2, "two listeners")
    time.sleep(1)  # A standby has to have heard two ticks.
    for client in _data_connections(old):
        old.redis.client_kill_filter(_id=client)
        time.sleep(3)
        if old.gaps("covered"):
            break
    until(lambda: old.gaps("covered"), "a covered gap")
    old.signal("listeners", signal.SIGKILL)
    for number in range(30):
        old.redis.publish("orders", f"missed {number}")
    until(lambda: old.gaps("not covered and ended_at is not null"), "a closed gap")
    until(lambda: len(_data_connections(old)) == 2, "two listeners")
    until(lambda: not old.http.get("channels?status=INACTIVE").json()["count"], "all are heard")


def _data_connections(old: Old) -> list[str]:
    return [client["id"] for client in old.redis.client_list() if client["name"] == "relay-listener-0"]


def the_end(old: Old, mongo: Mongo) -> None:
    """MongoDB freezes, so that entries wait: delivered ones, and others. Then nobody listens any more."""
    assert mongo.process is not None
    frozen = psutil.Process(mongo.process.pid)
    frozen.suspend()
    old.waiting["orders"] += old.publish("orders", *(f"delivered {number}" for number in range(5)))
    until(lambda: old.entries()[0], "an entry is delivered")
    for number in range(20):
        for channel in POLICIES:
            text = f'{{"id": {1000 + number}, "waits in": "{channel}"}}'
            old.waiting[channel] += old.publish(channel, text)
        old.waiting["frames"] += old.publish("frames", bytes([254, number]))
        time.sleep(0.05)
    # Stored already: nothing but its identity keeps it from being stored again.
    old.publish("orders", old.stored["orders"][0])
    old.publish("payments", old.stored["payments"][0])
    until(lambda: old.entries()[1] > 10, "others are not even delivered")
    time.sleep(1)
    old.signal("writers", signal.SIGKILL)
    old.signal("listeners", signal.SIGSTOP)
    until(lambda: old.gaps("ended_at is null"), "an open gap")
    old.kill()
    # It has been sent an insert, which it would carry out if it went on.
    frozen.kill()
    until(lambda: not frozen.is_running() or frozen.status() == psutil.STATUS_ZOMBIE, "MongoDB is killed")
    mongo.start()
    mongo.wait_until_ready()


# --- what is kept ----------------------------------------------------------------------------


def keep(old: Old, servers: EmbeddedServers, checkout: Path, directory: Path, folder: Path) -> None:
    """What the stores hold, without what says on which machine it was made."""
    host = re.compile(rb"\b" + re.escape(socket.gethostname().encode()) + rb"\b")

    def scrub(text: bytes) -> bytes:
        for path, instead in ((checkout, b"/relay"), (directory, b"/data")):
            text = text.replace(str(path).encode(), instead)
        return host.sub(b"old-host", text)

    folder.mkdir(parents=True, exist_ok=True)
    stores.save_postgres(servers.postgres.url, folder, scrub)
    with MongoClient[Any](servers.mongo.url) as client:
        stores.save_mongo(client["relay"], folder)
    stores.save_redis(old.redis, servers.redis.directory, folder, scrub)
    published = {
        what: {channel: list(map(_as_json, payloads)) for channel, payloads in of.items()}
        for what, of in {"stored": old.stored, "waiting": old.waiting}.items()
    }
    stores.save_json(folder / "published.json", published)


def _as_json(payload: str | bytes) -> Any:
    return payload if isinstance(payload, str) else {"base64": base64.b64encode(payload).decode()}


def main(checkout: Path, folder: Path) -> None:
    """Make it."""
    with tempfile.TemporaryDirectory() as made:
        directory = Path(made)
        directory.chmod(0o755)  # PostgreSQL runs as another user if we are root.
        with servers_for_tests(directory) as servers:
            old = Old(checkout, servers, directory / "data")
            try:
                an_ordinary_day(old)
                gaps_that_end(old)
                the_end(old, servers.mongo)
                keep(old, servers, checkout, directory, folder)
            finally:
                if old.stack.poll() is None:
                    old.kill()
                old.redis.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]).absolute(), Path(sys.argv[2]).absolute())
