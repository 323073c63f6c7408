"""One connection of server-sent events: what it is sent has to be taken, up to the last of it."""

import asyncio
import time
from collections.abc import Callable
from typing import Any

from live.hub import Hub
from live.sse.stream import Stream
from live.tails import DIVIDED
from relaycore.live.slow import STUCK_SECONDS
from tests.unit.live.hubs import come


class Transport:
    def is_closing(self) -> bool:
        return False


class Connection:
    """One whose client reads nothing: what comes after its headers and the first line is not taken."""

    def __init__(self) -> None:
        self.transport = Transport()
        self.on_stop: Callable[[], object] | None = None
        self.is_broken = asyncio.Event()
        self.waits: list[Any] = []

    def break_off(self) -> None:
        self.is_broken.set()

    async def send(self, message: Any) -> None:
        if message["type"] == "http.response.body" and not message.get("more_body"):
            self.waits.append(self.on_stop)
            await self.is_broken.wait()


async def receive() -> Any:
    await asyncio.Event().wait()


def test_who_does_not_take_the_last_that_he_is_sent_is_cut_too() -> None:
    async def play() -> None:
        hub = Hub()
        viewer, connection = come(hub), Connection()
        viewer.leave(DIVIDED)
        stream = Stream(viewer, "json", connection.send, connection)  # type: ignore[arg-type]
        running = asyncio.create_task(stream.run(receive, []))
        while not connection.waits:
            await asyncio.sleep(0)
        hub._look_after(time.monotonic() + STUCK_SECONDS)
        await asyncio.wait_for(running, 1)
        # Who wants to be told of the stop has to see for himself that somebody reads, and nobody does now.
        assert connection.waits == [None]
        assert not hub._viewers

    asyncio.run(play())
