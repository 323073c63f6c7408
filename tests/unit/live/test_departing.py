"""Whether a client has gone away: heard without a task, and without leaving anything behind."""

import asyncio
from collections.abc import Mapping
from typing import Any

from live.departing import Departure


class Server:
    """Says what it is told to say, as uvicorn does: with an event that is waited for."""

    def __init__(self, *at_once: str) -> None:
        self.says = list(at_once)
        self.has_more = asyncio.Event()

    async def receive(self) -> Mapping[str, Any]:
        while not self.says:
            self.has_more.clear()
            await self.has_more.wait()
            await asyncio.sleep(0)
        return {"type": self.says.pop(0)}

    def say(self, what: str) -> None:
        self.says.append(what)
        self.has_more.set()


def test_it_is_told_once_whenever_that_is() -> None:
    async def play() -> None:
        gone: list[int] = []
        server = Server("http.request")
        departure = Departure(server.receive, lambda: gone.append(1))
        for what in ("http.request", "http.disconnect"):
            assert not gone
            await asyncio.sleep(0.01)
            server.say(what)
            await asyncio.sleep(0.01)
        server.say("http.disconnect")
        await asyncio.sleep(0.01)
        assert gone == [1]
        departure.close()
        at_once = Departure(Server("http.disconnect").receive, lambda: gone.append(2))
        assert gone == [1, 2]
        at_once.close()

    asyncio.run(play(), debug=True)


def test_nobody_is_told_after_it_was_closed() -> None:
    async def play() -> None:
        gone: list[int] = []
        server = Server()
        departure = Departure(server.receive, lambda: gone.append(1))
        await asyncio.sleep(0.01)
        departure.close()
        departure.close()
        server.say("http.disconnect")
        await asyncio.sleep(0.01)
        assert gone == []
        assert not server.has_more._waiters  # type: ignore[attr-defined]

    asyncio.run(play(), debug=True)
