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


def _arrives(*events: dict[str, Any]) -> Any:
    """A `receive` that never waits."""
    left = iter(events)

    async def receive() -> dict[str, Any]:
        return next(left)

    return receive


def test_a_body_that_is_complete_already_needs_no_clock_and_does_not_count(monkeypatch: Any) -> None:
    monkeypatch.setattr(asyncio, "timeout", None)
    crowd, noted = Crowd(0, 0), list[int]()
    complete = {"type": "http.request", "body": b"abc", "more_body": False}

    assert asyncio.run(bodies.whole(_arrives(complete), 3, "peer", crowd, noted.append)) == b"abc"
    assert noted == [3]
    with pytest.raises(bodies.TooMuch):
        asyncio.run(bodies.whole(_arrives(complete), 2, "peer", crowd))
    with pytest.raises(bodies.Gone):
        asyncio.run(bodies.whole(_arrives({"type": "http.disconnect"}), 3, "peer", crowd))


def test_a_body_whose_first_piece_is_there_is_put_together() -> None:
    pieces = [
        {"type": "http.request", "body": body, "more_body": body != b"c"} for body in (b"a", b"b", b"c")
    ]

    assert asyncio.run(bodies.whole(_arrives(*pieces), 3, "peer")) == b"abc"
    with pytest.raises(bodies.TooMuch):
        asyncio.run(bodies.whole(_arrives(*pieces), 2, "peer"))
    with pytest.raises(bodies.Gone):
        asyncio.run(bodies.whole(_arrives(pieces[0], {"type": "http.disconnect"}), 3, "peer"))
    assert bodies.OF_THE_KNOWN.size == 0


def test_who_is_given_up_while_nothing_has_come_leaves_nobody_waiting(monkeypatch: Any) -> None:
    monkeypatch.setattr(bodies, "PAUSE_SECONDS", 0.05)
    left = []

    async def receive() -> dict[str, Any]:
        try:
            await asyncio.sleep(5)
        finally:
            left.append("receive")
        return {}

    async def take() -> None:
        with pytest.raises(bodies.TooSlow):
            await bodies.whole(receive, 9, "peer")
        assert left == ["receive"]

        taking = asyncio.create_task(bodies.whole(receive, 9, "peer"))
        await asyncio.sleep(0.01)
        taking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await taking
        assert left == ["receive", "receive"]

    asyncio.run(take())
    assert bodies.OF_THE_KNOWN.size == 0
