"""What a hub looks after once a second, whatever goes wrong with some of it."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from live import hub as hubs
from live.hub import Hub
from tests.unit.live.hubs import come


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """A second is over at once."""
    monkeypatch.setattr(hubs, "LOOK_SECONDS", 0.001)


STEPS: list[Callable[[Hub], tuple[Any, str]]] = [
    lambda hub: (hub, "_look_after"),
    lambda hub: (hub.pages, "let_go"),
    lambda hub: (hub, "_shrink"),
    lambda hub: (hub.rights, "look"),
    lambda hub: (hub.gaps, "look"),
    lambda hub: (hub._said, "look"),
    lambda hub: (hub, "_stands"),
]


@pytest.mark.parametrize("failing", range(len(STEPS)))
def test_what_fails_each_second_keeps_nothing_else_from_being_done(
    failing: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def play() -> None:
        hub = Hub()
        come(hub)
        done = [0] * len(STEPS)

        def step(number: int, is_async: bool) -> Callable[..., Any]:
            def do(*_: Any) -> None:
                done[number] += 1
                if number == failing:
                    raise ValueError("nobody expected this")

            async def do_async(*_: Any) -> None:
                do()

            return do_async if is_async else do

        for number, of in enumerate(STEPS):
            where, name = of(hub)
            found = getattr(where, name)
            monkeypatch.setattr(where, name, step(number, asyncio.iscoroutinefunction(found)))
        watching = asyncio.create_task(hub._watch())
        async with asyncio.timeout(5):
            while done[failing] < 3:
                await asyncio.sleep(0.001)
        watching.cancel()
        assert min(done) >= 2, done

    asyncio.run(play())


@pytest.mark.parametrize("is_of_gaps", [True, False])
def test_a_server_that_does_not_answer_keeps_nobody_from_being_looked_at(
    is_of_gaps: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def play() -> None:
        hub = Hub()
        come(hub)
        looked: list[str] = []

        async def look(_: Any) -> None:
            looked.append("rights")

        async def nothing() -> None:
            return

        async def for_ever() -> None:
            looked.append("asked")
            await asyncio.Event().wait()

        monkeypatch.setattr(hub.rights, "look", look)
        monkeypatch.setattr(hub._said, "look", lambda: None)
        monkeypatch.setattr(hub.gaps, "look", for_ever if is_of_gaps else nothing)
        monkeypatch.setattr(hub, "_stands", nothing if is_of_gaps else for_ever)
        watching = asyncio.create_task(hub._watch())
        async with asyncio.timeout(5):
            while looked.count("rights") < 5:
                await asyncio.sleep(0.001)
        watching.cancel()
        assert looked.count("asked") == 1

    asyncio.run(play())
