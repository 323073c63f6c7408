"""The tail of each channel that is watched: its ring, filled from the process's one follower."""

import asyncio
import contextlib
import logging
from collections.abc import Callable, Iterable, Sequence
from typing import Final, Protocol

from pymongo.errors import PyMongoError

from channels_app.completeness import Listened
from live import archive
from messages_app.searching.feed import Feed, handed
from messages_app.searching.following import Follower
from relaycore.errors import Disconnected, UnfitServer, one_line
from relaycore.following.places import Page
from relaycore.live.ring import Ring
from relaycore.storing.expiring import NOTHING, Expired
from subscribers_app.pulling.archive import expired

log = logging.getLogger(__name__)

LOOK_SECONDS: Final = 1.0
"""A ring of which nothing comes is told so often up to where it has everything."""

LINGER_SECONDS: Final = 30.0
"""So long a channel is followed after the last one has left: who comes again finds what he has missed."""

_AGAIN_SECONDS: Final = 1.0

DIVIDED: Final = "divided"
"""Why somebody has to go: what is followed is divided otherwise by now."""

FAILED: Final = "failed"
"""Or something went wrong of which nobody knows what it means."""


class Watcher(Protocol):
    """Somebody who is told that there is something."""

    def wake(self) -> None:
        """There is something in one of the rings."""

    def leave(self, reason: str) -> None:
        """What is followed is of no use any more."""


class Topic:
    """One channel that is followed. `listened`: whether it is heard, as it was when that was asked last."""

    def __init__(self, channel: str, ring: Ring, feed: Feed, listened: Listened = Listened()) -> None:  # noqa: B008
        self.channel = channel
        self.ring = ring
        self.feed = feed
        self.listened = listened
        self.watchers: dict[Watcher, None] = {}
        self.left_at = float("-inf")
        self.merged = 0
        """So many watchers put it together with others, and want to know how far it is known."""


