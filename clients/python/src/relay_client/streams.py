"""Answers that go on: the other place that does I/O. Each has a connection of its own, kept for nobody else.

A thread that waits for bytes is woken by nothing but its socket. So the socket is noted as soon as there is
one, and `cut` shuts it down, from any thread or a signal handler: it takes no lock, and what has been read
stays read.
"""

import contextlib
import socket
import ssl
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from typing import Any, Final

import httpx2

from relay_client.answers import Answer
from relay_client.calls import Call
from relay_client.connections import Address, unreachable

_ALONE: Final = httpx2.Limits(max_keepalive_connections=0)
_CONNECT_SECONDS: Final = 10.0
_HEADERS: Final = {"Accept-Encoding": "identity", "Cache-Control": "no-store"}
"""What packs or keeps an answer would hold back its newest bytes."""


class Streams:
    """One stream at a time, for threads.

    `silence_seconds`: after so long without a byte the connection is given up.
    """

    def __init__(
        self,
        address: Address,
        *,
        silence_seconds: float,
        verify: ssl.SSLContext | bool,
        transport: httpx2.BaseTransport | None,
    ) -> None:
        self._address = address
        self._http = httpx2.Client(
            headers={**address.headers, **_HEADERS},
            timeout=_patience(silence_seconds),
            verify=verify,
            transport=transport,
            limits=_ALONE,
        )
        self._grip = _Grip()
        self._is_closed = False

    @contextmanager
    def open(self, call: Call) -> Iterator[tuple[Answer, Iterator[bytes]]]:
        """An answer, and the bytes of its body if it is a success; else the body is in the answer.

        Raises:
            Unreachable: there is none, or it breaks off.
        """
        self._grip = grip = _Grip()
        if self._is_closed:
            grip.cut()
        try:
            with self._http.stream(
                "GET", self._address.to(call), headers=_raw(call), extensions={"trace": grip.note}
            ) as got:
                body = b"" if got.is_success else got.read()
                yield _answer(got, body), got.iter_bytes()
        except (httpx2.HTTPError, httpx2.InvalidURL) as exc:
            raise unreachable(exc) from exc

    def cut(self) -> None:
        """End the stream that is open or being opened, if there is one."""
        self._grip.cut()

    def end(self) -> None:
        """The same, and for each that is opened later."""
        self._is_closed = True
        self._grip.cut()

    def close(self) -> None:
        """Let go of everything. Not for a signal handler."""
        self.end()
        self._http.close()


class _Grip:
    """The socket of one stream."""

    def __init__(self) -> None:
        self._socket: socket.socket | None = None
        self._is_cut = False

    def note(self, event: str, about: Mapping[str, Any]) -> None:
        """What the HTTP client says that it has done."""
        if event.endswith((".connect_tcp.complete", ".start_tls.complete")):
            self._socket = about["return_value"].get_extra_info("socket")
            if self._is_cut:
                self.cut()

    def cut(self) -> None:
        self._is_cut = True
        if self._socket is not None:
            with contextlib.suppress(OSError):
                # Not the socket's own method, if it speaks TLS: that one is made for who reads from it.
                socket.socket.shutdown(self._socket, socket.SHUT_RDWR)


class AsyncStreams:
    """The same for asyncio, where who reads is cancelled."""

    def __init__(
        self,
        address: Address,
        *,
        silence_seconds: float,
        verify: ssl.SSLContext | bool,
        transport: httpx2.AsyncBaseTransport | None,
    ) -> None:
        self._address = address
        self._http = httpx2.AsyncClient(
            headers={**address.headers, **_HEADERS},
            timeout=_patience(silence_seconds),
            verify=verify,
            transport=transport,
            limits=_ALONE,
        )

    @asynccontextmanager
    async def open(self, call: Call) -> AsyncIterator[tuple[Answer, AsyncIterator[bytes]]]:
        """As `Streams.open`."""
        try:
            async with self._http.stream("GET", self._address.to(call), headers=_raw(call)) as got:
                body = b"" if got.is_success else await got.aread()
                yield _answer(got, body), got.aiter_bytes()
        except (httpx2.HTTPError, httpx2.InvalidURL) as exc:
            raise unreachable(exc) from exc

    async def close(self) -> None:
        """Let go of everything."""
        await self._http.aclose()


def _patience(silence_seconds: float) -> httpx2.Timeout:
    return httpx2.Timeout(_CONNECT_SECONDS, read=silence_seconds)


def _raw(call: Call) -> dict[bytes, bytes]:
    return {name.encode(): value.encode() for name, value in call.headers.items()}


def _answer(got: httpx2.Response, body: bytes) -> Answer:
    headers = {name.lower(): value for name, value in got.headers.items()}
    return Answer(got.status_code, headers, body)
