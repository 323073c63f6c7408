"""Endpoints that take everything at once: a process of its own, with as little as possible for each request.

`python -m benchmarks.receiver [CERTIFICATE KEY]` prints its ports, for HTTP and for HTTPS. Each line that it
reads is how many requests come next; once all of them have, it prints when, and how many had come before.
A request is known by its path and its `webhook-id`. Connections carry one request after another.
"""

import asyncio
import json
import re
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Self

import uvloop

from benchmarks.target import WrongResult
from tests.acceptance.stack import ROOT
from webhooks_app.http.room import most_connections

PATIENCE_SECONDS: Final = 240.0

_ANSWER: Final = b"HTTP/1.1 204 No Content\r\n\r\n"
_SAID: Final = re.compile(
    rb"^POST (\S+) (?=.*^content-length: *(\d+))(?=.*^webhook-id: *(\S+))", re.I | re.M | re.S
)


@dataclass(frozen=True, slots=True)
class Came:
    """All that was expected. `at`: when the last one had come, by `time.monotonic`."""

    at: float
    repeated: int


class Receiver:
    """That process, from outside."""

    def __init__(self, process: "subprocess.Popen[bytes]") -> None:
        self._process = process
        self._ports = self._read()

    def urls(self, count: int, *, is_tls: bool = False) -> list[str]:
        """So many endpoints."""
        scheme = "https" if is_tls else "http"
        return [f"{scheme}://127.0.0.1:{self._ports[scheme]}/{number}" for number in range(count)]

    def expect(self, count: int) -> Self:
        """So many are sent from now on."""
        assert self._process.stdin is not None
        self._process.stdin.write(b"%d\n" % count)
        self._process.stdin.flush()
        self._read()
        return self

    def wait(self) -> Came:
        """Until all of them have come.

        Raises:
            WrongResult: they do not.
        """
        said = self._read()
        if "missing" in said:
            raise WrongResult(f"{said['missing']} webhooks have not come in {PATIENCE_SECONDS:.0f} s.")
        return Came(**said)

    def _read(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise WrongResult("The receiver of webhooks has ended.")
        said: dict[str, Any] = json.loads(line)
        return said


@contextmanager
def receiving(certificate: Path | None = None, key: Path | None = None) -> Iterator[Receiver]:
    """With a certificate it takes HTTPS as well."""
    argv = [sys.executable, "-m", "benchmarks.receiver", *map(str, filter(None, (certificate, key)))]
    process = subprocess.Popen(argv, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        yield Receiver(process)
    finally:
        process.kill()
        process.communicate()


# --- the process -----------------------------------------------------------------------------


class _Counted:
    """What has come since something was expected."""

    def __init__(self) -> None:
        self._left = 0
        self._seen: set[tuple[bytes, bytes]] = set()
        self._requests = 0
        self._late: asyncio.TimerHandle | None = None

    def expect(self, count: int) -> None:
        self._left, self._requests = count, 0
        self._seen.clear()
        if self._late is not None:
            self._late.cancel()
        self._late = asyncio.get_running_loop().call_later(PATIENCE_SECONDS, self._miss)
        _say({})

    def count(self, path: bytes, id: bytes) -> None:
        self._requests += 1
        if self._left and (one := (path, id)) not in self._seen:
            self._seen.add(one)
            self._left -= 1
            if not self._left:
                _say({"at": time.monotonic(), "repeated": self._requests - len(self._seen)})

    def _miss(self) -> None:
        if self._left:
            _say({"missing": self._left})


class _Taking(asyncio.Protocol):
    """One connection."""

    def __init__(self, counted: _Counted) -> None:
        self._counted = counted
        self._held = b""

    def connection_made(self, transport: Any) -> None:
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        held = self._held + data
        end = held.find(b"\r\n\r\n")
        if end < 0 or (said := _SAID.match(held)) is None or len(held) < end + 4 + int(said[2]):
            self._held = held
            return
        self._held = b""
        self._counted.count(said[1], said[3])
        self._transport.write(_ANSWER)


async def _receive(certificate: str | None, key: str | None) -> None:
    most_connections()
    counted, loop = _Counted(), asyncio.get_running_loop()
    ports = {}
    for scheme in ("http", "https")[: 1 if certificate is None else 2]:
        context = None
        if scheme == "https":
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(str(certificate), key)
        server = await loop.create_server(lambda: _Taking(counted), "127.0.0.1", 0, ssl=context, backlog=4096)
        ports[scheme] = server.sockets[0].getsockname()[1]
    _say(ports)
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        counted.expect(int(line))


def _say(what: object) -> None:
    print(json.dumps(what), flush=True)


if __name__ == "__main__":
    uvloop.run(_receive(*[*sys.argv[1:], None, None][:2]))
