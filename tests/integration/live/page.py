"""Pages that watch by Socket.IO: the public client in Node.js, a process each (`tests/socketio_clients`)."""

import json
import subprocess
import threading
import time
from collections.abc import Callable
from typing import Any, Final

from tests.node import NODE, ROOT, environment, installed

NEWEST: Final = "socket.io-client"
OLDEST: Final = "socket.io-client-4.0.0"

POLLING: Final = ["polling"]
WEBSOCKET: Final = ["websocket"]
BOTH: Final = ["polling", "websocket"]
"""As a page has it that says nothing: it begins with polling, and changes over."""


class Page:
    """One page. `said`: all that it has said, in order. A context manager: it is closed in the end."""

    def __init__(self, url: str, token: str | None, script: str = "watch.mjs", **wanted: Any) -> None:
        asked = {"library": NEWEST, "transports": BOTH, "url": url, "token": token, **wanted}
        self.said: list[dict[str, Any]] = []
        self._process = subprocess.Popen(
            [NODE, script, json.dumps(asked)],
            cwd=installed(ROOT / "tests" / "socketio_clients"),
            env=environment(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def __enter__(self) -> "Page":
        return self

    def __exit__(self, *exc_info: object) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._reader.join(10)
        self._process.stdout.close()

    def all(self, name: str) -> list[Any]:
        """What it has said of this so far."""
        return [one[name] for one in list(self.said) if name in one]

    def texts(self) -> list[str]:
        """The messages that it has been shown."""
        return [row["message"] for row in self.all("message")]

    def wait(self, condition: Callable[[], object], seconds: float = 20.0) -> None:
        """Until something is so."""
        until = time.monotonic() + seconds
        while not condition():
            assert self._process.poll() is None, "the page has ended"
            assert time.monotonic() < until, self.said[-20:]
            time.sleep(0.01)

    def first(self, name: str, seconds: float = 20.0) -> Any:
        """The first that it says of this."""
        self.wait(lambda: self.all(name), seconds)
        return self.all(name)[0]

    def ask(self, name: str, data: Any) -> Any:
        """Send an event; what is answered."""
        before = len(self.all("answer"))
        self._order({"emit": [name, data]})
        self.wait(lambda: len(self.all("answer")) > before)
        return self.all("answer")[before]

    def ask_for(self, name: str) -> Any:
        """What it says of this when it is asked."""
        before = len(self.all(name))
        self._order({"ask": name})
        self.wait(lambda: len(self.all(name)) > before)
        return self.all(name)[before]

    def break_off(self) -> None:
        """End its connection, without a word; it comes again."""
        self._order({"break": True})

    def _order(self, order: Any) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self.said.append(json.loads(line))
