"""Waiting until something is stored, on real servers: who waits is told, whatever others meet with."""

import asyncio
from collections.abc import Coroutine, Iterator
from typing import Any

import pytest
from django.db import OperationalError

from leases_app import partitioning
from leases_app.models import Partitioning
from messages_app.searching import arriving
from relaybase import keys
from relaycore.following.places import Horizon
from tests.integration.writing.world import World, running

pytestmark = pytest.mark.django_db(transaction=True, databases=["default", "messages"])

SECONDS = 8.0


@pytest.fixture
def world(relay_keys: Any, archive: Any) -> World:
    return World(relay_keys, archive, None)


@pytest.fixture
def writing(world: World) -> Iterator[None]:
    with running():
        yield


def wait(entry: str) -> Coroutine[Any, Any, Horizon | None]:
    return arriving.wait_until_stored(0, entry, SECONDS)


@pytest.mark.usefixtures("writing")
def test_postgresql_that_fails_once_keeps_nobody_waiting(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    require, failures = partitioning.require, iter([OperationalError("away")])

    def fail_once() -> Any:
        for failure in failures:
            raise failure
        return require()

    monkeypatch.setattr(partitioning, "require", fail_once)

    assert asyncio.run(wait(world.append("one"))) is not None


@pytest.mark.usefixtures("writing")
def test_what_is_divided_otherwise_meanwhile_is_learned_while_others_wait(world: World) -> None:
    async def story() -> None:
        assert await wait(world.append("one")) is not None
        for_ever = asyncio.create_task(arriving.wait_until_stored(0, "9999999999999-0", 60))
        await asyncio.to_thread(_divide_otherwise, world)
        try:
            assert await wait(world.append("two")) is not None
        finally:
            world.redis.delete(keys.layout(0))
            for_ever.cancel()

    asyncio.run(story())


def _divide_otherwise(world: World) -> None:
    """And back: the number is what it was."""
    generation = partitioning.layout().generation + 2
    Partitioning.objects.update(generation=generation)
    world.redis.set(keys.layout(0), str(partitioning.layout()))


@pytest.mark.usefixtures("writing")
def test_who_goes_away_while_he_waits_takes_nothing_from_the_others(world: World) -> None:
    async def story() -> None:
        entry = world.append("one")
        tasks = [asyncio.create_task(wait(entry)) for _ in range(20)]
        await asyncio.sleep(0)
        for task in tasks[::2]:
            task.cancel()
        assert None not in await asyncio.gather(*tasks[1::2])
        watch = arriving._watches()[0]
        assert not watch._waiting

    asyncio.run(story())
