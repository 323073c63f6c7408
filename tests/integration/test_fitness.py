"""Servers that would lose messages are refused or warned of, and what is written is durable."""

import logging
from collections.abc import Iterator
from concurrent.futures import Future
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from redis.exceptions import ConnectionError as RedisError

from channels_app.listening.listener import listen
from leases_app.models import Lease
from messages_app.writing.store import Store
from relaybase import fitness
from relaybase.connections import mongo_collection, shared_redis
from relaycore import envelope
from relaycore.errors import Disconnected, UnfitServer
from relaycore.identity import content_key
from relayproject.observing.looking import _result
from relaystack.ports import free_port
from relaystack.servers.valkey import Valkey
from tests.chaos.servers import OwnServer
from tests.integration.writing.world import Failpoint

FREE = "a port that nobody listens on"
"""Of the cluster's bus: its own choice lies 10,000 above the port, where there may be none."""


def found(redis: Any) -> dict[str, bool]:
    """The ids of what was found, and whether it is serious."""
    return {finding.id: finding.serious for finding in fitness.redis_findings(redis)}


def test_nothing_speaks_against_a_sound_redis(sound_redis: Any) -> None:
    assert found(sound_redis) == {}


def test_a_redis_without_append_only_file_is_warned_of(sound_redis: Any) -> None:
    sound_redis.config_set("appendonly", "no")
    assert found(sound_redis) == {"relay.redis.aof": False}


@pytest.mark.parametrize("limit", ["33554432 8388608 60", "0 8388608 60", "33554432 0 0"])
def test_a_small_output_buffer_is_warned_of(
    sound_redis: Any, limit: str, caplog: pytest.LogCaptureFixture
) -> None:
    sound_redis.config_set("client-output-buffer-limit", f"pubsub {limit}")
    assert found(sound_redis) == {"relay.redis.buffer": False}
    with caplog.at_level(logging.WARNING):
        fitness.require_redis(sound_redis)
    assert "client-output-buffer-limit" in caplog.text


def test_an_output_buffer_without_limit_is_sound(sound_redis: Any) -> None:
    sound_redis.config_set("client-output-buffer-limit", "pubsub 0 0 0")
    assert found(sound_redis) == {}


@pytest.mark.parametrize("policy", ["allkeys-lru", "allkeys-random"])
@pytest.mark.django_db(transaction=True)
def test_a_redis_that_may_evict_the_stream_is_refused(sound_redis: Any, policy: str) -> None:
    sound_redis.config_set("maxmemory-policy", policy)
    assert found(sound_redis) == {"relay.redis.eviction": False}, "without a limit nothing is evicted"
    sound_redis.config_set("maxmemory", 1 << 30)
    assert found(sound_redis) == {"relay.redis.eviction": True}
    with pytest.raises(UnfitServer, match="noeviction"):
        listen(0, lambda: True)
    assert not Lease.objects.live().exists()


def test_an_eviction_that_spares_the_stream_is_warned_of(
    sound_redis: Any, caplog: pytest.LogCaptureFixture
) -> None:
    sound_redis.config_set("maxmemory-policy", "volatile-ttl")
    sound_redis.config_set("maxmemory", 1 << 30)
    assert found(sound_redis) == {"relay.redis.eviction": False}
    with caplog.at_level(logging.WARNING):
        fitness.require_redis(sound_redis)
    assert "volatile-ttl" in caplog.text


def test_what_is_serious_is_said_before_and_without_the_rest(
    sound_redis: Any, caplog: pytest.LogCaptureFixture
) -> None:
    sound_redis.config_set("client-output-buffer-limit", "pubsub 33554432 0 0")
    sound_redis.config_set("maxmemory-policy", "allkeys-lru")
    sound_redis.config_set("maxmemory", 1 << 30)
    with caplog.at_level(logging.WARNING), pytest.raises(UnfitServer, match="noeviction"):
        fitness.require_redis(sound_redis)
    assert not caplog.text


def test_a_redis_with_few_connections_says_so(sound_redis: Any) -> None:
    before = sound_redis.config_get("maxclients")["maxclients"]
    sound_redis.config_set("maxclients", 40)
    try:
        assert found(sound_redis) == {"relay.redis.connections": False}
    finally:
        sound_redis.config_set("maxclients", before)


@pytest.fixture
def own_redis(settings: Any, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Any]:
    """A Redis with the options of an indirect parameter, and the one that is used."""
    options = (str(free_port()) if option is FREE else option for option in request.param)
    server = OwnServer(Valkey, tmp_path / "redis", *options)
    settings.SERVERS = replace(settings.SERVERS, redis_url=server.url)
    shared_redis.cache_clear()
    with server.redis() as client:
        yield client
    shared_redis.cache_clear()
    server.stop()


@pytest.mark.parametrize("own_redis", [("--cluster-enabled", "yes", "--cluster-port", FREE)], indirect=True)
def test_a_cluster_is_refused(own_redis: Any) -> None:
    assert found(own_redis) == {"relay.redis.cluster": True}
    with pytest.raises(UnfitServer, match="is a node of a cluster"):
        listen(0, lambda: True)


@pytest.mark.parametrize("own_redis", [("--replicaof", "127.0.0.1 1")], indirect=True)
def test_a_replica_is_refused(own_redis: Any) -> None:
    assert found(own_redis) == {"relay.redis.replica": True}
    with pytest.raises(UnfitServer, match=r"is a replica and takes no writes\. Connect to the primary"):
        listen(0, lambda: True)


@pytest.mark.usefixtures("redis_away")
def test_a_redis_that_is_away_is_not_unfit() -> None:
    with pytest.raises(Disconnected):
        listen(0, lambda: True)


def test_a_mongodb_that_takes_no_durable_write_is_refused(archive: Any) -> None:
    # BadValue is what a mongod without a journal says to `j: true`.
    with Failpoint(collection="probe", failCommands=["update"], errorCode=2):
        [finding] = fitness.mongo_findings(archive)
    assert finding.serious
    with pytest.raises(UnfitServer, match="let mongod journal"):
        fitness.require([finding])


def test_a_sound_mongodb_is_taken(archive: Any) -> None:
    assert list(fitness.mongo_findings(archive)) == []


def test_messages_are_inserted_journaled_and_by_majority(archive: Any) -> None:
    database = archive.database
    payload = b"durable"
    document = envelope.Encoder(b"orders").encode(
        content_key(b"orders")(payload), payload, envelope.timestamp(0)
    )
    database.command("profile", 2)
    try:
        Store(mongo_collection("messages"), lambda: False).insert(
            envelope.place([document], "0000000000001-0000000000-"), doubtful=False
        )
    finally:
        database.command("profile", 0)
    asked = list(database["system.profile"].find({"op": "insert", "ns": archive.full_name}))
    database.drop_collection("system.profile")
    assert [entry["command"]["writeConcern"] for entry in asked] == [{"w": "majority", "j": True}]


def test_a_redis_that_takes_no_more_connections_is_told_from_one_that_is_away() -> None:
    full: Future[Any] = Future()
    full.set_exception(RedisError("max number of clients reached"))
    faults: dict[str, str] = {}
    assert _result({"Redis": full}, "Redis", faults) is None
    assert faults == {"Redis": "takes no more connections (maxclients)"}
