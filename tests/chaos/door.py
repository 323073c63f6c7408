"""Publishes by HTTP, as a client does that insists: again, until it is answered."""

import http.client
import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from urllib.parse import quote, urlsplit

from .publisher import Publisher

_AGAIN_SECONDS = 0.02
_INSISTS_SECONDS = 30.0


class DoorPublisher(Publisher):
    """As a `Publisher`, by HTTP: each burst is a request, with a key of its own if it `has_key`.

    accepted: those that were answered 202
    again:    how many requests were sent once more
    """

    _BURST_SECONDS = 0.03

    def __init__(
        self, url: str, token: str, channel: str, rate: int, texts: list[str], prefix: str, *, has_key: bool
    ) -> None:
        super().__init__(url, channel, rate, texts, prefix)
        self._token = token
        self._has_key = has_key
        self.again = 0

    @contextmanager
    def _connect(self) -> Iterator[Callable[[list[str]], int]]:
        connection = http.client.HTTPConnection(urlsplit(self._url).netloc, timeout=10)
        path = f"/api/v1/channels/{quote(self.channel, safe='')}/messages"
        headers = {"Authorization": f"Bearer {self._token}", "Content-Type": "application/x-ndjson"}

        def status(body: bytes, key: dict[str, str]) -> int | None:
            """Of the answer; None if there was none."""
            try:
                connection.request("POST", path, body, headers | key)
                answer = connection.getresponse()
                answer.read()
            except (OSError, http.client.HTTPException):
                connection.close()
                return None
            return answer.status

        def publish(burst: list[str]) -> int:
            body = "\n".join(json.dumps({"message": text}) for text in burst).encode()
            key = {"Idempotency-Key": f"up to {len(self.attempted)}"} if self._has_key else {}
            deadline = time.monotonic() + _INSISTS_SECONDS
            while (found := status(body, key)) != 202:
                assert found in {None, 503}, found
                assert time.monotonic() < deadline, "never answered"
                self.again += 1
                time.sleep(_AGAIN_SECONDS)
            return 0

        yield publish
        connection.close()
