"""TLS between a socket and a connection: a protocol to the one, a transport to the other.

Event loops bring their own, for whoever wants to do anything with it: with buffers of 256 KiB for each
connection, flow control and an orderly end, which take twice what the cryptography does. Here requests are
written whole, answers are short, and a connection is always broken off.

TLS has a conversation of its own beside what it carries: tickets, keys that are renewed, a handshake that
begins anew. The other side may go on with that for as long as it likes; each word of it costs more than a
piece of an answer does, and no bound on answers sees any of it. So it has a bound here: `MOST_BESIDE`.
"""

import asyncio
import ssl
from typing import Any, Final

MOST_BESIDE: Final = 64 << 10
"""Bytes between two requests that are nothing of an answer: heads of records, tickets, new handshakes."""

MOST_BEFORE: Final = 192 << 10
"""Bytes of the first handshake. OpenSSL takes certificates of 100 KiB."""

_PIECE: Final = 64 << 10
_FED: Final = 16 << 10
"""Bytes that are looked at together: so many more than may be, at most. A record has no more than these."""


class Sealed(asyncio.Protocol):
    """One connection that is, or will be, encrypted.

    begun: is done once it is; its error says why it cannot be
    """

    def __init__(
        self,
        protocol: asyncio.Protocol,
        context: ssl.SSLContext,
        host: str,
        loop: asyncio.AbstractEventLoop,
    ) -> None:
        self.begun: asyncio.Future[None] = loop.create_future()
        self._protocol = protocol
        self._come, self._go = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._come, self._go, server_hostname=host)
        self._transport: Any = None
        self._is_begun = False
        self._is_over = False
        self._left = MOST_BEFORE
        """Bytes that may still come beside an answer."""
        self._error: ssl.SSLError | None = None

    # --- to the socket -------------------------------------------------------------------

    def connection_made(self, transport: Any) -> None:
        """There is a connection, on which nothing is encrypted yet."""
        self._transport = transport
        self._protocol.connection_made(self)  # type: ignore[arg-type]
        self._begin()

    def data_received(self, data: bytes) -> None:
        """Something encrypted."""
        for begin in range(0, len(data), _FED):
            self._feed(data[begin : begin + _FED])

    def _feed(self, data: bytes) -> None:
        if self._is_over:
            return
        self._left -= len(data)
        self._come.write(data)
        if not self._is_begun:
            self._begin()
        if self._is_begun:
            self._read()
            self._flush()
        if self._left < 0:
            self._end(_too_much())

    def eof_received(self) -> None:
        """The other side says no more."""
        self._protocol.eof_received()

    def connection_lost(self, exc: Exception | None) -> None:
        """It has ended, for a reason of TLS if there is one."""
        self._is_over = True
        self._fail(self._error or exc or ConnectionResetError())
        self._protocol.connection_lost(self._error or exc)

    # --- to the connection ---------------------------------------------------------------

    def write(self, data: bytes) -> None:
        """Encrypt all of it, and send it: a request."""
        self._left = MOST_BESIDE
        try:
            self._tls.write(data)  # All of it: in memory there is room.
        except ssl.SSLError as exc:
            self._end(exc)
        self._flush()

    def abort(self) -> None:
        """End it at once."""
        self._is_over = True
        self._transport.abort()

    def get_write_buffer_size(self) -> int:
        """Bytes that the other side has not taken."""
        return int(self._transport.get_write_buffer_size())

    # --- within --------------------------------------------------------------------------

    def _begin(self) -> None:
        try:
            self._tls.do_handshake()
        except ssl.SSLWantReadError:
            self._flush()
        except ssl.SSLError as exc:
            self._flush()  # The other side is told why.
            self._end(exc)
            self._fail(exc)
        else:
            self._flush()
            self._is_begun = True
            self._left = MOST_BESIDE
            if not self.begun.done():
                self.begun.set_result(None)

    def _read(self) -> None:
        while not self._is_over:
            try:
                data = self._tls.read(_PIECE)
            except ssl.SSLWantReadError:
                return
            except ssl.SSLError as exc:
                self._end(exc)
                return
            if not data:
                self.abort()
                return
            self._left += len(data)
            self._protocol.data_received(data)
            # Asked once more only if something is left: what says that there is nothing is an exception.
            if not (self._come.pending or self._tls.pending()):
                return

    def _flush(self) -> None:
        if self._go.pending and not self._is_over:
            self._transport.write(self._go.read())

    def _end(self, exc: ssl.SSLError) -> None:
        self._error = self._error or exc
        self.abort()

    def _fail(self, exc: Exception) -> None:
        if not self.begun.done():
            self.begun.set_exception(exc)
            self.begun.exception()  # Whoever waited may have given up.


def _too_much() -> ssl.SSLError:
    error = ssl.SSLError("too much that is nothing of an answer")
    error.reason = "TOO_MUCH_THAT_IS_NOTHING_OF_AN_ANSWER"
    return error
