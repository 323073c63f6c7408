"""How bodies are taken in: bounds in bytes, in time, and for all that are not complete."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from relaybase.http import bodies
from relaybase.http.crowd import Crowd


def _receive(chunks: AsyncIterator[bytes]) -> Any:
    async def receive() -> dict[str, Any]:
        try:
            return {"type": "http.request", "body": await anext(chunks), "more_body": True}
        except StopAsyncIteration:
            return {"type": "http.request", "body": b"", "more_body": False}

    return receive


async def _some(*chunks: bytes, every: float = 0.0) -> AsyncIterator[bytes]:
    for chunk in chunks:
        await asyncio.sleep(every)
        yield chunk


def test_a_body_is_put_together() -> None:
    assert asyncio.run(bodies.whole(_receive(_some(b"ab", b"c")), 3, "peer")) == b"abc"
    with pytest.raises(bodies.TooMuch):
        asyncio.run(bodies.whole(_receive(_some(b"ab", b"c")), 2, "peer"))
    assert bodies.OF_THE_KNOWN.size == 0


def test_a_body_that_pauses_is_given_up(monkeypatch: Any) -> None:
    monkeypatch.setattr(bodies, "PAUSE_SECONDS", 0.05)

    with pytest.raises(bodies.TooSlow):
        asyncio.run(bodies.whole(_receive(_some(b"a", b"b", every=0.5)), 9, "peer"))
    assert bodies.OF_THE_KNOWN.size == 0


def test_a_body_that_trickles_is_given_up(monkeypatch: Any) -> None:
    monkeypatch.setattr(bodies, "PAUSE_SECONDS", 0.5)
    monkeypatch.setattr(bodies, "WHOLE_SECONDS", 0.1)

    with pytest.raises(bodies.TooSlow):
        asyncio.run(bodies.whole(_receive(_some(*[b"a"] * 100, every=0.01)), 999, "peer"))


def test_of_too_many_that_are_not_complete_the_oldest_is_given_up() -> None:
    crowd = Crowd(1 << 20, 5 * (16 << 10) + 100)

    async def many() -> list[Any]:
        taking = [
            bodies.whole(_receive(_some(b"a", b"b", every=0.1 * (6 - number))), 9, "peer", crowd)
            for number in range(6)
        ]
        return await asyncio.gather(*taking, return_exceptions=True)

    results = asyncio.run(many())

    assert isinstance(results[0], bodies.TooMany)
    assert results[1:] == [b"ab"] * 5
    assert crowd.size == 0
