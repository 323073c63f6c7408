"""A client that watches, over as many connections as it takes, as the HTML standard has one."""

import contextlib
import http.client
import json
import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, urlencode, urlsplit


@dataclass(frozen=True, slots=True)
class Event:
    """What a client is given: `id` is that of the last one that was given with any."""

    data: str
    id: str
    event: str = "message"

    @property
    def json(self) -> Any:
        return json.loads(self.data)


def events(lines: Iterator[bytes]) -> Iterator[Event | str]:
    """The events of a stream; a text: the id that was given without an event."""
    data: list[str] = []
    id, kind, has_id = "", "", False
    for line in lines:
        text = line.decode().rstrip("\n")
        assert not text.endswith("\r")
        name, _, value = text.partition(":")
        value = value.removeprefix(" ")
        if not text:
            if data:
                yield Event("\n".join(data), id, kind or "message")
            elif has_id:
                yield id
            data, kind, has_id = [], "", False
        elif name == "data":
            data.append(value)
        elif name == "event":
            kind = value
        elif name == "id":
            id, has_id = value, True
        else:
            assert name in {"", "retry"}, text


def address(channels: str | list[str], **query: Any) -> str:
    found = {"channel": channels, **query} if isinstance(channels, list) else query
    path = "/api/v1/live" if isinstance(channels, list) else f"/api/v1/channels/{quote(channels, '')}/live"
    return f"{path}?{urlencode(found, doseq=True)}"


@dataclass(slots=True)
class Watcher:
    """Comes again with its last id whenever its connection ends. For `with`: in a thread of its own."""

    url: str
    key: str
    path: str
    last_id: str = ""
    given: list[Event] = field(default_factory=list)
    statuses: list[int] = field(default_factory=list)
    retries: list[int] = field(default_factory=list)
    pause: float = 0.05
    is_over: bool = False
    _connection: http.client.HTTPConnection | None = None
    _answer: http.client.HTTPResponse | None = None
    _thread: threading.Thread | None = None
    _paused: threading.Event = field(default_factory=threading.Event)

    @property
    def messages(self) -> list[Event]:
        return [event for event in self.given if event.event in {"message", "base64"}]

    @property
    def texts(self) -> list[str]:
        return [event.json["message"] for event in self.messages]

    def told(self, kind: str) -> list[Any]:
        return [event.json for event in self.given if event.event == kind]

    def connect(self) -> http.client.HTTPResponse:
        parts = urlsplit(self.url)
        self._connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=30)
        headers = {"Authorization": f"Bearer {self.key}", "Accept": "text/event-stream"}
        if self.last_id:
            headers["Last-Event-ID"] = self.last_id
        self._connection.request("GET", self.path, headers=headers)
        self._answer = answer = self._connection.getresponse()
        self.statuses.append(answer.status)
        return answer

    def watch(self, until: Callable[[Event], bool] = lambda event: False) -> None:
        """One connection, to its end, or until this has come."""
        try:
            answer = self.connect()
            if answer.status != 200:
                return
            for found in events(self._lines(answer)):
                self.last_id = found if isinstance(found, str) else found.id or self.last_id
                if isinstance(found, Event):
                    self.given.append(found)
                    if until(found):
                        return
        finally:
            self.cut()

    def break_off(self) -> None:
        """In the middle of whatever is being read."""
        sock = self._connection.sock if self._connection is not None else None
        if sock is not None:
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)

    def cut(self) -> None:
        """Nothing more is read."""
        if self._answer is not None:
            self._answer.close()
        if self._connection is not None:
            self._connection.close()

    def _lines(self, answer: http.client.HTTPResponse) -> Iterator[bytes]:
        while line := answer.readline():
            if line.startswith(b"retry: "):
                self.retries.append(int(line[7:]))
            yield line

    def _run(self) -> None:
        while not self.is_over:
            # Broken off anywhere; its connection may be another one by then.
            with contextlib.suppress(OSError, http.client.HTTPException, ValueError, AttributeError):
                self.watch()
            if self.statuses and self.statuses[-1] not in {200, 503}:
                return
            self._paused.wait(self.pause)

    def __enter__(self) -> "Watcher":
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.is_over = True
        self._paused.set()
        self.break_off()
        if self._thread is not None:
            self._thread.join(5)
