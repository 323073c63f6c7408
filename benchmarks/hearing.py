"""What a peer tells of alerts, as one page hears it by Socket.IO: whether it does the same work."""

import json
import threading
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any, Final

from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from benchmarks.target import WrongResult

_EVENT: Final = '42["alert",'
_SAYS_SECONDS: Final = 10.0
_SILENCE_SECONDS: Final = 2.0
"""After so long without another event it has told everything."""

Told = Counter[tuple[Any, ...]]
"""Opens and closes by place, with what they say and when that begins and ends, to the millisecond."""


def told(messages: Iterable[dict[str, Any]]) -> Told:
    """What was told, in a form in which two programs can be compared."""
    return Counter(
        (
            *(one[name] for name in ("location", "eventType", "type")),
            *(_milliseconds(one[name]) for name in ("startTime", "endTime")),
        )
        for one in messages
    )


def require_same(heard: Told, expected: Told) -> None:
    """Each place has been told the same.

    Raises:
        WrongResult: not so, with one thing that is otherwise.
    """
    if heard != expected:
        lacks, more = expected - heard, heard - expected
        example = next(iter([*lacks, *more]))
        raise WrongResult(
            f"The peer tells otherwise than Relay: {lacks.total()} of {expected.total()} are not told, and "
            f"{more.total()} others are, such as {example}."
        )


class Page:
    """What one page has heard."""

    def __init__(self) -> None:
        self.heard: list[dict[str, Any]] = []
        self._at = time.monotonic()

    def hear(self, text: str) -> None:
        """One packet."""
        if text.startswith(_EVENT):
            self.heard.append(json.loads(text[2:])[1])
            self._at = time.monotonic()

    def await_all(self, expected: int) -> None:
        """Wait until it has heard so many, or nothing more comes."""
        while len(self.heard) < expected and time.monotonic() < self._at + _SILENCE_SECONDS:
            time.sleep(0.05)
        time.sleep(0.2)  # Whether it tells more than that.


@contextmanager
def hearing(port: int) -> Iterator[Page]:
    """A page that is connected, and hears."""
    page = Page()
    address = f"ws://127.0.0.1:{port}/socket.io/?EIO=4&transport=websocket"
    with connect(address, open_timeout=_SAYS_SECONDS, max_size=None) as socket:
        socket.recv(timeout=_SAYS_SECONDS)
        socket.send("40")
        socket.recv(timeout=_SAYS_SECONDS)

        def listen() -> None:
            try:
                for text in socket:
                    if text == "2":
                        socket.send("3")
                    page.hear(str(text))
            except ConnectionClosed:
                pass

        thread = threading.Thread(target=listen, daemon=True)
        thread.start()
        yield page
    thread.join(_SAYS_SECONDS)


def _milliseconds(time: str) -> int:
    return round(datetime.fromisoformat(time).timestamp() * 1000)
