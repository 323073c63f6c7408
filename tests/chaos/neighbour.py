"""Another deployment of Relay on the same Redis, in another of its databases: the same Pub/Sub space."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psycopg2
import redis

from relaybase.connections import mongo_collection

from .checker import Verdict, judge
from .cluster import MANAGE, Cluster, Wait
from .publisher import LAST, Publisher, publish_last

_ALONE = {"RELAY_LISTENERS_PER_PARTITION": "1"}
_DATABASE = "neighbour"


class Neighbour:
    """One listener and one writer, with a PostgreSQL database, a collection and a secret of their own."""

    def __init__(self, settings: Any, wait_until: Wait, log: Path, **environment: str) -> None:
        servers = settings.SERVERS
        self._server = servers.database_url
        self._database = urlsplit(self._server)._replace(path=f"/{_DATABASE}").geturl()
        self._redis_url = urlsplit(servers.redis_url)._replace(path="/1").geturl()
        self._environment = {
            "DATABASE_URL": self._database,
            "REDIS_URL": self._redis_url,
            "RELAY_MONGO_DATABASE": _DATABASE,
            "RELAY_SECRET_KEY": "of a neighbour",
            **environment,
        }
        self._wait_until = wait_until
        self._redis = redis.Redis.from_url(self._redis_url)
        self.processes = Cluster(settings, self._redis, wait_until, log, **self._environment)

    def make(self) -> None:
        """An empty database."""
        with _autocommitting(self._server) as cursor:
            cursor.execute(f"drop database if exists {_DATABASE} with (force)")
            cursor.execute(f"create database {_DATABASE}")
        self._manage("migrate", "--no-input", "--verbosity", "0")

    def listen_to(self, channel: str) -> None:
        """Start its processes, and wait until it hears a channel."""
        self.processes.start("write")
        self.processes.start("listen", **_ALONE)
        self._manage("channels", "start", channel, "--deduplicate", "every")
        heard = "select count(*) from channels where subscription_status = 'ACTIVE'"
        self._wait_until(lambda: self.rows(heard) == [(1,)], seconds=20, what="the neighbour hears")

    def take_for(self, identity: str, fingerprint: str, secret: str) -> None:
        """Make it believe that it is another deployment: this identity, and this secret."""
        self.rows("delete from deployment")
        self.rows(f"insert into deployment (id, identity, secret) values (1, '{identity}', '{fingerprint}')")
        self.processes.environment["RELAY_SECRET_KEY"] = self._environment["RELAY_SECRET_KEY"] = secret

    def cut(self) -> None:
        """End the connection on which its listener hears."""
        clients = [c for c in self.processes.data_connections() if c["db"] == "1"]
        assert len(clients) == 1
        assert self._redis.client_kill_filter(_id=clients[0]["id"]) == 1

    def verdict_on(self, publisher: Publisher, seconds: float = 30) -> Verdict:
        """What it has stored, once that is everything, and what it knows that it has missed."""
        messages = mongo_collection("messages").database.client[_DATABASE]["messages"]
        publish_last(self._redis, publisher.channel, messages, self._wait_until, seconds)
        rows = messages.find({"channel": publisher.channel}).sort("position")
        texts = [row["message"] for row in rows if not row["message"].startswith(LAST)]
        gaps = self.rows(
            "select extract(epoch from began_at)::float, "
            "coalesce(extract(epoch from ended_at), 'infinity')::float from gaps where not covered"
        )

        def is_recorded(text: str) -> bool:
            at = publisher.times[text]
            return any(began - 0.3 <= at <= ended + 0.3 for began, ended in gaps)

        return judge(publisher.accepted, publisher.attempted, texts, is_recorded)

    def missed_at_most(self) -> int:
        """By its own account."""
        [(missed,)] = self.rows("select coalesce(sum(missed_at_most), 0)::int from gaps where not covered")
        return int(missed)

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        """What its PostgreSQL answers."""
        with _autocommitting(self._database) as cursor:
            cursor.execute(query)
            return cursor.fetchall() if cursor.description else []

    def end(self) -> None:
        """Nothing of it is left."""
        self.processes.end()
        self._redis.flushdb()
        self._redis.close()
        mongo_collection("messages").database.client.drop_database(_DATABASE)
        with _autocommitting(self._server) as cursor:
            cursor.execute(f"drop database if exists {_DATABASE} with (force)")

    def _manage(self, *command: str) -> None:
        environment = os.environ | self._environment | {"DJANGO_SETTINGS_MODULE": "relayproject.settings"}
        subprocess.run(
            [sys.executable, MANAGE, *command], env=environment, check=True, stdout=subprocess.DEVNULL
        )


@contextmanager
def _autocommitting(url: str) -> Iterator[Any]:
    connection = psycopg2.connect(url)
    connection.autocommit = True
    try:
        with connection.cursor() as cursor:
            yield cursor
    finally:
        connection.close()
