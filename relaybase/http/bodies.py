"""Bodies of requests, taken in within bounds: how large, how long, and how many at once are not complete.

What is on its way takes memory from the first byte on. So a body has an end in time as well as in bytes, and
all that are not complete have bounds together (`Crowd`): bodies of those who have shown who they are, and
those of all others, apart, so that strangers can keep out only strangers. A body that is complete does not
count.
"""

import asyncio
from collections.abc import Awaitable, Callable, Generator, Mapping
from typing import Any, Final

from relaybase.http.crowd import Crowd

Event = Mapping[str, Any]
Receive = Callable[[], Awaitable[Event]]
Send = Callable[[Event], Awaitable[None]]
Application = Callable[[dict[str, Any], Receive, Send], Awaitable[None]]

MAX_BODY_BYTES: Final = 1 << 20

MAX_STRANGERS_BODY_BYTES: Final = 64 << 10
"""Of a body whose sender has not shown who he is: a form to log in with has a thousandth of it."""

PAUSE_SECONDS: Final = 10.0
"""How long nothing of a body may come."""

WHOLE_SECONDS: Final = 60.0
"""How long all of a body may take: the largest one at 17 KiB/s."""

_EACH_TAKES: Final = 16 << 10
"""Bytes that a request which is not complete takes beside its body: connection, parser, task."""

OF_THE_KNOWN: Final = Crowd(16 << 20, 12 << 20)
OF_STRANGERS: Final = Crowd(4 << 20, 1 << 20)
OF_PUBLISHERS: Final = Crowd(1 << 40, 1 << 40)
"""What they may take up the door bounds (`messages_app.publishing`), which refuses the newest one."""
OF_OTHER_PUBLISHERS: Final = Crowd(64 << 20, 48 << 20)
"""Those whom Django answers: with a cookie, or `?format=`. The door hears of a body once it is complete."""


class Refused(Exception):
    """A body that is not taken in to its end: the answer's status, and headers beside `Connection: close`."""

    status = 400
    headers: Mapping[str, str] = {}


class TooMuch(Refused):
    """The body has more bytes than it may: so many."""

    status = 413

    def __init__(self, most: int) -> None:
        super().__init__(f"The body may have at most {most} bytes.")


class TooSlow(Refused):
    """It did not come in time."""

    status = 408

    def __init__(self) -> None:
        super().__init__(
            f"The body did not come within {WHOLE_SECONDS:g} s, or paused for {PAUSE_SECONDS:g} s."
        )


class TooMany(Refused):
    """Others that are not complete either take up all that there is for them."""

    status = 503
    headers: Mapping[str, str] = {"Retry-After": "2"}

    def __init__(self) -> None:
        super().__init__("Too many requests are on their way and not complete. Try again in a few seconds.")


class Gone(Exception):
    """The client went away before all of its body had come."""


TOO_LARGE: Final = str(TooMuch(MAX_BODY_BYTES))


async def whole(
    receive: Receive,
    most: int,
    peer: str,
    crowd: Crowd = OF_THE_KNOWN,
    note: Callable[[int], object] | None = None,
) -> bytes:
    """The body of a request, taken in as it comes. `peer` is the address that it comes from.

    note: is told of each piece, how many bytes it has

    Raises:
        Gone: the client went away before.
        TooMuch: it has more than `most` bytes; what is still on its way is not read.
        TooSlow: it paused, or took too long.
        TooMany: there are too many that are not complete, and this one is the oldest.
    """
    first = _Begun(receive())
    if first.is_there and not first.event.get("more_body"):
        # So do nearly all come: what is complete has no need of a clock, and does not count.
        return bytes(_piece(first.event, 0, most, note))
    loop = asyncio.get_running_loop()
    until = loop.time() + WHOLE_SECONDS
    is_sent_away = False
    try:
        async with asyncio.timeout(PAUSE_SECONDS) as limit:

            def leave() -> None:
                nonlocal is_sent_away
                is_sent_away = True
                if not limit.expired():
                    limit.reschedule(loop.time())

            place = crowd.enter(peer, _EACH_TAKES, leave)
            try:
                body, event = bytearray(), await first
                while True:
                    piece = _piece(event, len(body), most, note)
                    body += piece
                    if not event["more_body"]:
                        return bytes(body)
                    if not is_sent_away:
                        crowd.grow(place, len(piece))
                    if not is_sent_away:
                        limit.reschedule(min(until, loop.time() + PAUSE_SECONDS))
                    event = await receive()
            finally:
                crowd.done(place)
    except TimeoutError:
        raise (TooMany if is_sent_away else TooSlow)() from None


def _piece(event: Event, before: int, most: int, note: Callable[[int], object] | None) -> bytes:
    """What one event brings, after so many bytes."""
    if event["type"] != "http.request":
        raise Gone
    piece: bytes = event["body"]
    if before + len(piece) > most:
        raise TooMuch(most)
    if note is not None:
        note(len(piece))
    return piece


class _Begun:
    """An awaitable, begun at once: what does not have to wait is there before anybody awaits it.

    One that waits has to be awaited before anything else is: until then nobody sees what it waits for.
    """

    def __init__(self, awaitable: Awaitable[Event]) -> None:
        self._rest = awaitable.__await__()
        self.is_there = False
        self.event: Event = {}
        try:
            self._waits_for = next(self._rest)
        except StopIteration as done:
            self.is_there, self.event = True, done.value

    def __await__(self) -> Generator[Any, Any, Event]:
        if not self.is_there:
            try:
                yield self._waits_for
                self.event = yield from self._rest
            finally:
                # Who is cancelled in the first wait leaves nothing behind that waits on.
                self._rest.close()
        return self.event


def peer_of(scope: Mapping[str, Any]) -> str:
    """The address that a request comes from; empty where there is none, as with a Unix socket."""
    client = scope.get("client")
    return str(client[0]) if client else ""
