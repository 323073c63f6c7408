"""Programs that publish on and on, and endpoints that are to get all of it."""

import itertools
import random
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from channels_app.models import Channel
from relaybase.postgres.encrypting import decrypt
from relaycore.sending.window import MOST_UNRECORDED
from subscribers_app.models import Subscription
from tests.integration.pulling.conftest import Client
from tests.integration.pulling.traffic import Threads
from tests.integration.sending.endpoints import Endpoints, Place
from webhooks_app.models import EndpointSecret

_names = itertools.count()


def topics(count: int) -> list[str]:
    """So many channels."""
    names = [f"flow-{next(_names)}" for _ in range(count)]
    for name in names:
        Channel(channel=name, deduplicate="every", listen=False).save()
    return names


@dataclass(frozen=True, slots=True)
class Reader:
    """A webhook, and what has come to its endpoint."""

    channel: str
    subscription: Subscription
    place: Place


class Flow:
    """Publishes to these channels, `at_once` in a request to each. `texts`: what was taken, by channel."""

    def __init__(
        self, client: Client, channels: Sequence[str], at_once: int = 5, pause: float = 0.02
    ) -> None:
        self.texts: dict[str, list[str]] = {channel: [] for channel in channels}
        self._client = client
        self._at_once = at_once
        self._pause = pause

    def once(self) -> None:
        """To each of them."""
        for channel, texts in self.texts.items():
            new = [f"{channel} {len(texts) + index}" for index in range(self._at_once)]
            body = {"messages": [{"message": text} for text in new]}
            self._client.post(f"channels/{channel}/messages", body, 202)
            self.texts[channel] += new

    def run(self, is_over: Callable[[], bool]) -> None:
        while not is_over():
            self.once()
            time.sleep(self._pause)

    @contextmanager
    def going_on(self) -> Iterator[None]:
        """Meanwhile."""
        with Threads([self.run]):
            yield

    def lacks(self, readers: Sequence[Reader]) -> int:
        """So many messages have not come where they belong."""
        return sum(len(set(self.texts[one.channel]) - one.place.texts) for one in readers)

    def require_all(self, readers: Sequence[Reader], kills: int) -> None:
        """Everything has come, signed, and under its id; a sender that died repeats what is bounded."""
        secrets = [decrypt(row.value).decode() for row in EndpointSecret.objects.all()]
        for one in readers:
            assert not set(self.texts[one.channel]) - one.place.texts, "lost"
            assert not one.place.wrong(secrets)
            assert one.place.repeated <= kills * MOST_UNRECORDED


def hooked(
    hook: Callable[..., Subscription],
    endpoints: Endpoints,
    channels: Sequence[str],
    count: int,
    **fields: object,
) -> list[Reader]:
    """So many endpoints, a webhook each, of these channels in turn."""
    places = [endpoints.place() for _ in range(count)]
    return [
        Reader(channel, hook(channel, place.url, **fields), place)
        for place, channel in zip(places, itertools.cycle(channels), strict=False)
    ]


def some_time(chance: random.Random, most: float) -> None:
    """A moment at random."""
    time.sleep(chance.random() * most)
