"""The hub: all who watch in this event loop, each with a place, and what they share.

What a door does (`sse`, `polling`, Socket.IO)::

    viewer = await hub().open(Wanted(...))       # may refuse: Full, Disconnected, ...
    try:
        while viewer.reason is None:
            found = await viewer.take()
            if found is None:
                await viewer.wait(seconds)       # until there is something, or it is to go
            else:
                viewer.begin_to_send(cut)
                await send(...)                  # a `Shown`, or a `Told`
                viewer.end_to_send()
    finally:
        viewer.close()

A viewer is used by one task at a time.
"""

import asyncio
import logging
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Final

from django.conf import settings

from channels_app.models import Gap
from live import archive
from live.archive import Standing
from live.counting import COUNTS, Present
from live.gaps import Gaps
from live.pages import Pages
from live.rights import Rights
from live.tails import Tail, Topic
from live.viewer import Shown, Viewer, Wanted
from relaybase.connections import one_per_loop
from relaycore.channels import partition_of
from relaycore.errors import TooManyWatch as Full
from relaycore.errors import one_line
from relaycore.live.ids import EventId
from relaycore.live.owed import begin
from relaycore.live.ring import share
from relaycore.live.slow import is_too_slow
from subscribers_app.pulling.ahead import follower

__all__ = ["Full", "Hub", "Shown", "Viewer", "Wanted", "hub"]

log = logging.getLogger(__name__)

LOOK_SECONDS: Final = 1.0

_STANDING_SECONDS: Final = 5.0

RESTART: Final = "restart"
SLOW: Final = "slow"
ARCHIVE: Final = "archive"


