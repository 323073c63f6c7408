"""An event stream, by the letter of the HTML standard (9.2.5 Parsing, 9.2.6 Interpreting). No I/O."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from relay_client.errors import BadAnswer

MOST_BYTES: Final = 64 * 1024 * 1024
"""Of one event; what is larger is none of Relay's."""

MOST_RETRY_SECONDS: Final = 300.0
_BOM: Final = b"\xef\xbb\xbf"
_MOST_DIGITS: Final = 9


@dataclass(frozen=True, slots=True)
class Event:
    """One event. `kind`: "message" where the stream names none; `data`: None where only the id goes on."""

    kind: str
    data: str | None = field(repr=False)
    id: str


class EventStream:
    """The bytes of one answer, as they come, made into events.

    `id`: the one that was sent in `Last-Event-ID`, which holds until the stream names another.
    """

    def __init__(self, id: str = "") -> None:
        self.retry_seconds: float | None = None
        """What the stream asks to wait before it is opened again; None: it does not say."""
        self._id = id
        self._kind = ""
        self._data: list[str] = []
        self._names_id = False
        self._line = bytearray()
        self._size = 0
        self._is_after_cr = False
        self._start: bytes | None = b""

    def feed(self, chunk: bytes) -> Iterator[Event]:
        """The events that these bytes complete. All of them have to be taken before the next bytes come.

        Raises:
            BadAnswer: an event is too large.
        """
        for line in self._lines(self._without_bom(chunk)):
            if line:
                self._interpret(line.decode(errors="replace"))
                continue
            self._size = 0
            if (event := self._dispatch()) is not None:
                yield event

    def _without_bom(self, chunk: bytes) -> bytes:
        """One byte order mark at the very beginning is no part of the first line."""
        if self._start is None:
            return chunk
        begun = self._start + chunk
        if len(begun) < len(_BOM) and _BOM.startswith(begun):
            self._start = begun
            return b""
        self._start = None
        return begun.removeprefix(_BOM)

    def _lines(self, chunk: bytes) -> Iterator[bytes]:
        """Whole lines, without their ends: CR LF, LF or CR. The rest waits."""
        if not chunk:
            return
        if self._is_after_cr:
            chunk = chunk.removeprefix(b"\n")
        self._is_after_cr = chunk.endswith(b"\r")
        for line in chunk.splitlines(keepends=True):
            bare = line.rstrip(b"\r\n")
            self._size += len(bare)
            if self._size > MOST_BYTES:
                raise BadAnswer(f"An event has more than {MOST_BYTES} bytes: is this the address of Relay?")
            self._line += bare
            if len(bare) < len(line):
                whole = bytes(self._line)
                self._line.clear()
                yield whole

    def _interpret(self, line: str) -> None:
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        match name:  # A comment has no name.
            case "event":
                self._kind = value
            case "data":
                self._data.append(value)
            case "id" if "\0" not in value:
                self._id = value
                self._names_id = True
            case "retry" if value.isascii() and value.isdigit():
                asked = int(value) / 1000 if len(value) <= _MOST_DIGITS else MOST_RETRY_SECONDS
                self.retry_seconds = min(asked, MOST_RETRY_SECONDS)

    def _dispatch(self) -> Event | None:
        kind, data, names_id = self._kind or "message", self._data, self._names_id
        self._kind, self._data, self._names_id = "", [], False
        if data:
            return Event(kind, "\n".join(data), self._id)
        return Event(kind, None, self._id) if names_id else None
