"""Clients that consume, over one connection each: of Relay, and of the peer."""

import asyncio
import json
import re
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from benchmarks.connection import Connection, request
from benchmarks.target import WrongResult
from benchmarks.web import Web

Turn = Callable[[Connection], Awaitable[int]]
"""Fetches and settles once; how many messages."""

_WANTED = b'{"max":%d,"wait_seconds":20}'
_NEXT = b'{"commit":"%s","max":%d,"wait_seconds":20}'
_ACKED = b'{"ack":["%s"],"max":%d,"wait_seconds":20}'
_TOKEN = re.compile(rb'"token":"([^"]+)"')
_LEASED = re.compile(rb'"delivery":{"token":"([^"]+)"')
_POSITION = re.compile(rb'"position":"?([^",}]+)')
_TAIL = 300
"""So many bytes of an answer stand at least after its last message."""


def committing(server: Web, subscription: str, most: int) -> Turn:
    """Mode `cursor`: what is fetched is committed."""
    path = f"/api/v1/subscriptions/{subscription}"
    fetch = request(server, f"{path}/fetch", _WANTED % most)
    last = b""

    async def turn(connection: Connection) -> int:
        nonlocal last
        body = await connection.ask(fetch)
        if not (count := body.count(b'"received_at":')):
            return 0
        position = _POSITION.findall(body[-_TAIL:])[-1]
        if position <= last:
            raise WrongResult(f"{position!r} came after {last!r}.")
        last = position
        await connection.ask(request(server, f"{path}/commit", b'{"position":"%s"}' % position))
        return count

    return turn


def going_on(server: Web, subscription: str, most: int) -> Turn:
    """The same in one request: each fetch commits what was fetched before."""
    path = f"/api/v1/subscriptions/{subscription}/fetch"
    fetch = request(server, path, _WANTED % most)
    last = b""

    async def turn(connection: Connection) -> int:
        nonlocal fetch, last
        body = await connection.ask(fetch)
        if not (count := body.count(b'"received_at":')):
            return 0
        position = _POSITION.findall(body[-_TAIL:])[-1]
        if position <= last:
            raise WrongResult(f"{position!r} came after {last!r}.")
        last = position
        fetch = request(server, path, _NEXT % (position, most))
        return count

    return turn


def acknowledging(server: Web, subscription: str, most: int, seen: set[bytes] | None = None) -> Turn:
    """Mode `lease`: what is leased is acknowledged. `seen`: the tokens so far, of all who share them."""
    path = f"/api/v1/subscriptions/{subscription}"
    fetch = request(server, f"{path}/fetch", _WANTED % most)
    known = set() if seen is None else seen

    async def turn(connection: Connection) -> int:
        tokens = _TOKEN.findall(await connection.ask(fetch))
        if tokens:
            if not known.isdisjoint(tokens):
                raise WrongResult("Something was leased twice.")
            known.update(tokens)
            body = b'{"tokens":["%s"]}' % b'","'.join(tokens)
            if b'"ok":false' in await connection.ask(request(server, f"{path}/ack", body)):
                raise WrongResult("An acknowledgement was too late.")
        return len(tokens)

    return turn


def acking_on(server: Web, subscription: str, most: int) -> Turn:
    """Mode `lease` in one request: each fetch acknowledges what was leased before."""
    path = f"/api/v1/subscriptions/{subscription}/fetch"
    fetch = request(server, path, _WANTED % most)
    known = set[bytes]()

    async def turn(connection: Connection) -> int:
        nonlocal fetch
        body = await connection.ask(fetch)
        if b'"ok":false' in body:
            raise WrongResult("An acknowledgement was too late.")
        tokens = _LEASED.findall(body)
        if not known.isdisjoint(tokens):
            raise WrongResult("Something was leased twice.")
        known.update(tokens)
        fetch = request(server, path, _ACKED % (b'","'.join(tokens), most))
        return len(tokens)

    return turn


def of_log_queue(server: Web, topic: str, consumer: int) -> Turn:
    """The log queue's one call, after which the message is lost with whoever asked."""
    said = json.dumps({"topic": topic, "consumer_id": consumer}).encode()
    consume = request(server, "/queue/consumer/consume", said)
    last = -1

    async def turn(connection: Connection) -> int:
        nonlocal last
        offset = int(json.loads(await connection.ask(consume))["offset"])
        if offset <= last:
            raise WrongResult(f"{offset} came after {last}.")
        last = offset
        return 1

    return turn


def of_peer(server: Web, consumer: int, most: int) -> Turn:
    """The peer's fetch and commit."""
    path = f"/consumers/{consumer}"
    fetch = request(server, f"{path}/fetch", b'{"max":%d}' % most)

    async def turn(connection: Connection) -> int:
        body = await connection.ask(fetch)
        if count := body.count(b'"message":'):
            position = _POSITION.findall(body[-_TAIL:])[-1]
            await connection.ask(request(server, f"{path}/commit", b'{"position":%s}' % position))
        return count

    return turn


def of_peer_at_once(server: Web, consumer: int) -> Turn:
    """The peer's one call that does both, after which the message is lost with whoever asked."""
    consume = request(server, f"/consumers/{consumer}/consume", b"")

    async def turn(connection: Connection) -> int:
        return (await connection.ask(consume)).count(b'"message":')

    return turn


@dataclass(frozen=True, slots=True)
class Consumed:
    """What came of it. `cpu_us`: of the server, for each message."""

    rate: float
    cpu_us: float


def consume(server: Web, turns: Sequence[Turn], messages: int) -> Consumed:
    """Each of these over a connection of its own, until it has so many messages or a few more.

    Raises:
        WrongResult: one was given none.
    """
    before, began = server.cpu(), time.perf_counter()
    count = asyncio.run(_consume(server, turns, messages))
    took = time.perf_counter() - began
    return Consumed(count / took, (server.cpu() - before) / count * 1e6)


async def _consume(server: Web, turns: Sequence[Turn], messages: int) -> int:
    async def one(turn: Turn) -> int:
        connection, had = await Connection.open(server), 0
        while had < messages:
            count = await turn(connection)
            if not count:
                raise WrongResult(f"Nothing came after {had} of {messages} messages.")
            had += count
        connection.close()
        return had

    return sum(await asyncio.gather(*map(one, turns)))
