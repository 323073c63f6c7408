"""The head of an answer goes out with the first piece of its body.

uvicorn writes the two apart, and uvloop sends each as soon as it is written: two packets, for which the
client is woken twice. That costs more than half as much again as the answer itself, where it is short. Here a
head is held back until the body begins, and where that does not come at once, as with a stream that has
nothing to say yet, until the event loop comes by next.
"""

import asyncio
from typing import Any


class HeadFirst:
    """In place of the transport, for one request of uvicorn's (`cycle`), until its head has gone out."""

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
            self._later = self._loop.call_soon(self._go)
        elif self._leave():
            self._transport.writelines((self._head, data))

    def close(self) -> None:
        """After all that was written has gone out."""
        self._go()
        self._transport.close()

    def is_closing(self) -> bool:
        """As of the transport."""
        return bool(self._transport.is_closing())

    def _go(self) -> None:
        """Nothing has followed."""
        if self._leave() and self._head is not None:
            self._transport.write(self._head)

    def _leave(self) -> bool:
        """From now on the request has the transport itself. Whether anything can be written."""
        if self._cycle.transport is self:
            self._cycle.transport = self._transport
        if self._later is not None:
            self._later.cancel()
        return not self._transport.is_closing()
