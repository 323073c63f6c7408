"""Where a reader stands: what it asks next, and what an event, an answer or a break does. No I/O.

The place is the `id` of the last event that was handed on, never of one that has only arrived: what lies
between is asked for again.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, Final, Literal

from relay_client import backoff
from relay_client.answers import Answer, error_of
from relay_client.calls import EVENTS, Call, iso, with_parameters
from relay_client.errors import BadAnswer, RelayError, Unreachable, asked_to_wait, may_pass
from relay_client.rows import Gap, Message, as_row
from relay_client.subscribing.notices import Away
from relay_client.watching.rows import CaughtUp, Happening, Reset
from relay_client.watching.stream import Event, EventStream

MOST_CHANNELS: Final = 50

_ROWS: Final[Mapping[str, type[Message | Gap | Reset | CaughtUp]]] = {
    "message": Message,
    "gap": Gap,
    "stream-reset": Reset,
    "caught-up": CaughtUp,
}
"""Which row the data of an event is. Events of other names are a newer Relay's, and passed over."""

Since = datetime | Literal["earliest"]


class Trail:
    """One reader of some channels, through all its connections."""

    def __init__(
        self,
        channels: Sequence[str],
        *,
        after: str | None,
        since: Since | None,
        filter: Mapping[str, Any] | None,
        filter_scope: str | None = None,
    ) -> None:
        if not 1 <= len(channels) <= MOST_CHANNELS or isinstance(channels, str):
            raise ValueError(f"1 to {MOST_CHANNELS} channels can be watched at once.")
        if not _is_id(after or ""):
            raise ValueError("That is no id of an event.")
        self.id = after or ""
        """What a program keeps to go on from here later, as `after`."""
        self.is_over = False
        """Relay has said that no more comes."""
        self.channels = tuple(channels)
        self._since = iso(since) if isinstance(since, datetime) else since
        self._filter = None if filter is None else json.dumps(filter, default=dict)
        self._filter_scope = filter_scope
        self._stream = EventStream()
        self._is_open = False
        self._retry_seconds: float | None = None
        self._failures = 0
        self._is_told = False

    def call(self) -> Call:
        """What is asked next. A place that was reached counts, not the one where it began."""
        self._is_open = False
        path = with_parameters(
            "/live",
            channel=self.channels,
            since=None if self.id else self._since,
            filter=self._filter,
            filter_scope=self._filter_scope,
        )
        return Call("GET", path, accept=EVENTS, last_event_id=self.id)

    def begin(self, answer: Answer) -> bool:
        """Whether the answer is a stream, whose bytes `feed` takes; else nothing more comes.

        `answer` has a body only if it is no success.

        Raises:
            RelayError: it is an error.
        """
        if answer.status == 204:
            self.is_over = True
            return False
        if answer.status != 200:
            raise error_of(answer)
        kind = answer.headers.get("content-type", "").partition(";")[0].strip().lower()
        if kind != EVENTS:
            raise BadAnswer("The answer is no event stream: is this the address of Relay?")
        self._stream = EventStream(self.id)
        self._is_open = True
        return True

    def feed(self, chunk: bytes) -> Iterator[Happening]:
        """What these bytes bring. Whoever takes one is given it for good: the place goes on behind it.

        Raises:
            BadAnswer: they are none of Relay's.
        """
        for event in self._stream.feed(chunk):
            happening = self._read(event)
            if not _is_id(event.id):
                raise BadAnswer("An event has an id that Relay does not give.")
            self.id = event.id
            self._failures, self._is_told = 0, False
            if happening is not None:
                yield happening

    def broken(self, error: RelayError | None, chance: float) -> tuple[float, Away | None]:
        """Seconds until it is asked again, after an error or (None) the end of a stream; and what is told.

        Streams end when Relay restarts: that is told only if nothing has come since the last end.

        Raises:
            RelayError: the error, if it will not pass. What Relay would not say within a stream, it would
                say again.
        """
        if error is not None and (not may_pass(error) or (self._is_open and isinstance(error, BadAnswer))):
            raise error
        if self._stream.retry_seconds is not None:
            self._retry_seconds = self._stream.retry_seconds
        self._failures += 1
        asked = None if error is None else asked_to_wait(error)
        pause = backoff.delay(self._failures, chance, self._retry_seconds if asked is None else asked)
        if self._is_told or (error is None and self._failures < 2):
            return pause, None
        self._is_told = True
        return pause, Away(error or Unreachable("Relay ends the stream at once.", was_sent=True))

    def _read(self, event: Event) -> Happening | None:
        if event.data is None or (made := _ROWS.get(event.kind)) is None:
            return None
        try:
            said = json.loads(event.data)
        except ValueError:
            raise BadAnswer(f"The data of an event ({event.kind}) is not JSON.") from None
        return as_row(made, said)


def _is_id(text: str) -> bool:
    """Whether a header can carry it."""
    return re.fullmatch(r"[!-~]*", text) is not None
