"""A Redis that was demoted keeps its sockets. Nobody stays with it."""

import asyncio
import functools
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import redis
from kombu.connection import Connection
from kombu.entity import Queue

from channels_app.models import Channel
from messages_app.writing import writer as writer_module
from relaybase.connections import async_redis, redis_client, shared_redis
from relaybase.http.hot import limit
from relaybase.queues import LISTENERS
from relaybase.redis import primary
from relaybase.redis.primary import WrongServer
from relayproject import celery
from relayproject.processes import processes as processes_of_relay
from relaystack.servers.valkey import Valkey
from tests.chaos.cluster import Cluster
from tests.chaos.servers import OwnServer
from tests.failover import Failover
from tests.integration.writing.world import World, running

Wait = Callable[..., None]

SECONDS = 8.0
"""Within so long everybody is with the new primary."""


@pytest.fixture
def servers(settings: Any, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Failover]:
    """Redis is one of these. As an indirect parameter: whether it is reached over TLS."""
    with Failover(tmp_path, encrypted=getattr(request, "param", False)) as servers:
        settings.SERVERS = replace(settings.SERVERS, redis_url=servers.url)
        shared_redis.cache_clear()
        yield servers
        shared_redis.cache_clear()


def run_id(client: Any) -> str:
    return str(client.info("server")["run_id"])


@pytest.mark.parametrize("servers", [False, True], ids=["plain", "TLS"], indirect=True)
def test_a_refused_write_ends_the_connection_and_the_next_command_dials_anew(servers: Failover) -> None:
    with redis_client() as client:
        client.set("a", 1)
        servers.swap()
        with pytest.raises(redis.ConnectionError, match="READONLY"):
            client.incr("a")
        assert client.incr("a") == 2
        assert run_id(client) == run_id(servers.primary)


def test_requests_to_hot_endpoints_are_counted_by_the_new_primary(servers: Failover, settings: Any) -> None:
    settings.RELAY_WEB_HOT_REQUESTS_PER_MINUTE = 1000

    async def story() -> None:
        assert await limit.count("token:1") is not None
        servers.swap()
        # A request that is not counted is let in.
        assert await limit.count("token:1") is None
        assert await limit.count("token:1") is not None
        await async_redis().aclose()

    asyncio.run(story())


@pytest.mark.parametrize(
    "refused",
    [
        lambda client: client.eval("return redis.call('INCR', KEYS[1])", 1, "a"),
        lambda client: client.eval("return redis.pcall('INCR', KEYS[1])", 1, "a"),
        lambda client: client.pipeline(transaction=True).incr("a").execute(),
        lambda client: (
            client.pipeline(transaction=True).eval("redis.call('INCR', KEYS[1])", 1, "a").execute()
        ),
        lambda client: client.pipeline(transaction=False).get("a").incr("a").get("a").execute(),
        lambda client: client.xreadgroup("group", "consumer", {"stream": ">"}),
    ],
    ids=["script", "pcall", "transaction", "script in a transaction", "pipeline", "XREADGROUP"],
)
def test_every_way_to_write_is_refused_as_by_the_wrong_server(
    servers: Failover, refused: Callable[[Any], Any]
) -> None:
    with redis_client() as client:
        client.xgroup_create("stream", "group", mkstream=True)
        servers.swap()
        with pytest.raises(WrongServer):
            refused(client)
        refused(client)


def test_who_is_blocked_is_told_at_once(servers: Failover, wait_until: Wait) -> None:
    raised: list[BaseException] = []

    def wait() -> None:
        try:
            client.xreadgroup("group", "consumer", {"stream": ">"}, block=0)
        except redis.RedisError as exc:
            raised.append(exc)

    with redis_client(timeout=60) as client:
        client.xgroup_create("stream", "group", mkstream=True)
        thread = threading.Thread(target=wait)
        thread.start()
        wait_until(lambda: servers.primary.info("clients")["blocked_clients"] == 1)
        servers.swap()
        thread.join(2)
        assert [type(exc) for exc in raised] == [WrongServer]


def test_who_only_reads_notices_it_and_never_fails(servers: Failover, wait_until: Wait) -> None:
    with redis_client() as client:
        client.set("a", 1)
        servers.swap()
        old = run_id(client)
        assert old == run_id(servers.replica), "this test proves nothing"
        wait_until(lambda: client.get("a") == b"1" and run_id(client) != old, seconds=SECONDS)