class Hub:
    """Of one event loop."""

    def __init__(self) -> None:
        self.pages = Pages(settings.RELAY_LIVE_PAGES_BYTES)
        self.gaps = Gaps(self._tell, lambda: list(self._topics()))
        self.rights = Rights()
        self._said = Present(self.presence)
        self._tails: dict[int, Tail] = {}
        self._viewers: dict[Viewer, None] = {}
        self._by_holder: Counter[str] = Counter()
        self._standing: Standing | None = None
        self._stood_at = float("-inf")
        self._asking: asyncio.Task[Standing] | None = None
        self._task: asyncio.Task[None] | None = None
        self._reading: asyncio.Task[None] | None = None

    # --- for doors -----------------------------------------------------------------------

    async def open(self, wanted: Wanted) -> Viewer:
        """Somebody comes.

        Raises:
            Full: there are too many. It may come again.
            Disconnected, UnfitServer, PyMongoError, django.db.Error: a server does not answer.
        """
        self._enter(wanted.who)
        try:
            viewer = await self._open(wanted)
        except BaseException as exc:
            self._leave(wanted.who)
            if isinstance(exc, Exception):
                COUNTS.showing.turn_away(one_line(exc), time.monotonic())
            raise
        COUNTS.showing.let_in(time.monotonic())
        return viewer

    def presence(self) -> Mapping[str, int]:
        """How many watch each channel, here."""
        return {topic.channel: len(topic.watchers) for topic in self._topics() if topic.watchers}

    @property
    def trouble(self) -> str:
        """What keeps somebody from being shown more at this moment; empty: nothing."""
        return next((tail.trouble for tail in self._tails.values() if tail.trouble), self.pages.trouble)

    def close(self) -> None:
        """The event loop is about to end: nothing is followed any more."""
        for tail in self._tails.values():
            tail.close()

    # --- for viewers ---------------------------------------------------------------------

    def forget(self, viewer: Viewer) -> None:
        """It watches no more."""
        if viewer not in self._viewers:
            return
        del self._viewers[viewer]
        COUNTS.connections -= 1
        self._leave(viewer.wanted.who)
        for partition, topics in _by_partition(viewer.topics).items():
            self._tails[partition].unwatch(topics, viewer)
        if viewer.reason is not None:
            COUNTS.left[viewer.reason] += 1

    # --- inside --------------------------------------------------------------------------

    def _enter(self, who: str) -> None:
        try:
            self._require_room(who)
        except Full:
            COUNTS.refused += 1
            raise
        self._by_holder[who] += 1

    def _leave(self, who: str) -> None:
        self._by_holder[who] -= 1
        if not self._by_holder[who]:
            del self._by_holder[who]

    def _require_room(self, who: str) -> None:
        most, of_one = settings.RELAY_LIVE_CONNECTIONS, settings.RELAY_LIVE_CONNECTIONS_PER_TOKEN
        if self._by_holder.total() >= most:
            raise Full(f"{most} clients watch here, which is as many as may (RELAY_LIVE_CONNECTIONS).")
        if self._by_holder[who] >= of_one:
            raise Full(
                f"With this token, or from this address, {of_one} clients watch, which is as many as may "
                "(RELAY_LIVE_CONNECTIONS_PER_TOKEN)."
            )

    async def _open(self, wanted: Wanted) -> Viewer:
        standing = await self._stands()
        tails = {name: self._tail(partition_of(name, settings.RELAY_PARTITIONS)) for name in wanted.channels}
        found = await asyncio.gather(*(tail.topic(name) for name, tail in tails.items()))
        topics = dict(zip(tails, found, strict=True))
        by_partition = _by_partition(topics)
        await self.gaps.require()
        rings = {
            partition: {topic.channel: topic.ring for topic in of_it}
            for partition, of_it in by_partition.items()
        }
        gap = wanted.after.gap if isinstance(wanted.after, EventId) else None
        settled = self.gaps.settled
        owed = begin(wanted.after, rings, standing.epoch, standing.generation, settled, wanted.limit)
        viewer = Viewer(self, wanted, owed, topics)
        for number, row in self.gaps.since(topics.values(), gap, owed.least):
            owed.tell_gap(number, row)
        self._viewers[viewer] = None
        COUNTS.connections += 1
        for partition, of_it in by_partition.items():
            self._tail(partition).watch(of_it, viewer)
        if self._standing != standing:
            viewer.leave(ARCHIVE)  # Whoever was here when that was learnt has been sent away.
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._watch())
        return viewer

    def _topics(self) -> Iterator[Topic]:
        return (topic for tail in self._tails.values() for topic in tail.topics)

    def _tail(self, partition: int) -> Tail:
        if partition not in self._tails:
            self._tails[partition] = Tail(follower, settings.RELAY_LIVE_RING_BYTES)
        return self._tails[partition]

    async def _stands(self) -> Standing:
        if self._standing is not None and self._stood_at + 2 * _STANDING_SECONDS > time.monotonic():
            return self._standing
        if self._asking is None:
            self._asking = asyncio.create_task(self._ask())
        return await asyncio.shield(self._asking)

    async def _ask(self) -> Standing:
        began = time.monotonic()
        try:
            found = await asyncio.to_thread(archive.standing)
        finally:
            self._asking = None
        if self._standing not in {None, found}:
            log.warning("live: the archive is another one, or is divided otherwise: everybody is sent away")
            self.pages.forget()
            for viewer in list(self._viewers):
                viewer.leave(ARCHIVE)
        self._standing, self._stood_at = found, began
        return found

    async def _watch(self) -> None:
        """As long as somebody is there, or something is kept: what is to be looked after once a second."""
        try:
            while self._viewers or self.pages.size:
                await asyncio.sleep(LOOK_SECONDS)
                await self._look()
        except asyncio.CancelledError:
            # The event loop ends, and all who watched with it.
            COUNTS.showing.end()
            raise
        COUNTS.showing.end()

    async def _look(self) -> None:
        now = time.monotonic()
        COUNTS.showing.look(self.trouble or follower().trouble(now), now)
        with _by_itself():
            self._look_after(now)
        with _by_itself():
            self.pages.let_go()
        with _by_itself():
            self._shrink()
        with _by_itself():
            await self.rights.look(list(self._viewers))
        with _by_itself():
            self._said.look()
        if self._reading is None or self._reading.done():
            self._reading = asyncio.create_task(self._read())

    async def _read(self) -> None:
        """What servers have to be asked for. A link that swallows everything keeps nobody else waiting."""
        with _by_itself():
            await self.gaps.look()
        with _by_itself():
            if time.monotonic() - self._stood_at > _STANDING_SECONDS:
                await self._stands()

    def _tell(self, gaps: Sequence[Gap]) -> None:
        for viewer in self._viewers:
            for gap in gaps:
                for number, data in self.gaps.told(gap, viewer.topics.values()):
                    viewer.owed.tell_gap(number, data)
                    viewer.wake()

    def _shrink(self) -> None:
        """All rings together keep no more than they may. One that has little loses nothing."""
        rings = [topic.ring for topic in self._topics()]
        most = share([ring.size for ring in rings], settings.RELAY_LIVE_RING_BYTES)
        for ring in rings:
            ring.shrink(most)

    def _look_after(self, now: float) -> None:
        for viewer in list(self._viewers):
            viewer.look(now)
            seconds = viewer.sending_seconds(now)
            if seconds and is_too_slow(seconds, viewer.waiting_bytes(), settings.RELAY_LIVE_BUFFER_BYTES):
                log.info("live: a client is cut: it does not take what it is sent, %s", viewer.wanted.who)
                viewer.cut(SLOW)


@contextmanager
def _by_itself() -> Iterator[None]:
    """Whatever goes wrong: in a second it is tried again, and what comes after it is done all the same."""
    try:
        yield
    except Exception as exc:
        log.info("live: %s", one_line(exc))


def _by_partition(topics: Mapping[str, Topic]) -> dict[int, list[Topic]]:
    found: dict[int, list[Topic]] = {}
    for name, topic in topics.items():
        found.setdefault(partition_of(name, settings.RELAY_PARTITIONS), []).append(topic)
    return found


@one_per_loop
def hub() -> Hub:
    """The one of this event loop."""
    return Hub()
