"""Somebody who has a URL, and answers as a test says."""

import json
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Answering = Callable[["Got"], tuple[int, Mapping[str, str], bytes]]


@dataclass(frozen=True)
class Got:
    """A request."""

    method: str
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """The body."""
        return json.loads(self.body)


def silent(_: Got) -> tuple[int, Mapping[str, str], bytes]:
    """It takes what comes and says nothing."""
    return 200, {}, b""


def echoing(got: Got) -> tuple[int, Mapping[str, str], bytes]:
    """It sends the challenge back."""
    return 200, {}, json.dumps({"challenge": got.json["challenge"]}).encode()


@dataclass
class Receiver:
    """Its URL, what it got, and what it answers."""

    url: str
    answer: Answering = silent
    got: list[Got] = field(default_factory=list)


@contextmanager
def receiving() -> Iterator[Receiver]:
    """While it runs."""
    holder: list[Receiver] = []

    class Handler(BaseHTTPRequestHandler):
        def answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            headers = {name.lower(): value for name, value in self.headers.items()}
            got = Got(self.command, headers, body)
            holder[0].got.append(got)
            status, said, content = holder[0].answer(got)
            self.send_response(status)
            for name, value in said.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: Any) -> None:
            pass

    for method in ("POST", "OPTIONS"):
        setattr(Handler, f"do_{method}", Handler.answer)
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    holder.append(Receiver(f"http://127.0.0.1:{server.server_address[1]}/hook"))
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield holder[0]
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
