"""One connection to Redis, without a client's manners.

A client that reconnects by itself hides the very thing a listener must know: that it
was deaf for a moment. And one that waits for each reply cannot hear and append at the
same time. A `Wire` never reconnects, never blocks, and hands out replies just as they
came: a reply that is an error is a value (`hiredis.ReplyError`), not an exception.
"""

import errno
import ssl
from typing import Any, Final, Protocol, cast

import hiredis

from relaycore.errors import Disconnected

READ_BYTES: Final = 1 << 17
_NOTHING_YET: Final = object()
_WAIT: Final = (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError)

Argument = str | bytes | int


class Connection(Protocol):
    """What is used of a redis-py connection: that it was made, and its socket."""

    _sock: Any

    def disconnect(self) -> None:
        """Close it."""


class Wire:
    """A made connection, taken over from redis-py."""

    def __init__(self, connection: Connection) -> None:
        # redis-py has no public access to the socket; its version is pinned and a test
        # (tests/integration/test_wire.py) would show a change.
        self._connection = connection
        self._socket = connection._sock
        self._socket.setblocking(False)
        self._is_encrypted = isinstance(self._socket, ssl.SSLSocket)
        self._parser = hiredis.Reader(notEnoughData=_NOTHING_YET)
        self._unsent = bytearray()
        self.received_bytes = 0

    def fileno(self) -> int:
        """For a selector."""
        return int(self._socket.fileno())

    @property
    def wants_to_write(self) -> bool:
        """Whether something waits for room in the socket's buffer."""
        return bool(self._unsent)

    def send(self, *commands: tuple[Argument, ...]) -> None:
        """Send commands, as much as goes out at once; `flush` sends the rest.

        Raises:
            Disconnected: the connection ended.
        """
        for command in commands:
            # hiredis takes any mixture; its stub names tuples of one length only.
            self._unsent += hiredis.pack_command(command)  # type: ignore[arg-type]
        self.flush()

    def flush(self) -> None:
        """Send what still waits.

        Raises:
            Disconnected: the connection ended.
        """
        while self._unsent:
            try:
                sent = self._socket.send(self._unsent)
            except _WAIT:
                return
            except OSError as exc:
                raise Disconnected(f"Redis ended the connection: {_name(exc)}") from exc
            del self._unsent[:sent]

    def receive(self) -> list[Any]:
        """The replies that have come whole, after reading about 128 KiB, or all there is.

        Raises:
            Disconnected: the connection ended, or what came is not a reply.
        """
        data = self._read_records() if self._is_encrypted else self._read()
        if data is None:
            return []
        if not data:
            raise Disconnected("Redis ended the connection.")
        self.received_bytes += len(data)
        try:
            self._parser.feed(data)
            return list(iter(self._parser.gets, _NOTHING_YET))
        except hiredis.ProtocolError as exc:
            raise Disconnected("Redis sent something that is not a reply.") from exc

    def _read(self) -> bytes | None:
        """What one read brings: None if nothing is there, empty if nothing will come any more."""
        try:
            return cast(bytes, self._socket.recv(READ_BYTES))
        except _WAIT:
            return None
        except OSError as exc:
            raise Disconnected(f"Redis ended the connection: {_name(exc)}") from exc

    def _read_records(self) -> bytes | None:
        """The same over TLS, where a read brings one record of at most 16 KiB.

        A caller that rests after a read that was not full would never catch up with such reads. And
        what TLS holds back of a record, no selector announces.
        """
        data = self._read()
        if not data:
            return data
        records, size = [data], len(data)
        while size < READ_BYTES or self._socket.pending():
            try:
                data = self._read()
            except Disconnected:
                break  # The next read says so again. What came before the end is whole.
            if not data:
                break
            records.append(data)
            size += len(data)
        return b"".join(records)

    def close(self) -> None:
        """End the connection."""
        self._connection.disconnect()


def _name(exc: OSError) -> str:
    return errno.errorcode.get(exc.errno or 0, type(exc).__name__)
