"""What a server says of itself, and what speaks against it."""

import pytest

from relaycore.fitness import Finding, fields_of, of_buffer, of_redis, takes_nothing

INFO = (
    b"# Server\r\nredis_version:8.2.3\r\n\r\n# Memory\r\nused_memory:100\r\nmaxmemory:0\r\n"
    b"maxmemory_policy:noeviction\r\n# Persistence\r\naof_enabled:1\r\naof_last_write_status:ok\r\n"
    b"# Replication\r\nrole:master\r\n# Cluster\r\ncluster_enabled:0\r\nexecutable:/a:b/redis\xff\r\n"
)
SOUND = fields_of(INFO)
LIMIT = "normal 0 0 0 slave 268435456 67108864 60 pubsub 268435456 134217728 60"


def ids(findings: list[Finding]) -> dict[str, bool]:
    return {finding.id: finding.serious for finding in findings}


def test_fields_are_what_stands_before_and_behind_the_first_colon() -> None:
    assert SOUND["role"] == "master"
    assert SOUND["executable"].startswith("/a:b/redis")
    assert not any(name.startswith("#") or not name for name in SOUND)


def test_nothing_speaks_against_a_sound_one() -> None:
    assert of_redis(SOUND) == []
    assert of_buffer(LIMIT) == []
    assert takes_nothing(SOUND) is None


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"maxmemory_policy": "allkeys-lru"}, {"relay.redis.eviction": False}),
        ({"maxmemory_policy": "allkeys-lru", "maxmemory": "1000"}, {"relay.redis.eviction": True}),
        ({"maxmemory_policy": "allkeys-random", "maxmemory": 1000}, {"relay.redis.eviction": True}),
        ({"maxmemory_policy": "volatile-ttl", "maxmemory": 1000}, {"relay.redis.eviction": False}),
        ({"maxclients": "20"}, {"relay.redis.connections": False}),
        ({"maxclients": 100, "connected_clients": 91}, {"relay.redis.connections": False}),
        ({"maxclients": 100, "connected_clients": 90}, {}),
        ({"aof_enabled": "0"}, {"relay.redis.aof": False}),
        ({"aof_enabled": 0}, {"relay.redis.aof": False}),
        ({"role": "slave", "master_host": "10.0.0.7"}, {"relay.redis.replica": True}),
        ({"cluster_enabled": "1"}, {"relay.redis.cluster": True}),
    ],
)
def test_what_was_changed_is_found(change: dict[str, object], expected: dict[str, bool]) -> None:
    found = of_redis({**SOUND, **change})
    assert ids(found) == expected
    assert all(finding.sentences == f"{finding.text} {finding.hint}" for finding in found)
    # Everybody may ask for /readyz.
    assert not any("10.0.0.7" in finding.sentences for finding in found)


def test_what_is_serious_comes_first() -> None:
    found = of_redis({**SOUND, "aof_enabled": 0, "maxmemory_policy": "allkeys-lru", "maxmemory": 1000})
    assert [(finding.id, finding.serious) for finding in found] == [
        ("relay.redis.eviction", True),
        ("relay.redis.aof", False),
    ]
    found = of_redis({**SOUND, "aof_enabled": 0, "maxmemory_policy": "volatile-lru", "cluster_enabled": 1})
    assert [finding.serious for finding in found] == [True, False, False]


def test_too_few_connections_are_named_with_what_relay_needs() -> None:
    [finding] = of_redis({**SOUND, "maxclients": "20"})
    assert finding.sentences.startswith("Redis takes 20 connections at most, and Relay holds 45")
    assert "maxclients" in finding.hint


@pytest.mark.parametrize("value", [None, "", "pubsub", "pubsub 1", "pubsub a b c", "normal 0 0 0"])
def test_a_limit_that_cannot_be_read_is_a_warning(value: str | None) -> None:
    assert ids(of_buffer(value)) == {"relay.redis.unknown": False}


@pytest.mark.parametrize("value", ["pubsub 33554432 0 0", "pubsub 0 8388608 60"])
def test_a_small_limit_is_a_warning(value: str) -> None:
    assert ids(of_buffer(value)) == {"relay.redis.buffer": False}
