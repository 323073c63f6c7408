"""Publishing at a Relay by HTTP, as `manage.py publish` does: each request again until it is answered."""

import http.client
import json
import re
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

from relaybase.http.addresses import quoted

_MOST_MESSAGES: Final = 1000
_MOST_BYTES: Final = 1 << 20
_TRIES: Final = 8
_TIMEOUT_SECONDS: Final = 30.0
_WAIT_SECONDS: Final = 2.0
_LONGEST_WAIT_SECONDS: Final = 120.0
"""However long the header Retry-After asks to wait."""

_RUN: Final = re.compile(r"[\x21-\x7e]{1,200}")
"""Relay takes keys of 255, and the number of the request comes behind it."""


class NotPublished(Exception):
    """It was not taken; the text says why."""


@dataclass(frozen=True, slots=True)
class Part:
    """What one request brings of a file: a message a line.

    numbers: of the lines of the file in which the messages stand; the first is 1
    """

    body: bytes
    numbers: Sequence[int]


class Poster:
    """Publishes on one channel. A request that is sent again has the same key: it is stored once.

    run: what these keys begin with. With that of an earlier run, what that has brought is stored once: up to
         the first message that is another one now.
    """

    def __init__(self, url: str, channel: str, key: str, run: str | None = None) -> None:
        if urlsplit(url).scheme not in {"http", "https"}:
            raise NotPublished(f"{url} is not the address of a Relay, such as https://relay.example.org.")
        if run is not None and not _RUN.fullmatch(run):
            raise NotPublished(
                "An idempotency key of a run has 1 to 200 visible ASCII characters, and no spaces."
            )
        self._url = f"{url.rstrip('/')}/api/v1/channels/{quoted(channel)}/messages"
        self._key = key
        self._run = uuid.uuid4().hex if run is None else run
        self._requests = 0
        self._taken = 0

    def parts(self, lines: Iterable[bytes]) -> Iterator[Part]:
        """Lines, as many together as one request is to bring."""
        part, numbers, size = list[bytes](), list[int](), 0
        for number, line in enumerate(lines, 1):
            if line.isspace():
                continue
            if part and (len(part) >= _MOST_MESSAGES or size + len(line) > _MOST_BYTES):
                yield Part(b"\n".join(part), numbers)
                part, numbers, size = [], [], 0
            part.append(line.rstrip(b"\r\n"))
            numbers.append(number)
            size += len(line)
        if part:
            yield Part(b"\n".join(part), numbers)

    def post(self, body: bytes, content_type: str, numbers: Sequence[int] = ()) -> int:
        """Publish; how many messages that were. `numbers` are those of a `Part`.

        Raises:
            NotPublished: Relay does not take it, or does not answer. What was posted before is taken.
        """
        self._requests += 1
        headers = {
            "Authorization": f"Bearer {self._key}",
            "Content-Type": content_type,
            "Idempotency-Key": f"{self._run}-{self._requests}",
        }
        request = urllib.request.Request(self._url, body, headers, method="POST")  # noqa: S310 -- http only
        why, wait, is_refused = "", 0.0, False
        for _ in range(_TRIES):
            time.sleep(wait)
            wait = _WAIT_SECONDS
            try:
                with urllib.request.urlopen(request, timeout=_TIMEOUT_SECONDS) as answer:  # noqa: S310
                    taken = len(json.load(answer)["ids"])
            except urllib.error.HTTPError as exc:
                why = _said(exc, numbers)
                if is_refused := exc.code not in {429, 502, 503, 504}:
                    break
                wait = max(wait, _asked_seconds(exc))
            except (OSError, http.client.HTTPException, ValueError) as exc:
                why = f"It does not answer: {exc}"
            else:
                self._taken += taken
                return taken
        raise self._failed(why, is_refused=is_refused)

    def _failed(self, why: str, *, is_refused: bool) -> NotPublished:
        said = [f"Relay did not take it. {why}"]
        if self._taken:
            said.append(f"{self._taken:,} messages before it were taken.")
        if self._taken or not is_refused:  # Who does not answer may have taken it.
            said.append(
                f"So that nothing is stored twice, publish it again with --idempotency-key {self._run}"
            )
        return NotPublished("\n".join(said))


def _said(exc: urllib.error.HTTPError, numbers: Sequence[int]) -> str:
    try:
        problem: Any = json.load(exc)
        said = f"{exc.code}: {problem['detail']}"
    except (ValueError, KeyError, TypeError, OSError):
        return f"{exc.code} {exc.reason}"
    index = problem.get("index")
    is_known = type(index) is int and 0 <= index < len(numbers)
    return f"Line {numbers[index]}: {said}" if is_known else said


def _asked_seconds(exc: urllib.error.HTTPError) -> float:
    """What Retry-After asks for, within bounds; 0: nothing, or it gives a time."""
    said = exc.headers.get("Retry-After", "").strip()
    return min(float(said), _LONGEST_WAIT_SECONDS) if said.isascii() and said.isdigit() else 0.0