class Tail:
    """The channels of one partition, in one event loop."""

    def __init__(self, follower: Callable[[], Follower], most_bytes: int) -> None:
        self._loop = asyncio.get_running_loop()
        self._follower = follower
        self._most_bytes = most_bytes
        self._topics: dict[str, Topic] = {}
        self._opening: dict[str, asyncio.Task[Topic]] = {}
        self._dirty: dict[Topic, None] = {}
        self._woken = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._read_at = ""
        self.trouble = ""
        """Why nothing is read, since something was read last; empty: nothing speaks against it."""

    @property
    def topics(self) -> Iterable[Topic]:
        """Those that are followed."""
        return self._topics.values()

    async def topic(self, channel: str) -> Topic:
        """The tail of this channel, followed from now on.

        Raises:
            Disconnected, UnfitServer, PyMongoError, django.db.Error: as `archive.follow`.
        """
        if (found := self._topics.get(channel)) is not None:
            found.left_at = self._loop.time()
            return found
        opening = self._opening.get(channel)
        if opening is None:
            opening = self._opening[channel] = asyncio.create_task(self._open(channel))
            opening.add_done_callback(lambda _: self._opening.pop(channel))
        # Who stops waiting does not take it from the others.
        return await asyncio.shield(opening)

    def watch(self, topics: Iterable[Topic], watcher: Watcher) -> None:
        """Wake this one from now on."""
        watched = list(topics)
        for topic in watched:
            topic.watchers[watcher] = None
            topic.merged += len(watched) > 1
            if self._topics.get(topic.channel) is not topic:
                watcher.leave(DIVIDED)

    def unwatch(self, topics: Iterable[Topic], watcher: Watcher) -> None:
        """No more."""
        watched = list(topics)
        for topic in watched:
            del topic.watchers[watcher]
            topic.merged -= len(watched) > 1
            topic.left_at = self._loop.time()

    def close(self) -> None:
        """Follow nothing any more."""
        if self._task is not None:
            self._task.cancel()
        for topic in self._topics.values():
            topic.feed.close()
        self._topics.clear()

    # --- inside --------------------------------------------------------------------------

    async def _open(self, channel: str) -> Topic:
        opened = await asyncio.to_thread(
            archive.follow, self._follower(), channel, lambda: self._tell(channel)
        )
        ring = Ring(channel, opened.floor, self._most_bytes)
        topic = Topic(channel, ring, opened.feed, opened.listened)
        self._topics[channel] = topic
        topic.left_at = self._loop.time()
        self._mark(channel)  # Something may have come before it was here.
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._run())
        return topic

    def _tell(self, channel: str) -> None:
        """In the follower's thread."""
        with contextlib.suppress(RuntimeError):  # The event loop has ended.
            self._loop.call_soon_threadsafe(self._mark, channel)

    def _mark(self, channel: str) -> None:
        if (topic := self._topics.get(channel)) is not None:
            self._dirty[topic] = None
            self._woken.set()

    async def _run(self) -> None:
        """Until nothing is followed."""
        looks_at = self._loop.time()
        while self._topics:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout_at(looks_at):
                    await self._woken.wait()
            self._woken.clear()
            dirty: Iterable[Topic] = self._dirty
            if self._loop.time() >= looks_at:
                looks_at, dirty = self._loop.time() + LOOK_SECONDS, self._topics.values()
            # Whoever puts channels together waits for all of them.
            merged = [topic for topic in self._topics.values() if topic.merged]
            self._dirty = {}
            turned = dict.fromkeys([*dirty, *merged])
            try:
                await self._turn(turned)
            except Exception as exc:
                # Whatever it is, what was taken may not be in the rings: nobody goes on with them.
                log.error("live: nobody expected this", exc_info=exc)
                for topic in turned:
                    self._give_up(topic, FAILED)
            self._sweep()

    async def _turn(self, topics: Iterable[Topic]) -> None:
        # At one instant: of what comes in a later turn of the follower nothing is put before what is lower.
        said = handed([topic.feed for topic in topics])
        taken = [(topic, said[topic.feed][0], self._take(topic, said[topic.feed][1])) for topic in topics]
        gone = await self._deleted(taken)
        for topic, below, pages in taken:
            topic.ring.note(gone.get(topic.channel, NOTHING), below)
            for page in pages:
                topic.ring.append(page.messages)
            topic.ring.know(below)
        # At once: who watches several of them finds all of them known.
        for watcher in {watcher: None for topic, _, _ in taken for watcher in topic.watchers}:
            watcher.wake()

    def _take(self, topic: Topic, count: int) -> list[Page]:
        pages: list[Page] = []
        for _ in range(count):
            try:
                page = topic.feed.take(0)
            except UnfitServer as exc:
                log.warning("live: %s", exc)
                self._give_up(topic, DIVIDED)
                return []
            except Exception as exc:  # Whatever the follower could not do, it does it again.
                self._say(exc)
                continue
            if page is not None:
                pages.append(page)
                self.trouble = ""
        return pages

    async def _deleted(self, taken: Sequence[tuple[Topic, str, Sequence[Page]]]) -> dict[str, Expired]:
        """What was on record as deleted after these pages were read, never before. Until somebody says so."""
        self._read_at = max(self._read_at, *(page.read_at for _, _, pages in taken for page in pages), "")
        channels = [topic.channel for topic, _, _ in taken]
        has_failed = False
        while True:
            try:
                found = await asyncio.gather(*(expired(channel, self._read_at) for channel in channels))
            except (Disconnected, PyMongoError) as exc:
                has_failed = True
                self._say(exc)
                await asyncio.sleep(_AGAIN_SECONDS)
                continue
            if has_failed:
                self.trouble = ""
            return dict(zip(channels, found, strict=True))

    def _say(self, exc: Exception) -> None:
        """Once, until something is read again."""
        if not self.trouble:
            log.info("live: nothing is read for now: %s", one_line(exc))
        self.trouble = one_line(exc)

    def _sweep(self) -> None:
        now = self._loop.time()
        for topic in list(self._topics.values()):
            if not topic.watchers and now - topic.left_at > LINGER_SECONDS:
                self._drop(topic)

    def _give_up(self, topic: Topic, reason: str) -> None:
        self._drop(topic)
        for watcher in list(topic.watchers):
            watcher.leave(reason)

    def _drop(self, topic: Topic) -> None:
        if self._topics.pop(topic.channel, None) is not None:
            self._dirty.pop(topic, None)
            topic.feed.close()
