"""One HTTP connection of a client that does as little as possible, since it shares the machine."""

import asyncio
from typing import Self

from benchmarks.target import WrongResult
from benchmarks.web import Web, length_of

_SUCCESS = b"HTTP/1.1 20"


class Connection(asyncio.Protocol):
    """Sends a request when it is told to."""

    def __init__(self) -> None:
        self._transport: asyncio.Transport
        self._answered: asyncio.Future[bytes] | None = None
        self._head = b""
        self._left = -1
        self._parts: list[bytes] = []

    @classmethod
    async def open(cls, server: Web) -> Self:
        """To this server."""
        _, made = await asyncio.get_running_loop().create_connection(cls, "127.0.0.1", server.port)
        return made

    def ask(self, request: bytes) -> "asyncio.Future[bytes]":
        """The body of the answer.

        Raises:
            WrongResult: it is none of success, or the connection has ended.
        """
        self._answered = asyncio.get_running_loop().create_future()
        self._transport.write(request)
        return self._answered

    def close(self) -> None:
        """In the end."""
        self._transport.close()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """It is open."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """A piece of the answer."""
        if self._left < 0:
            self._head += data
            head, separator, data = self._head.partition(b"\r\n\r\n")
            if not separator:
                return
            self._head, self._left = head, length_of(head)
        self._parts.append(data)
        self._left -= len(data)
        if self._left > 0 or self._answered is None:
            return
        head, self._head, self._left = self._head, b"", -1
        body, self._parts = b"".join(self._parts), []
        answered, self._answered = self._answered, None
        if answered.done():  # Nobody waits for it any more.
            return
        if head.startswith(_SUCCESS):
            answered.set_result(body)
        else:
            answered.set_exception(WrongResult(f"{head.decode('latin-1')}\n{body[:500]!r}"))

    def connection_lost(self, exc: Exception | None) -> None:
        """It has ended."""
        if self._answered is not None and not self._answered.done():
            self._answered.set_exception(WrongResult("the connection has ended"))


def request(server: Web, path: str, body: bytes, content_type: str = "application/json") -> bytes:
    """A POST, as it goes over the wire."""
    head = (
        f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {server.token}\r\n"
        f"Content-Type: {content_type}\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body
