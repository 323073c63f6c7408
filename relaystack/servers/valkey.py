"""The embedded Valkey, which speaks the Redis protocol."""

from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from relaystack.running.process import Command
from relaystack.servers.binaries import valkey_server
from relaystack.servers.embedded import ANSWER_TIMEOUT_SECONDS, Server
from relaystack.servers.failures import Rule

ONCE = Retry(NoBackoff(), 0)
"""By default the driver would try for most of a minute."""


class Valkey(Server):
    """Valkey that keeps what it is given: the stream in it is the only copy until a writer has stored it."""

    name: ClassVar[str] = "redis"
    title: ClassVar[str] = "Valkey"
    setting: ClassVar[str] = "REDIS_URL"
    rules: ClassVar[Sequence[Rule]] = (
        (
            r"Can't handle RDB format version (\S+)",
            "{directory} was made by another version of Valkey (format {0}): "
            "use that version, or move the directory away.",
        ),
    )

    @property
    def url(self) -> str:
        """Without a password: it listens on the loopback address only."""
        return f"redis://127.0.0.1:{self.port}/0"

    def program(self) -> Path:
        """`valkey-server`."""
        return valkey_server()

    def command(self) -> Command:
        """Runs valkey-server in the foreground, with its log on stdout."""
        address = ("--bind", "127.0.0.1", "--port", str(self.port), "--dir", self.directory)
        durability = ("--appendonly", "yes", "--appendfsync", "everysec", "--save", "")
        # Relay's keys must never be evicted, and a listener that is slow for a moment must not be cut off.
        memory = (
            "--maxmemory-policy",
            "noeviction",
            "--client-output-buffer-limit",
            "pubsub",
            "256mb",
            "128mb",
            "60",
        )
        # It looks after its clients ten times a second by default, which is half of what it does when idle.
        thrift = ("--hz", "4")
        return self.make_command((self.program(), *address, *durability, *memory, *thrift, *self.extra))

    def answers(self) -> bool:
        """Whether it tells our process id."""
        if not self.accepts_connections():
            return False
        try:
            with redis.Redis(port=self.port, socket_timeout=ANSWER_TIMEOUT_SECONDS, retry=ONCE) as client:
                info = client.info("server")
        except redis.RedisError:  # still loading, say
            return False
        return self.process is not None and info["process_id"] == self.process.pid
