"""Publishes on the internal channels what does not belong there, and what did once."""

import itertools
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType

import redis

_BURST_SECONDS = 0.05
_AHEAD = 1_000_000
"""A tick of a number that was heard already would be old."""

Said = tuple[str, bytes]
"""A channel, and what is published on it."""


@contextmanager
def overhearing(client: redis.Redis, channels: list[str]) -> Iterator[list[Said]]:
    """What Relay itself says on these channels meanwhile; complete when it is left."""
    said: list[Said] = []
    with client.pubsub(ignore_subscribe_messages=True) as spy:
        spy.subscribe(*channels)
        yield said
        deadline = time.monotonic() + 0.5
        while time.monotonic() < deadline:
            message = spy.get_message(timeout=0.05)
            if message is not None:  # Nor one of those that are ignored.
                said.append((message["channel"].decode(), message["data"]))


def forged(tick: bytes, epoch: int) -> bytes:
    """A tick as a leader of this term would publish it later, but for the seal: nobody else can make it."""
    number, _, *rest = tick.split(b" ")
    return b" ".join([b"%d" % (int(number) + _AHEAD), b"%d" % epoch, *rest])


class Noise:
    """A context manager: publishes `rate` of these a second, one after another, until it is left."""

    def __init__(self, url: str, said: list[Said], rate: int = 2000) -> None:
        self._url = url
        self._said = itertools.cycle(said)
        self._per_burst = round(rate * _BURST_SECONDS)
        self.published = 0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="noise")

    def __enter__(self) -> "Noise":
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.join(30)
        assert not self._thread.is_alive()
        if kind is None:
            assert self.published, "nobody has made any noise"

    def _run(self) -> None:
        with redis.Redis.from_url(self._url, socket_timeout=10) as client:
            due = time.monotonic()
            while not self._stop.is_set():
                self.published += publish(client, itertools.islice(self._said, self._per_burst))
                due = max(due + _BURST_SECONDS, time.monotonic() - 0.5)
                time.sleep(max(0.0, due - time.monotonic()))


def publish(client: redis.Redis, said: "itertools.islice[Said] | list[Said]") -> int:
    """Publish all of these at once; how many."""
    with client.pipeline(transaction=False) as pipe:
        for channel, payload in said:
            pipe.publish(channel, payload)
        return len(pipe.execute())
