"""Whatever a server does at whatever moment: each request has one answer, and nothing is left behind."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from relaycore.outbound.addresses import Allowed
from relaycore.outbound.urls import read
from relaycore.sending.answers import Answer, Failure
from tests.unit.webhooks_app.http.endpoints import HERE, OK, run
from tests.unit.webhooks_app.http.test_reading import (
    BROKEN_BEHIND_THE_HEAD,
    CUT,
    MORE_THAN_ASKED,
    NO_HTTP,
    WHOLE,
    WITHOUT_END,
)
from webhooks_app.http.exchange import Around, Exchange
from webhooks_app.http.pool import Pool
from webhooks_app.http.room import Room
from webhooks_app.http.target import Target

ANSWERS = [OK] * 8 + [*WHOLE, *MORE_THAN_ASKED, *WITHOUT_END, *CUT, *BROKEN_BEHIND_THE_HEAD, *NO_HTTP]
TARGETS = [Target(read(f"http://127.0.0.1/{number}"), max_connections=2) for number in range(3)]


class Transport:
    """In place of a socket.

    unsent:  so much waits for the other side to take it
    written: so many requests
    """

    def __init__(self, protocol: Any, loop: asyncio.AbstractEventLoop, world: "World") -> None:
        self.protocol, self.loop, self.world = protocol, loop, world
        self.unsent = self.written = 0
        self.is_closed = False

    def write(self, data: bytes) -> None:
        """As a real one: what is written while it closes is let go. Its protocol is told of the end."""
        assert self.world.may_send
        self.written += not self.is_closed

    def get_write_buffer_size(self) -> int:
        return self.unsent

    def abort(self) -> None:
        self.end(None)

    def end(self, exc: Exception | None) -> None:
        if not self.is_closed:
            self.is_closed = True
            self.loop.call_soon(self.protocol.connection_lost, exc)


class World:
    """Pools that share some room, and an event loop of which the connections are scripted from here."""

    def __init__(self, most: int) -> None:
        loop = asyncio.get_running_loop()
        self.call_soon, self.create_task = loop.call_soon, loop.create_task
        self.transports: list[Transport] = []
        self.answers: list[list[Answer]] = []
        self.refuses = False
        self.may_send = True
        self.most = most
        self.pools: list[Pool] = []
        self.room = Room(most, self.pools)
        around = Around(self, HERE, nowhere, lambda: self.may_send, self.room)  # type: ignore[arg-type]
        self.pools += [Pool(target, around) for target in TARGETS]

    async def create_connection(self, make: Any, *_: Any, **__: Any) -> Any:
        await asyncio.sleep(0)
        if self.refuses:
            raise ConnectionRefusedError
        protocol = make()
        self.transports.append(transport := Transport(protocol, asyncio.get_running_loop(), self))
        protocol.connection_made(transport)
        await asyncio.sleep(0)
        return transport, protocol

    def send(self, number: int) -> None:
        answers: list[Answer] = []
        self.answers.append(answers)
        exchange = Exchange(answers.append, 0.0, float(len(self.answers)))
        exchange.data = TARGETS[number].request([], b"")
        self.pools[number].send(exchange)
        assert not answers, "called back from within `send`"

    def some(self, number: int) -> list[Transport]:
        """One of those that are open, if any are."""
        there = [one for one in self.transports if not one.is_closed]
        return there[number % len(there) :][:1] if there else []

    def check(self) -> None:
        assert all(len(answers) <= 1 for answers in self.answers)
        is_open = len([one for one in self.transports if not one.is_closed])
        # What is sent once more, since its connection had just ended, waits for nobody.
        assert is_open <= min(self.most, sum(target.max_connections for target in TARGETS)) + self.repeated
        for pool in self.pools:
            assert all(not connection.is_last for connection in pool._idle)
            assert len(set(pool._idle)) == len(pool._idle)
            assert not (pool._idle and self.room.is_wanted), "kept while somebody waits"

    @property
    def repeated(self) -> int:
        return sum(exchange.is_again for pool in self.pools for exchange in pool.under_way)


async def nowhere(host: str, port: int) -> list[str]:
    raise AssertionError("an address needs no resolver")


def answer(world: World, number: int, data: bytes, place: int) -> None:
    for transport in world.some(number):
        transport.protocol.data_received(data[:place] or data)
        if place and data[place:] and not transport.is_closed:
            transport.protocol.data_received(data[place:])


def end(world: World, number: int, exc: Exception | None) -> None:
    for transport in world.some(number):
        transport.end(exc)


def say_no_more(world: World, number: int) -> None:
    for transport in world.some(number):
        assert not transport.protocol.eof_received()
        transport.end(None)


def take(world: World, number: int, unsent: int) -> None:
    for transport in world.some(number):
        transport.unsent = unsent


STEPS: Any = st.one_of(
    *[st.tuples(st.just(World.send), st.integers(0, len(TARGETS) - 1))] * 2,
    st.tuples(st.just(answer), st.integers(0, 5), st.sampled_from(ANSWERS), st.integers(0, 40)),
    st.tuples(st.just(end), st.integers(0, 5), st.sampled_from([None, ConnectionResetError()])),
    st.tuples(st.just(say_no_more), st.integers(0, 5)),
    st.tuples(st.just(take), st.integers(0, 5), st.integers(0, 1)),
    st.tuples(st.just(setattr), st.just("refuses"), st.booleans()),
    st.tuples(st.just(setattr), st.just("may_send"), st.booleans()),
    st.just((lambda world: [pool.expire(len(world.answers) / 2) for pool in world.pools],)),
    st.just((lambda world: [pool.close_idle(float("inf")) for pool in world.pools],)),
    st.tuples(st.just(lambda world, number: world.pools[number].forget()), st.integers(0, 2)),
    st.tuples(st.just(lambda world, number: world.pools[number].allow(Allowed())), st.integers(0, 2)),
)


async def some_turns() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


@pytest.mark.parametrize("happens", [answer, end, say_no_more])
def test_what_happens_before_a_request_is_written_says_nothing_of_it(happens: Callable[..., None]) -> None:
    async def story() -> None:
        world = World(100)
        world.send(0)
        await some_turns()
        answer(world, 0, OK, 0)
        world.send(0)
        happens(world, 0, *((OK, 0) if happens is answer else (None,) if happens is end else ()))
        await some_turns()
        assert world.answers[1] == []
        assert [one.written for one in world.transports] == [1, 1]
        world.transports[1].end(None)
        await some_turns()
        assert [one.failure for one in world.answers[1]] == [Failure.RESET], "it was not sent a third time"

    run(story)


@pytest.mark.parametrize("happens", [answer, say_no_more])
def test_what_was_never_written_is_no_attempt(happens: Callable[..., None]) -> None:
    async def story() -> None:
        world = World(100)
        world.send(0)
        await some_turns()
        answer(world, 0, OK, 0)
        world.send(0)
        happens(world, 0, *((OK, 0) if happens is answer else ()))
        await asyncio.sleep(0)
        world.may_send = False
        await some_turns()
        assert [one.is_unsent for one in world.answers[1]] == [True]

    run(story)


@given(st.sampled_from([1, 2, 3, 100]), st.lists(st.tuples(STEPS, st.integers(0, 4)), max_size=40))
@settings(max_examples=400)
def test_each_request_has_one_answer(
    most: int, steps: list[tuple[tuple[Callable[..., object], Any], int]]
) -> None:
    async def story() -> None:
        world = World(most)
        for (do, *how), turns in steps:
            do(world, *how)
            world.check()
            for _ in range(turns):
                await asyncio.sleep(0)
                world.check()
        for pool in world.pools:
            pool.close()
        assert all(len(answers) == 1 for answers in world.answers)
        for _ in range(10):
            await asyncio.sleep(0)
        assert all(pool.is_empty for pool in world.pools)
        assert world.room._taken == 0
        assert all(one.is_closed for one in world.transports)
        assert all(len(answers) == 1 for answers in world.answers)
        for (said,) in world.answers:
            assert (said.status is None) == (said.failure is not None)

    run(story)
