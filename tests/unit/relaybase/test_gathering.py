"""What many ask at once is asked in few questions."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from relaybase.gathering import Gathering


class Server:
    """Answers with the double, when it is let; `asked` are the questions."""

    def __init__(self) -> None:
        self.asked: list[list[int]] = []
        self.go = asyncio.Event()

    async def __call__(self, keys: Sequence[int]) -> Mapping[int, Any]:
        self.asked.append(list(keys))
        await self.go.wait()
        if 13 in keys:
            raise ConnectionError("it is away")
        return {key: ValueError("odd") if key % 2 else 2 * key for key in keys if key}


async def _begun(server: Server, questions: int) -> None:
    while len(server.asked) < questions:
        await asyncio.sleep(0)


def test_what_is_asked_meanwhile_goes_into_the_next_question() -> None:
    async def story() -> None:
        server = Server()
        gathering = Gathering(server, 3)
        tasks = [asyncio.create_task(gathering.find(2))]
        await _begun(server, 1)
        # The same key again: what is under way may be older than this question.
        tasks += [asyncio.create_task(gathering.find(key)) for key in (2, 4, 4, 6, 8, 0)]
        await asyncio.sleep(0)
        assert server.asked == [[2]]
        server.go.set()

        assert await asyncio.gather(*tasks) == [4, 4, 8, 8, 12, 16, None]
        assert server.asked == [[2], [2, 4, 6], [8, 0]]
        assert await gathering.find(10) == 20

    asyncio.run(story())


async def _together(gathering: Gathering[int, Any], server: Server, keys: Sequence[int]) -> list[Any]:
    """What is found of keys that are asked for while a question for another one is under way."""
    first = asyncio.create_task(gathering.find(2))
    await _begun(server, 1)
    tasks = [asyncio.create_task(gathering.find(key)) for key in keys]
    await asyncio.sleep(0)
    server.go.set()
    assert await first == 4
    return await asyncio.gather(*tasks, return_exceptions=True)


def test_an_error_is_for_all_who_are_in_the_question_and_for_no_other() -> None:
    async def story() -> None:
        server = Server()
        found = await _together(Gathering(server, 2), server, (4, 13, 6, 8))

        assert [type(one) for one in found] == [ConnectionError, ConnectionError, int, int]
        assert server.asked == [[2], [4, 13], [6, 8]]

    asyncio.run(story())


def test_what_fails_for_one_fails_for_one() -> None:
    async def story() -> None:
        server = Server()
        found = await _together(Gathering(server, 9), server, (4, 3, 6))

        assert [type(one) for one in found] == [int, ValueError, int]
        assert server.asked == [[2], [4, 3, 6]]

    asyncio.run(story())


@pytest.mark.parametrize("key", [3, 13])
def test_after_an_error_the_next_one_is_asked(key: int) -> None:
    async def story() -> None:
        server = Server()
        server.go.set()
        gathering = Gathering(server, 9)
        with pytest.raises((ValueError, ConnectionError)):
            await gathering.find(key)

        assert await gathering.find(4) == 8

    asyncio.run(story())


@pytest.mark.parametrize("under_way", [True, False])
def test_who_stops_waiting_takes_nothing_from_the_others(under_way: bool) -> None:
    async def story() -> None:
        server = Server()
        gathering = Gathering(server, 9)
        first, second, third = (asyncio.create_task(gathering.find(key)) for key in (2, 4, 4))
        await _begun(server, 1)
        gone = first if under_way else second
        gone.cancel()
        with pytest.raises(asyncio.CancelledError):
            await gone
        server.go.set()

        assert await third == 8
        assert await gathering.find(6) == 12

    asyncio.run(story())
