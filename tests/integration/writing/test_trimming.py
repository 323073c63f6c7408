"""The stream is cut only below what is acknowledged, and only what is old enough."""

import random
import time
from typing import Any

import pytest

from messages_app.writing.stream import Stream
from relaybase import keys

from .world import Failpoint, Wait, World, running

pytestmark = pytest.mark.django_db(databases=["default", "messages"])

NODE = 100
"""Redis cuts whole nodes of so many entries (`stream-node-max-entries`)."""


def _left(world: World) -> list[str]:
    return [id.decode() for id, _ in world.redis.xrange(world.stream)]


@pytest.mark.parametrize("node_entries", [1, 3, 10])
@pytest.mark.parametrize("seed", range(8))
def test_what_is_not_acknowledged_is_never_cut(world: World, seed: int, node_entries: int) -> None:
    chance = random.Random(seed)
    stream = Stream(world.redis, 0)
    stream.prepare()
    world.redis.config_set("stream-node-max-entries", node_entries)
    unacknowledged: set[str] = set()
    delivered: list[str] = []
    cut = 0
    try:
        for _ in range(100):
            match chance.randrange(4):
                case 0:
                    with world.redis.pipeline() as pipe:
                        for _ in range(chance.randint(1, 40)):
                            pipe.xadd(world.stream, {"n": 1})
                        unacknowledged |= {id.decode() for id in pipe.execute()}
                case 1:
                    delivered += [entry.id for entry in stream.read(chance.randint(1, 40), None)]
                case 2:
                    first = delivered[: chance.randint(0, 20)] if chance.random() < 0.7 else []
                    ids = first or chance.sample(delivered, chance.randint(0, len(delivered)))
                    if ids:
                        stream.acknowledge([(id, {}) for id in ids])
                    delivered = [id for id in delivered if id not in ids]
                    unacknowledged -= set(ids)
                case 3:
                    cut += stream.trim(0.0)
            assert unacknowledged <= set(_left(world))
    finally:
        world.redis.config_set("stream-node-max-entries", NODE)
    assert cut > 0, "the fault did not happen: nothing was ever cut"


def test_what_is_younger_than_the_span_is_kept(world: World) -> None:
    stream = Stream(world.redis, 0)
    stream.prepare()
    now = int(time.time() * 1000)
    world.redis.config_set("stream-node-max-entries", 1)
    try:
        for age in (60_000, 30_000, 11_000, 9_000, 1_000, 0):
            world.redis.xadd(world.stream, {"n": 1}, id=f"{now - age}-0")
        for entry in stream.read(10, None):
            stream.acknowledge([(entry.id, {})])

        assert stream.trim(10.0) == 3
        assert _left(world) == [f"{now - age}-0" for age in (9_000, 1_000, 0)]
        assert stream.trim(1e9) == 0
        assert stream.trim(0.0) == 2  # The last one delivered stays.
    finally:
        world.redis.config_set("stream-node-max-entries", NODE)


def test_without_a_group_nothing_is_cut(world: World) -> None:
    world.append_each(["a", "b"])

    assert Stream(world.redis, 0).trim(0.0) == 0

    assert len(_left(world)) == 2


def test_a_writer_trims_what_it_has_stored(world: World, wait_until: Wait, settings: Any) -> None:
    settings.RELAY_STREAM_KEEP_SECONDS = 0.0
    for n in range(5 * NODE):
        world.append(f"text {n}")

    with running():
        wait_until(lambda: world.redis.xlen(world.stream) <= NODE)

    world.assert_each_stored_once()


def test_nothing_is_trimmed_while_mongodb_is_away(world: World, wait_until: Wait, settings: Any) -> None:
    settings.RELAY_STREAM_KEEP_SECONDS = 0.0
    with running():
        wait_until(lambda: world.redis.hget(keys.stored(0), "") == b"whole")
        with Failpoint(errorCode=91) as failpoint:
            for n in range(3 * NODE):
                world.append(f"text {n}")
            wait_until(lambda: failpoint.entered > 3)
            assert world.redis.xlen(world.stream) == 3 * NODE
        wait_until(lambda: world.redis.xlen(world.stream) <= NODE)

    world.assert_each_stored_once()
