"""Publishes steadily and notes what Redis has accepted."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

LAST = "the last of "
"""How the message begins that comes after everything else of a channel."""


class Publisher:
    """A context manager: publishes `rate` messages a second to one channel until it is left.

    attempted: texts that were sent; accepted: those for which Redis has answered;
    unheard:   of these, how many nobody heard, by Redis's own count

    `prefix`: how a text begins that nobody else publishes on the channel.
    """

    _BURST_SECONDS = 0.01

    def __init__(
        self, url: str, channel: str, rate: int = 1000, texts: list[str] | None = None, prefix: str = ""
    ) -> None:
        self._url = url
        self.channel = channel
        self._prefix = prefix
        self._pause = max(self._BURST_SECONDS, 1 / rate)
        self._per_burst = round(rate * self._pause)
        self._texts = texts
        self.attempted: list[str] = []
        self.accepted: list[str] = []
        self.times: dict[str, float] = {}
        self.unheard = 0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="publisher")

    def __enter__(self) -> "Publisher":
        self._thread.start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._stop.set()
        self._thread.join(30)
        assert not self._thread.is_alive()

    def finish(self) -> None:
        """Wait until all of `texts` are published."""
        self._thread.join(120)

    def owns(self, text: str) -> bool:
        """Whether nobody else publishes this text."""
        return text.startswith(self._prefix)

    def _run(self) -> None:
        with self._connect() as publish:
            due = time.monotonic()
            while not self._stop.is_set():
                burst = self._next()
                if not burst:
                    break
                self.attempted += burst
                try:
                    unheard = publish(burst)
                except redis.RedisError:
                    time.sleep(0.02)  # Whether they were accepted is not known: attempted, not accepted.
                else:
                    now = time.time()
                    self.accepted += burst
                    self.times.update(dict.fromkeys(burst, now))
                    self.unheard += unheard
                due = max(due + self._pause, time.monotonic() - 0.5)
                time.sleep(max(0.0, due - time.monotonic()))

    @contextmanager
    def _connect(self) -> Iterator[Callable[[list[str]], int]]:
        """What publishes a burst, and returns how many of it nobody heard."""
        client: Any = redis.Redis.from_url(
            self._url, socket_timeout=10, retry=Retry(NoBackoff(), 0), client_name="publisher"
        )

        def publish(burst: list[str]) -> int:
            with client.pipeline(transaction=False) as pipe:
                for text in burst:
                    pipe.publish(self.channel, text)
                return sum(count == 0 for count in pipe.execute())

        yield publish
        client.close()

    def _next(self) -> list[str]:
        at = len(self.attempted)
        if self._texts is not None:
            return self._texts[at : at + self._per_burst]
        return [f"{self.channel} {number}" for number in range(at, at + self._per_burst)]


def publish_last(
    client: Any, channel: str, messages: Any, wait_until: Callable[..., None], seconds: float
) -> None:
    """Until a message that comes after everything else of the channel is in this collection."""
    last = f"{LAST}{channel}, {time.time_ns()}"
    published_at = 0.0

    def is_stored() -> bool:
        nonlocal published_at
        if time.monotonic() - published_at > 0.5:
            published_at = time.monotonic()
            client.publish(channel, last)
        return bool(messages.count_documents({"message": last}))

    wait_until(is_stored, seconds=seconds, what=f"the last message of {channel} stored")
