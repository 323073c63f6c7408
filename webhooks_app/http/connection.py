"""One connection: it carries one request after another."""

import asyncio
import time
from typing import Any, Final, Protocol

from relaycore.sending.answers import Answer, Failure
from webhooks_app.http import failures
from webhooks_app.http.exchange import Exchange, Stage
from webhooks_app.http.failures import Failed
from webhooks_app.http.reading import Reading
from webhooks_app.http.writing import Writing

LIFE_SECONDS: Final = 300.0
"""So long a connection is used: a name that leads elsewhere is followed by then, however busy it is."""

_WRITTEN: Final = Stage.WRITTEN
_TIMED_OUT: Final = 408
"""So some say that they close a connection on which nothing came for a while."""
_SAYINGS: Final = {
    Failure.PROTOCOL: "What was answered is no HTTP.",
    Failure.TOO_LARGE: "The headers of the answer are too large.",
}


class Owner(Protocol):
    """Whose connection it is. What each of these is said of is not under way here any more."""

    def end(self, exchange: Exchange, answer: Answer) -> None:
        """It has its answer."""

    def fail(self, exchange: Exchange, failed: Failed) -> None:
        """There will be no answer."""

    def again(self, exchange: Exchange) -> None:
        """The connection had been closed, or its end was said, before it was asked."""

    def anew(self, exchange: Exchange) -> None:
        """The connection has ended, and nothing was written."""

    def withhold(self, connection: "Connection", exchange: Exchange) -> None:
        """It may not be sent, and nothing was written."""

    def keep(self, connection: "Connection") -> None:
        """It is free."""

    def part(self, connection: "Connection") -> None:
        """Nothing may be begun on it any more."""

    def lost(self, connection: "Connection") -> None:
        """It has ended."""


class Connection(asyncio.Protocol):
    """Of one owner, to one address.

    address:    that it was made to
    idle_since: when its last answer had come, by `time.monotonic`
    is_last:    what is under way here is the last that it carries; nothing is begun on it
    """

    def __init__(self, owner: Owner, address: str, writing: Writing) -> None:
        self.address = address
        self.idle_since = 0.0
        self.is_last = False
        self._owner = owner
        self._writing = writing
        self._transport: Any = None
        self._exchange: Exchange | None = None
        self._reading = Reading()
        self._is_used = self._is_over = False
        self._until = time.monotonic() + LIFE_SECONDS

    def connection_made(self, transport: Any) -> None:
        """It is there, with TLS if that is wanted."""
        self._transport = transport
        if self.is_last:
            transport.abort()

    def begin(self, exchange: Exchange) -> None:
        """Write a request, at the end of this turn. Nothing else is under way here."""
        self._exchange = exchange
        exchange.connection = self
        self._reading.begin()
        self._writing.put(self)

    @property
    def is_asked(self) -> bool:
        """Whether it carries a request that was written."""
        return self._exchange is not None and self._exchange.stage is _WRITTEN

    def write(self, *, is_allowed: bool) -> None:
        """Write what was begun in this turn, unless it was given up, or this has ended."""
        exchange = self._exchange
        if exchange is None or self._is_over:
            return
        if is_allowed:
            exchange.stage = _WRITTEN
            self._transport.write(exchange.data)
        else:
            self._exchange = exchange.connection = None
            self._owner.withhold(self, exchange)

    def data_received(self, data: bytes) -> None:
        """Something has come. What nobody has asked for ends the connection."""
        exchange = self._exchange
        if exchange is None or exchange.stage is not _WRITTEN:
            self.abort()
            return
        found = self._reading.feed(data)
        if found is False:
            return
        self._exchange = None
        if self._reading.status == _TIMED_OUT and self._had_ended(exchange):
            self.abort()
            self._owner.again(exchange)
            return
        now = time.monotonic()
        seconds = now - exchange.since
        if found is True:
            answer = self._reading.answer(seconds)
        else:
            answer = Answer(None, found, _SAYINGS[found], seconds=seconds)
        if self.is_last or not self._reading.can_stay or now > self._until:
            self.abort()
        elif self._transport.get_write_buffer_size():
            self.abort()  # What it has not taken of this request it would take for the next one.
        else:
            self._is_used = True
            self.idle_since = now
            self._owner.keep(self)
        self._owner.end(exchange, answer)

    def eof_received(self) -> None:
        """The other side says no more. The transport closes."""
        self._part()

    def connection_lost(self, exc: Exception | None) -> None:
        """It is not there any more. A body that nothing else ends has come to its end."""
        exchange, self._exchange = self._exchange, None
        self._part()
        if exchange is None:
            pass
        elif self._is_used and exchange.stage is not _WRITTEN:
            self._owner.anew(exchange)
        elif self._had_ended(exchange):
            self._owner.again(exchange)
        elif self._reading.status is not None:
            if exc is None:
                self._reading.end()
            self._owner.end(exchange, self._reading.answer(time.monotonic() - exchange.since))
        else:
            self._owner.fail(exchange, failures.of_end(exc))
        self._owner.lost(self)

    def _had_ended(self, exchange: Exchange) -> bool:
        """Whether it was closed, or was about to be, before it was asked for the first time."""
        if not self._is_used or exchange.is_again:
            return False
        return not self._reading.has_come or self._reading.status == _TIMED_OUT

    def let_go(self) -> Answer | None:
        """The time of what is under way is up. What has come of its answer, if its head has."""
        exchange, self._exchange = self._exchange, None
        self.abort()
        if exchange is None or self._reading.status is None:
            return None
        return self._reading.answer(time.monotonic() - exchange.since)

    def abort(self) -> None:
        """End it at once: one that waits for the other side to take something might never end."""
        self._part()
        if self._transport is not None:
            self._transport.abort()

    def _part(self) -> None:
        self.is_last = self._is_over = True
        self._owner.part(self)