def test_a_client_that_may_not_ask_for_the_role_is_served(
    relay_keys: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(primary, "_LOOK_SECONDS", 0.0)
    with redis_client() as client:
        user = client.acl_whoami()
        relay_keys.execute_command("ACL", "SETUSER", user, "-info")
        try:
            assert client.ping()
            assert client.get("a") is None
        finally:
            relay_keys.execute_command("ACL", "SETUSER", user, "+info")


@pytest.fixture
def socket_path(tmp_path: Path, settings: Any) -> Iterator[Path]:
    """A Redis at a Unix socket."""
    path = tmp_path / "socket"
    server = OwnServer(Valkey, tmp_path / "redis", "--unixsocket", str(path))
    settings.SERVERS = replace(settings.SERVERS, redis_url=f"unix://{path}")
    yield path
    server.stop()


def test_a_unix_socket_is_left_as_well(socket_path: Path) -> None:
    with redis_client() as client, redis.Redis(unix_socket_path=str(socket_path)) as operator:
        client.set("a", 1)
        operator.replicaof("127.0.0.1", 1)
        with pytest.raises(WrongServer):
            client.incr("a")
        operator.replicaof("NO", "ONE")
        assert client.incr("a") == 2


@pytest.mark.django_db(databases=["default", "messages"])
def test_a_writer_goes_on_with_the_new_primary_and_loses_nothing(
    servers: Failover, archive: Any, wait_until: Wait, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer_module, "_BLOCK_MS", 20)
    world = World(servers.primary, archive, archive.database["quarantine"])
    with running():
        for turn in range(3):
            for number in range(200):
                world.append(f"turn {turn}, {number}")
            servers.swap()
            world.redis = servers.primary
            world.append(f"after turn {turn}")
            wait_until(world.is_settled, seconds=SECONDS)
    world.assert_each_stored_once()


def test_the_web_answers_from_the_new_primary_within_seconds(
    servers: Failover, api: Any, archive: Any, wait_until: Wait, settings: Any
) -> None:
    settings.RELAY_WEB_REQUESTS_PER_MINUTE = 10_000  # Counted in Redis, with each request.
    Channel.objects.create(channel="orders")

    def counted() -> bool:
        answer = api.get("/api/v1/messages?channel=orders")
        assert answer.status_code in {200, 503}, answer.content
        return answer.status_code == 200 and "RateLimit" in answer.headers

    assert counted()
    servers.swap()
    servers.primary.flushall()
    assert not counted(), "this test proves nothing"
    wait_until(counted, seconds=SECONDS)
    assert list(servers.primary.scan_iter("*requests*")), "counted elsewhere"


@pytest.fixture
def broker(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Failover]:
    """Celery's Redis, and nobody else's. As an indirect parameter: whether it is reached over TLS."""
    with Failover(tmp_path, encrypted=getattr(request, "param", False)) as servers:
        yield servers


@pytest.fixture
def processes(
    transactional_db: None, settings: Any, relay_keys: Any, archive: Any, wait_until: Wait, tmp_path: Path
) -> Iterator[Cluster]:
    """What runs here and now: nothing."""
    cluster = Cluster(settings, relay_keys, wait_until, tmp_path / "processes.log")
    yield cluster
    cluster.end()
    print(cluster.log())


def test_beat_and_a_worker_go_on_with_the_new_primary(
    broker: Failover, processes: Cluster, wait_until: Wait
) -> None:
    # Beat sends, the worker takes, and sends in turn what nobody takes here.
    more = {"CELERY_BROKER_URL": broker.url, "RELAY_PROPOSE_INTERVAL_SECONDS": "1"}
    found = {process.name: process for process in processes_of_relay()}
    for name in ("default", "beat"):
        processes.start(*found[name].arguments, **more)
    wait_until(lambda: broker.primary.llen(LISTENERS), seconds=30, what="a listener proposed")
    for turn in range(3):
        broker.swap()
        broker.primary.delete(LISTENERS)
        wait_until(lambda: broker.primary.llen(LISTENERS), seconds=SECONDS, what=f"proposed, turn {turn}")


@pytest.mark.parametrize("broker", [False, True], ids=["plain", "TLS"], indirect=True)
def test_a_task_that_is_not_sent_is_sent_the_next_time(broker: Failover) -> None:
    assert celery.app  # Which says how kombu connects.
    with Connection(broker.url) as connection, connection.Producer() as producer:
        send = functools.partial(producer.publish, {"a": 1}, routing_key="tasks", declare=[Queue("tasks")])
        send()
        broker.swap()
        with pytest.raises(WrongServer):
            send()
        send()
        assert broker.primary.llen("tasks") == 2


def test_a_message_that_cannot_be_acknowledged_does_not_keep_others_away(broker: Failover) -> None:
    with Connection(broker.url) as connection, connection.Producer() as producer:
        channel, queue = connection.default_channel, Queue("tasks")
        producer.publish({"a": 1}, routing_key="tasks", declare=[queue])
        channel.basic_qos(0, 1, False)
        message = queue(channel).get()
        assert message is not None
        assert not channel.qos.can_consume(), "this test proves nothing"
        broker.swap()
        with pytest.raises(WrongServer):
            message.ack()
        assert channel.qos.can_consume()
