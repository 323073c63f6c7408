"""Waiting until something is stored, on real servers: who waits is told, whatever others meet with."""

import asyncio
from collections.abc import Coroutine, Iterator
from typing import Any

import pytest
from django.db import OperationalError, connection

from leases_app import deployment, partitioning
from leases_app.models import Partitioning
from messages_app.searching import archive as stored
from messages_app.searching import arriving
from relaybase import keys
from relaycore.following import news
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
    """And back: the number is what it was. In a thread, whose connection nobody else closes."""
    try:
        generation = partitioning.layout().generation + 2
        Partitioning.objects.update(generation=generation)
        world.redis.set(keys.layout(0), str(partitioning.layout()))
    finally:
        connection.close()


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


def test_what_others_bring_makes_nobody_look(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    looks: list[int] = []

    def look(partition: int, layout: Any) -> Horizon:
        looks.append(partition)
        return Horizon("", False, "0-0")

    # Not asked in the threads that tell, which would stay connected.
    channel, key = deployment.news_channel(0), deployment.seal_key(0)

    def tell(upto: str) -> None:
        # Others may hear it too: a web process that an earlier test had is not gone at once.
        assert world.redis.publish(channel, news.stored(upto, [b"bills"], key))

    monkeypatch.setattr(stored, "look", look)
    monkeypatch.setattr(arriving, "_LOOK_SECONDS", 60.0)

    async def looked(times: int) -> None:
        async with asyncio.timeout(SECONDS):
            while len(looks) < times:
                await asyncio.sleep(0.01)
        await asyncio.sleep(0.2)
        assert len(looks) == times

    async def story() -> None:
        waiting = [asyncio.create_task(arriving.wait_until_stored(0, "7-0", 60))]
        await looked(2)  # Since somebody is new, and since the ear is.
        for upto in ("6-0", "6-1", "6-2"):
            await asyncio.to_thread(tell, upto)
            await looked(2)
        await asyncio.to_thread(tell, "7-0")
        await looked(3)
        await asyncio.to_thread(tell, "6-3")  # A batch that was overtaken.
        await looked(4)
        waiting.append(asyncio.create_task(arriving.wait_until_stored(0, "9-0", 60)))
        await looked(5)
        for task in waiting:
            task.cancel()

    asyncio.run(story())
