"""The fence beside a stream: who has a shard appends, and nobody else."""

import time
from collections.abc import Iterator
from typing import Any

import pytest
import redis

from messages_app import beside
from relaybase import keys
from relaybase.redis import fencing
from relaybase.redis.fencing import term_number
from relaybase.redis.scripts import UNKNOWN_RUN

FIELDS = ("messages", 1, "source", "rule.1.1", "bson", b"")


def put_up(client: Any, shard: int, term: int) -> bool:
    return bool(client.execute_command(*fencing.put_up_command(0, shard=shard, term=term)))


def append(client: Any, shard: int, term: int, least: int = 0) -> str:
    command = fencing.append_command(0, 1, FIELDS, layout="1 1", shard=shard, term=term, least=least)
    entry: bytes = client.execute_command(*command)[0]
    return entry.decode()


def refused(client: Any, shard: int, term: int) -> bool:
    before = client.xlen(keys.stream(0))
    with pytest.raises(redis.ResponseError, match=f"^{fencing.REFUSED}"):
        append(client, shard, term)
    return bool(client.xlen(keys.stream(0)) == before)


def test_the_last_term_of_a_shard_appends(relay_keys: Any) -> None:
    first, second = term_number(1, 7), term_number(1, 8)
    assert refused(relay_keys, 0, first), "nobody has said that it has the shard"
    assert put_up(relay_keys, 0, first)
    append(relay_keys, 0, first)
    assert put_up(relay_keys, 0, second)
    append(relay_keys, 0, second)
    assert refused(relay_keys, 0, first)
    assert not put_up(relay_keys, 0, first), "it does not come back"
    append(relay_keys, 0, second)
    assert refused(relay_keys, 1, second), "of another shard it has said nothing"


def test_a_later_division_ends_all_shards_of_the_one_before(relay_keys: Any) -> None:
    old, new = term_number(1, 900), term_number(2, 3)
    for shard in range(3):
        assert put_up(relay_keys, shard, old)
    assert put_up(relay_keys, 0, new)
    assert all(refused(relay_keys, shard, old) for shard in range(3))
    assert not put_up(relay_keys, 2, old)
    assert put_up(relay_keys, 1, term_number(2, 1))
    append(relay_keys, 0, new)


def test_a_fence_of_another_run_of_redis_is_none(relay_keys: Any) -> None:
    """As one that a restored copy has."""
    term = term_number(1, 7)
    put_up(relay_keys, 0, term)
    relay_keys.hset(keys.fence(0), "0", f"{term} {'0' * 40}")
    assert refused(relay_keys, 0, term)
    assert put_up(relay_keys, 0, term)
    append(relay_keys, 0, term)


@pytest.fixture
def without_info(relay_keys: Any) -> Iterator[redis.Redis]:
    """A client that may do everything but ask what Redis says of itself."""
    user = "without-info"
    relay_keys.execute_command("ACL", "SETUSER", user, "on", ">secret", "~*", "&*", "+@all", "-info")
    given = relay_keys.connection_pool.connection_kwargs
    client = redis.Redis(host=given["host"], port=given["port"], username=user, password="secret")
    yield client
    client.close()
    relay_keys.execute_command("ACL", "DELUSER", user)


def test_where_it_cannot_be_known_in_which_run_redis_is_nothing_is_put_up_and_nothing_appended(
    relay_keys: Any, without_info: redis.Redis
) -> None:
    """It would take the fence of a restored copy for one of today."""
    term = term_number(1, 7)
    with pytest.raises(redis.ResponseError, match=r"Grant this user \+info"):
        put_up(without_info, 0, term)
    assert not relay_keys.exists(keys.fence(0))
    for stands in (f"{term} {'0' * 40}", f"{term} ", str(term)):
        relay_keys.hset(keys.fence(0), "0", stands)
        with pytest.raises(redis.ResponseError, match=f"^{UNKNOWN_RUN[:4]}"):
            append(without_info, 0, term)
        assert refused(relay_keys, 0, term), "nor where it is known"
    assert not relay_keys.exists(keys.stream(0))
    assert put_up(relay_keys, 0, term)
    append(relay_keys, 0, term)


def test_nor_is_it_said_then_how_far_storing_has_come(without_info: redis.Redis) -> None:
    """A writer would take a Redis that has lost something for the one that it knew."""
    with pytest.raises(redis.ResponseError, match=r"Grant this user \+info"):
        beside.look(without_info, 0)


def test_a_fence_is_put_up_in_a_redis_that_is_full(relay_keys: Any) -> None:
    relay_keys.config_set("maxmemory", 1)
    try:
        assert put_up(relay_keys, 0, term_number(1, 7))
    finally:
        relay_keys.config_set("maxmemory", 0)


def test_what_is_said_stands_no_lower_than_what_made_it(relay_keys: Any) -> None:
    """If the clock was set back, what made it lies in the future."""
    term, ahead = term_number(1, 7), time.time_ns() // 1_000_000 + 3_600_000
    put_up(relay_keys, 0, term)
    append(relay_keys, 0, term)
    assert append(relay_keys, 0, term, least=ahead) == f"{ahead}-0"
    assert append(relay_keys, 0, term, least=ahead) == f"{ahead}-1"
    assert append(relay_keys, 0, term) == f"{ahead}-2"
