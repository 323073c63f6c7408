"""A simulated follower: the real `relaycore.following`, hints that are lost, late or forged; slow readers.

Its turns are a generator that yields wherever another process may come in between, as those of writers are.
"""

import random
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from relaycore.following import news
from relaycore.following.places import Cursor, Document, Horizon, Page, Read
from relaycore.following.reader import Following
from relaycore.position import START, first_of, order

if TYPE_CHECKING:
    from .archive import World

KEY: Final = b"key of the partition"
MOST_PER_PAGE: Final = 3
CHANNELS: Final = ("channel 0", "channel 1", "channel 2", None)


def channel_of(message: str) -> str:
    return f"channel {int(message.split()[1]) % 3}"


class Away(Exception):
    """A server does not answer."""


@dataclass
class Subscriber:
    """One reader of a follower. It takes what it is handed when it comes to it."""

    cursor: Cursor
    began: str
    waiting: deque[Page] = field(default_factory=deque)
    seen: list[Document] = field(default_factory=list)

    def take(self) -> None:
        if self.waiting:
            self.seen += self.waiting.popleft().messages
            self.cursor.room += 1


class Follower:
    """One process that follows."""

    def __init__(self, world: "World", seed: int) -> None:
        self._world = world
        self._random = random.Random(seed)
        self.following = Following(MOST_PER_PAGE)
        self.subscribers: list[Subscriber] = []
        self._on_its_way: list[tuple[int, bytes]] = []
        self._heard: list[bytes] = []
        self._now = 0.0
        self._steps = self._run()
        for channel in (None, "channel 0"):
            self.follow(channel)

    # --- its readers ------------------------------------------------------------------------

    def follow(self, channel: str | None, after: str = START) -> None:
        self.subscribers.append(Subscriber(self.following.follow(channel, after), after))

    def follow_from_a_place(self, chance: int) -> None:
        """Another reader, at the beginning or where one of the others is."""
        places = [START, *(subscriber.cursor.after for subscriber in self.subscribers)]
        self.follow(CHANNELS[chance % 4], places[chance % len(places)])

    def leave(self, chance: int) -> None:
        if len(self.subscribers) > 1:
            gone = self.subscribers.pop(chance % len(self.subscribers))
            self.following.leave(gone.cursor)

    # --- what it hears ----------------------------------------------------------------------

    def tell(self, payload: bytes) -> None:
        """Redis publishes: it arrives now, later, or never."""
        self._heard.append(payload)
        if self._random.random() < 0.6:
            self._on_its_way.append((self._random.choice([0, 0, 1, 5, 40]), payload))

    def be_fooled(self, chance: int) -> None:
        """A stranger publishes: what he made up, or what he has heard."""
        far = f"{self._world.redis.clock + 100_000}-0"
        forged = [news.moved(far, b"another key"), news.moved(far, KEY)[:-1] + b"x", b"moved " + far.encode()]
        self._on_its_way += [(0, payload) for payload in [*forged, *self._heard[chance % 5 :: 7]]]

    # --- its turns --------------------------------------------------------------------------

    def step(self, seconds: float) -> None:
        self._now += seconds
        arrived = [payload for delay, payload in self._on_its_way if delay == 0]
        self._on_its_way = [(delay - 1, payload) for delay, payload in self._on_its_way if delay > 0]
        for payload in arrived:
            if (found := news.parse(payload, KEY)) is not None:
                self.hear(found)
        for subscriber in self.subscribers:
            if self._random.random() < 0.5:
                subscriber.take()
        next(self._steps)

    def hear(self, found: news.News) -> None:
        self.following.hear(found)

    def _run(self) -> Iterator[None]:
        while True:
            if self.following.due_in(self._now) > 0:
                yield
                continue
            try:
                yield from self._turn()
            except Away:
                self.following.failed(self._now)

    def _turn(self) -> Iterator[None]:
        self.following.begin(self._now)
        yield
        horizon = self.look()
        yield
        for read in self.following.plan(horizon):
            found, is_more = self._find(read)
            yield
            for cursor, page in self.following.took(read, found, is_more=is_more):
                (reader,) = (one for one in self.subscribers if one.cursor is cursor)
                reader.waiting.append(page)

    def look(self) -> Horizon:
        if self._random.random() < 0.05:
            raise Away
        return Horizon.of(self._world.redis.beside())

    def _find(self, read: Read) -> tuple[Sequence[Document], bool]:
        if self._random.random() < 0.05:
            raise Away
        mongo = self._world.mongo
        found = [
            {"channel": channel_of(message), "position": position, "message": message}
            for message, id in mongo.documents.items()
            if read.after < (position := f"{first_of(id)[:-5]}{mongo.indices[message]:05d}") < read.below
            and (read.channels is None or channel_of(message) in read.channels)
        ]
        found.sort(key=lambda document: document["position"])
        return found[: read.limit], len(found) > read.limit

    # --- what came of it ----------------------------------------------------------------------

    def unseen(self, stored: dict[str, str]) -> set[str]:
        """What is stored, and one of them has stepped over."""
        missed: set[str] = set()
        for subscriber in self.subscribers:
            subscriber.seen += [message for page in subscriber.waiting for message in page.messages]
            subscriber.waiting.clear()
            wanted = {
                message
                for message, id in stored.items()
                if subscriber.cursor.channel in (None, channel_of(message))
                and order_of(subscriber.began) < order(id)
            }
            missed |= wanted - {document["message"] for document in subscriber.seen}
        return missed

    def is_in_order(self) -> bool:
        """Whether nobody was handed anything twice, or out of order."""
        for subscriber in self.subscribers:
            positions = [document["position"] for document in subscriber.seen]
            if positions != sorted(set(positions)):
                return False
        return True


def order_of(position: str) -> tuple[int, int]:
    milliseconds, number, _ = position.split("-")
    return int(milliseconds), int(number)
