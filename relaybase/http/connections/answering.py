"""How an answer goes out: in as few pieces as there can be."""

import asyncio
from collections.abc import Mapping
from typing import Any

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, RequestResponseCycle


class HeadFirst:
    """In place of the transport, for one request of uvicorn's (`cycle`), until the head of its answer is out.

    uvicorn writes head and body apart, and uvloop sends each as soon as it is written: two packets, for which
    the client is woken twice. So the head waits for the first piece of the body; where that does not come at
    once, as with a stream that has nothing to say yet, until the event loop comes by next.
    """

    def __init__(self, cycle: Any, loop: asyncio.AbstractEventLoop) -> None:
        self._cycle = cycle
        self._transport: Any = cycle.transport
        self._loop = loop
        self._head: bytes | None = None
        self._later: asyncio.Handle | None = None

    def write(self, data: bytes) -> None:
        """First the head, then what follows."""
        if self._head is None:
            self._head = data
            self._later = self._loop.call_soon(self.go)
        elif self._leave():
            self._transport.writelines((self._head, data))

    def close(self) -> None:
        """After all that was written has gone out."""
        self.go()
        self._transport.close()

    def is_closing(self) -> bool:
        """As of the transport."""
        return bool(self._transport.is_closing())

    @property
    def is_unused(self) -> bool:
        """Whether nothing has been written, and anything can be."""
        return self._head is None and not self.is_closing()

    def go(self) -> None:
        """Nothing has followed, or will."""
        if self._leave() and self._head is not None:
            self._transport.write(self._head)

    def _leave(self) -> bool:
        """From now on the request has the transport itself. Whether anything can be written."""
        if self._cycle.transport is self:
            self._cycle.transport = self._transport
        if self._later is not None:
            self._later.cancel()
        return not self._transport.is_closing()


def answer(
    cycle: RequestResponseCycle, scope: Mapping[str, Any], status: int, lines: bytes, body: bytes
) -> bool:
    """Send the whole answer to the request of this scope, and have it be over; whether that is done.

    It is not where anything stands in the way that uvicorn sees to: then nothing has been sent, and it is to
    be sent as every answer is. Nearly always nothing does, and uvicorn's way, which looks at each header for
    what may not stand in it, takes longer than a short answer takes to be made.

    lines: the headers, each with its line break, the length among them; those that uvicorn adds are not
    """
    transport = cycle.transport
    if (
        cycle.scope is not scope
        or not isinstance(transport, HeadFirst)
        or cycle.response_started
        or cycle.disconnected
        or not cycle.keep_alive  # Which has to be said.
        or cycle.access_log
        or cycle.flow.write_paused
        or scope["method"] == "HEAD"
        or not transport.is_unused
    ):
        return False
    transport.go()
    added = b"".join(b"%b: %b\r\n" % header for header in cycle.default_headers)
    cycle.waiting_for_100_continue = False
    cycle.response_started = cycle.response_complete = True
    cycle.transport.write(b"%b%b%b\r\n%b" % (STATUS_LINE[status], added, lines, body))
    cycle.message_event.set()
    cycle.on_response()
    return True
