"""Two Redis, one of which is the other's replica, and an address that leads to the primary.

    with Failover(tmp_path) as servers:
        client = connect(servers.url)
        servers.swap()                              # and nobody's socket is closed

As with a Redis behind a name or a load balancer: who connects comes to the primary, and who is
connected stays where he is.
"""

import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Self

import redis

from relaystack.servers.valkey import Valkey
from tests.chaos.servers import OwnServer
from tests.proxy import Proxy

_SECONDS = 20.0


class Failover:
    """`extra` are options for both servers. With `encrypted` the address speaks TLS."""

    def __init__(self, directory: Path, *extra: str, encrypted: bool = False) -> None:
        self._stack = ExitStack()
        self._directory = directory
        self._extra = ("--repl-diskless-sync-delay", "0", *extra)
        self._encrypted = encrypted

    def __enter__(self) -> Self:
        self.primary, self.replica = self._start("one"), self._start("other")
        self.proxy = self._stack.enter_context(
            Proxy.to(f"redis://127.0.0.1:{_port(self.primary)}/0", encrypted=self._encrypted)
        )
        self.replica.replicaof("127.0.0.1", _port(self.primary))
        _wait_until(self._is_settled)
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._stack.close()

    @property
    def url(self) -> str:
        """The address."""
        return self.proxy.url

    def swap(self) -> None:
        """The primary becomes the replica, and the replica the primary; nothing of the data is lost."""
        self.primary.execute_command("FAILOVER", "TO", "127.0.0.1", _port(self.replica), "TIMEOUT", 10_000)
        _wait_until(lambda: self.primary.info("replication")["role"] == "slave")
        self.primary, self.replica = self.replica, self.primary
        self.proxy.lead_to(f"redis://127.0.0.1:{_port(self.primary)}")
        _wait_until(self._is_settled)

    def _start(self, name: str) -> redis.Redis:
        server = OwnServer(Valkey, self._directory / name, *self._extra)
        self._stack.callback(server.stop)
        return self._stack.enter_context(server.redis())

    def _is_settled(self) -> bool:
        above, below = self.primary.info("replication"), self.replica.info("replication")
        follows = below["role"] == "slave" and below["master_link_status"] == "up"
        is_followed = above["role"] == "master" and above.get("slave0", {}).get("state") == "online"
        busy = {above["master_failover_state"], below["master_failover_state"]} - {"no-failover"}
        return follows and is_followed and not busy


def _port(client: redis.Redis) -> int:
    return int(client.connection_pool.connection_kwargs["port"])


def _wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + _SECONDS
    while not condition():
        assert time.monotonic() < deadline, "the servers do not swap their roles"
        time.sleep(0.02)
