"""Publishing at a Relay by HTTP, as `manage.py publish` does: each request again until it is answered."""

import http.client
import json
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import Iterable, Iterator
from typing import Final
from urllib.parse import urlsplit

from relaybase.http.addresses import quoted

_MOST_MESSAGES: Final = 1000
_MOST_BYTES: Final = 1 << 20
_TRIES: Final = 8
_TIMEOUT_SECONDS: Final = 30.0
_WAIT_SECONDS: Final = 2.0


class NotPublished(Exception):
    """It was not taken; the text says why."""


class Poster:
    """Publishes on one channel. A request that is sent again has the same key: it is stored once."""

    def __init__(self, url: str, channel: str, key: str) -> None:
        if urlsplit(url).scheme not in {"http", "https"}:
            raise NotPublished(f"{url} is not the address of a Relay, such as https://relay.example.org.")
        self._url = f"{url.rstrip('/')}/api/v1/channels/{quoted(channel)}/messages"
        self._key = key
        self._run = uuid.uuid4().hex
        self._requests = 0

    def parts(self, lines: Iterable[bytes]) -> Iterator[bytes]:
        """Lines, as many together as one request is to bring."""
        part, size = list[bytes](), 0
        for line in lines:
            if line.isspace():
                continue
            if part and (len(part) >= _MOST_MESSAGES or size + len(line) > _MOST_BYTES):
                yield b"\n".join(part)
                part, size = [], 0
            part.append(line.rstrip(b"\r\n"))
            size += len(line)
        if part:
            yield b"\n".join(part)

    def post(self, body: bytes, content_type: str) -> int:
        """Publish; how many messages that were.

        Raises:
            NotPublished: Relay does not take it, or does not answer.
        """
        self._requests += 1
        headers = {
            "Authorization": f"Bearer {self._key}",
            "Content-Type": content_type,
            "Idempotency-Key": f"{self._run}-{self._requests}",
        }
        request = urllib.request.Request(self._url, body, headers, method="POST")  # noqa: S310 -- http only
        why = ""
        for attempt in range(_TRIES):
            if attempt:
                time.sleep(_WAIT_SECONDS)
            try:
                with urllib.request.urlopen(request, timeout=_TIMEOUT_SECONDS) as answer:  # noqa: S310
                    return len(json.load(answer)["ids"])
            except urllib.error.HTTPError as exc:
                why = _said(exc)
                if exc.code not in {429, 502, 503, 504}:
                    break
            except (OSError, http.client.HTTPException, ValueError) as exc:
                why = f"It does not answer: {exc}"
        raise NotPublished(f"Relay did not take it. {why}")


def _said(exc: urllib.error.HTTPError) -> str:
    try:
        return f"{exc.code}: {json.load(exc)['detail']}"
    except (ValueError, KeyError, TypeError, OSError):
        return f"{exc.code} {exc.reason}"
