"""The embedded MongoDB.

A single server and not a replica set of one: with `j: true` both keep what they have acknowledged, and the
single one, which writes no oplog, stores half as much again (measured: 145,000 against 98,000 documents/s).
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

import pymongo
from pymongo.errors import PyMongoError

from relaystack.running.process import Command
from relaystack.servers.binaries import mongod
from relaystack.servers.embedded import ANSWER_TIMEOUT_SECONDS, Server
from relaystack.servers.failures import Rule

EVICTION = ",".join(
    f"eviction_{what}_target=20,eviction_{what}_trigger=40"  # % of the cache
    for what in ("dirty", "updates")
)
"""When WiredTiger begins to write what has changed, and when those who change it have to help.

The primary key is a hash, so with millions of messages stored each new one changes another page. By default
(5 and 2.5 %) the same pages are written again and again; so most of them are written once, by the checkpoint.
"""

OTHER_VERSION = (
    "{directory} was made by another version of MongoDB than the one installed: "
    "use that version (MONGO_URL), or move the directory away."
)


class Mongo(Server):
    """mongod for local use; production brings its own MongoDB."""

    name: ClassVar[str] = "mongo"
    title: ClassVar[str] = "MongoDB"
    setting: ClassVar[str] = "MONGO_URL"
    rules: ClassVar[Sequence[Rule]] = (
        (r"UPGRADE PROBLEM|Wrong mongod version", OTHER_VERSION),
        (r"unsupported WiredTiger file version|under any compatibility version", OTHER_VERSION),
    )

    @property
    def url(self) -> str:
        """Without a user: it listens on the loopback address only."""
        return f"mongodb://127.0.0.1:{self.port}/"

    def program(self) -> Path:
        """`mongod`."""
        return mongod()

    def command(self) -> Command:
        """Runs mongod in the foreground, with its log on stdout."""
        address = (
            "--bind_ip",
            "127.0.0.1",
            "--port",
            str(self.port),
            "--nounixsocket",
            "--dbpath",
            self.directory,
        )
        # Left to itself it takes half of the memory, writes a diagnosis every second, and looks ten times a
        # second whether the journal is to be written; who writes with `j: true` makes it do so at once.
        thrift = ("--wiredTigerCacheSizeGB", "0.5", "--setParameter", "diagnosticDataCollectionEnabled=false")
        journal = ("--journalCommitInterval", "500")
        eviction = ("--wiredTigerEngineConfigString", EVICTION)
        return self.make_command((self.program(), *address, *thrift, *journal, *eviction, *self.extra))

    def answers(self) -> bool:
        """Whether it tells our process id."""
        # The driver rests for half a second after a refused connection, so try without it first.
        if not self.accepts_connections():
            return False
        timeout_ms = ANSWER_TIMEOUT_SECONDS * 1000
        try:
            client: pymongo.MongoClient[dict[str, Any]] = pymongo.MongoClient(
                self.url,
                directConnection=True,
                serverSelectionTimeoutMS=timeout_ms,
                socketTimeoutMS=timeout_ms,
            )
            with client:
                status = client.admin.command("serverStatus", repl=0, metrics=0, locks=0)
        except PyMongoError:
            return False
        return self.process is not None and status["pid"] == self.process.pid
