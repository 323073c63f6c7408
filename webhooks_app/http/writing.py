"""What is written in one turn of the event loop: all of it together, at its end."""

import asyncio
import logging
from collections.abc import Callable
from typing import Protocol

log = logging.getLogger(__name__)


class Begun(Protocol):
    """A connection on which a request was begun."""

    def write(self, *, is_allowed: bool) -> None:
        """Write it, if that is still wanted. Not allowed: nothing may be sent any more."""

    def abort(self) -> None:
        """End it at once."""


class Writing:
    """Of one client.

    A request wakes whoever it is for. Written one by one, between answers that are looked at, each does so
    anew, and takes the CPU from whoever sends; written together the first one wakes all.

    may_send: is asked right before each
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, may_send: Callable[[], bool]) -> None:
        self._loop = loop
        self._may_send = may_send
        self._begun: list[Begun] = []

    def put(self, connection: Begun) -> None:
        """Once in each turn, of the same connection."""
        if not self._begun:
            self._loop.call_soon(self._write)
        self._begun.append(connection)

    def _write(self) -> None:
        begun, self._begun = self._begun, []
        may_send = self._may_send
        for connection in begun:
            try:
                connection.write(is_allowed=may_send())
            except Exception:  # Whatever it is, it is of this one: the others are written.
                log.exception("A request could not be written.")
                connection.abort()
