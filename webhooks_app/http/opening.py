"""How a connection is made: a name, its addresses, those of them that may be, and one that answers."""

import asyncio
import time
from collections.abc import Callable, Sequence
from typing import Final, TypeVar

from relaycore.outbound.urls import is_address
from relaycore.sending.answers import Failure
from webhooks_app.http import failures, tls
from webhooks_app.http.exchange import Around, Exchange, Stage
from webhooks_app.http.failures import Failed
from webhooks_app.http.sealing import Sealed
from webhooks_app.http.target import Target

P = TypeVar("P", bound=asyncio.Protocol)

_HELD_UP_SECONDS: Final = 0.25
"""So much later than it was meant a timeout comes if the event loop did something else meanwhile."""

MOST_TRIED: Final = 4
"""Addresses of one name for one request: whoever has named a thousand would have them all knocked at."""


async def connect(target: Target, around: Around, exchange: Exchange, make: Callable[[str], P]) -> P:
    """A connection to one of its addresses. `make`: a protocol for the one that is connected to.

    Raises:
        Failed: there is none, and why.
    """
    addresses = await _addresses(target, around, exchange)
    exchange.stage = Stage.CONNECTING
    failed = Failed(Failure.NAME, "The name has no address.")
    for number, address in enumerate(addresses):
        # Each has its share of the time that is left, so that one which is silent leaves some to the others.
        # For the last one that is the deadline, which is looked at by who asked for the connection.
        left = len(addresses) - number
        share = (exchange.deadline - time.monotonic()) / left if left > 1 else None
        try:
            return await _connect_within(share, address, target, around, make)
        except Exception as exc:  # Whatever it is, the connection could not be made.
            failed = failures.of_connecting(exc, address, target.url.is_tls)
    raise failed


async def _connect_within(
    seconds: float | None, address: str, target: Target, around: Around, make: Callable[[str], P]
) -> P:
    """In this time. An event loop that was held up has not seen whether it was made: then once more."""
    began = time.monotonic()
    try:
        async with asyncio.timeout(seconds):
            return await _connect_to(address, target, around, make)
    except TimeoutError:
        if seconds is None or time.monotonic() - began < seconds + _HELD_UP_SECONDS:
            raise
    async with asyncio.timeout(max(seconds, _HELD_UP_SECONDS)):
        return await _connect_to(address, target, around, make)


async def _addresses(target: Target, around: Around, exchange: Exchange) -> Sequence[str]:
    """Those that may be connected to."""
    host = target.url.host
    if is_address(host):
        found: Sequence[str] = [host]
    else:
        exchange.stage = Stage.NAME
        try:
            found = await around.resolve(host, target.url.port)
        except OSError as exc:
            raise failures.of_name(exc) from None
    allowed = [address for address in found if around.networks.takes(address)]
    if found and not allowed:
        raise Failed(Failure.ADDRESS, "It leads to no address that may be connected to.")
    return allowed[:MOST_TRIED]


async def _connect_to(address: str, target: Target, around: Around, make: Callable[[str], P]) -> P:
    # An address as a number is looked up by nobody. The name is for TLS alone.
    protocol, loop, url = make(address), around.loop, target.url
    if not url.is_tls:
        await loop.create_connection(lambda: protocol, address, url.port)
        return protocol
    sealed = Sealed(protocol, target.tls or tls.context(), url.host, loop)
    await loop.create_connection(lambda: sealed, address, url.port)
    await sealed.begun
    return protocol
