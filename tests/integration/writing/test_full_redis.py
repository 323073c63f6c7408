"""Redis is out of memory, full of the stream: it is the writer who makes room."""

from collections.abc import Iterator
from typing import Any

import pytest
import redis

from messages_app.writing.batch import MOST_DELIVERIES

from .world import Wait, World, running

pytestmark = pytest.mark.django_db(databases=["default", "messages"])


@pytest.fixture
def full(world: World) -> Iterator[None]:
    """No more memory from the moment on at which the test has filled the stream."""
    yield
    world.redis.config_set("maxmemory", 0)


def _fill_up(world: World) -> None:
    world.redis.config_set("maxmemory", world.redis.info("memory")["used_memory"] - 1_000_000)
    with pytest.raises(redis.exceptions.OutOfMemoryError):
        world.append_raw({"no": "room"})


@pytest.mark.usefixtures("full")
def test_a_full_stream_is_stored_and_trimmed(world: World, wait_until: Wait, settings: Any) -> None:
    settings.RELAY_STREAM_KEEP_SECONDS = 0.0
    for n in range(500):
        world.append(f"{n} " + "x" * 20_000)
    _fill_up(world)

    with running():
        wait_until(world.is_settled)
        wait_until(lambda: world.redis.xlen(world.stream) < 500)
        world.append("there is room again")
        wait_until(world.is_settled)

    world.assert_each_stored_once()


@pytest.mark.usefixtures("full")
def test_so_is_what_was_left_pending_and_is_suspect(world: World, wait_until: Wait) -> None:
    for n in range(20):
        world.append(f"{n} " + "x" * 200_000)
    world.deliver(20, times=MOST_DELIVERIES + 1)
    _fill_up(world)

    with running():
        wait_until(world.is_settled)
        world.redis.config_set("maxmemory", 0)

    world.assert_each_stored_once()
