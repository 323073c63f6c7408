"""A primary is demoted, and nobody ends the connections to it: they lead to the wrong server now."""

import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from channels_app.models import Gap
from relaybase.connections import shared_redis
from relaystack.servers.valkey import Valkey
from tests.proxy import Proxy

from .cluster import Cluster, Wait
from .conftest import Settle
from .publisher import Publisher
from .servers import OwnServer

pytestmark = pytest.mark.fault(20)

RATE = 500
AGAIN_SECONDS = 10


class Primaries:
    """Two servers, one of which is a replica of the other, and an address that leads to the primary."""

    def __init__(self, directory: Path, wait_until: Wait) -> None:
        self._servers = [OwnServer(Valkey, directory / name) for name in ("one", "other")]
        self._wait_until = wait_until
        self.address = Proxy.to(self._servers[0].url)
        with self._servers[1].redis() as replica:
            replica.replicaof("127.0.0.1", self._servers[0].port)
            self._wait_until(lambda: replica.info("replication")["master_link_status"] == "up")

    def swap(self) -> None:
        """The replica has all that the primary has, and then takes its place; the address follows.

        Connections to the server that was the primary stay, but for those of publishers: these ask
        the address again, as clients do that somebody tells.
        """
        old, new = self._servers
        with old.redis() as primary:
            primary.execute_command("FAILOVER", "TO", "127.0.0.1", new.port, "TIMEOUT", 5000)
            self._wait_until(lambda: primary.info("replication")["role"] == "slave", what="demoted")
            self.address.lead_to(new.url)
            for client in primary.client_list():
                if client["name"] == "publisher":
                    primary.client_kill_filter(_id=client["id"])
        self._servers.reverse()
        shared_redis().connection_pool.disconnect()

    def sockets(self, name: str) -> int:
        """How many connections with such a name the server has that is a replica now."""
        with self._servers[1].redis() as replica:
            return sum(client["name"].startswith(name) for client in replica.client_list())

    def stop(self) -> None:
        """In the end."""
        for server in self._servers:
            server.stop()


@pytest.fixture
def primaries(settings: Any, tmp_path: Path, wait_until: Wait) -> Iterator[Primaries]:
    """Every process that starts from now on uses them."""
    primaries = Primaries(tmp_path, wait_until)
    with primaries.address as address:
        settings.SERVERS = replace(settings.SERVERS, redis_url=address.url)
        shared_redis.cache_clear()
        yield primaries
        shared_redis.cache_clear()
    primaries.stop()


def newest(archive: Any) -> int:
    """The number of the message of `orders` that was stored last; -1 before the first."""
    row = archive.find_one({"channel": "orders"}, sort=[("position", -1)])
    return -1 if row is None else int(row["message"].split()[1])


@pytest.mark.parametrize("swaps", [1, pytest.param(6, marks=pytest.mark.long)])
def test_what_was_heard_is_kept_and_it_goes_on_with_the_new_one(
    primaries: Primaries, pair: Cluster, settled: Settle, wait_until: Wait, archive: Any, swaps: int
) -> None:
    pair.channel("orders", "every")
    took, swapped_at = [], []
    with Publisher(pair.redis_url, "orders", RATE) as publisher:
        for _ in range(swaps):
            time.sleep(2)
            swapped_at.append(time.time())
            primaries.swap()
            assert primaries.sockets("relay-"), "nobody is left at the wrong server"
            began, published = time.monotonic(), len(publisher.accepted)
            wait_until(
                lambda: newest(archive) >= published,  # noqa: B023
                seconds=AGAIN_SECONDS,
                what="stored again",
            )
            took.append(time.monotonic() - began)
            pair.wait_for(2)
            wait_until(lambda: not primaries.sockets("relay-"), what="nobody at the wrong server")
    print(f"stored again after {', '.join(f'{seconds:.1f}' for seconds in took)} s")
    verdict = settled(publisher)
    assert verdict.is_clean_but_for_losses, str(verdict)
    assert not Gap.objects.filter(cause=Gap.Cause.MEMORY_FULL).exists(), "something was thrown away"
    assert len(verdict.lost) < RATE * swaps, str(verdict)
    for text in verdict.lost:
        assert any(0 < publisher.times[text] - at < AGAIN_SECONDS for at in swapped_at), f"{text} was heard"


def test_control_who_tries_again_and_again_stays_with_the_wrong_server(
    primaries: Primaries, cluster: Cluster, archive: Any
) -> None:
    cluster.start("write")
    cluster.start_careless("servers")
    cluster.start_careless("servers")
    cluster.wait_for(2)
    cluster.channel("orders", "every")
    with Publisher(cluster.redis_url, "orders", RATE) as publisher:
        time.sleep(1)
        primaries.swap()
        published = len(publisher.accepted)
        time.sleep(5)
    assert 0 <= newest(archive) < published
