"""What Relay itself could not hear: the newest gaps on record, read for all who watch in one question."""

import asyncio
import logging
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

from django.db import Error as DatabaseError
from django.db import connection

from channels_app.completeness import Listened, listened, mark_of_channels
from channels_app.models import Gap
from channels_app.ranges import row
from live.tails import Topic
from relaybase.postgres.clock import ClockTimestamp
from relaycore.channels import partition_of
from relaycore.errors import one_line
from relaycore.live.settled import WAIT_SECONDS, Settled
from relaycore.position import milliseconds_of
from relaycore.times import from_milliseconds

log = logging.getLogger(__name__)

LOOK_SECONDS: Final = 2.0

MOST: Final = 1000
"""So many are known, those that were recorded last. Who has been away for more of them is told of these."""


class Gaps:
    """Of one event loop.

    tell:   is told of what is new, or has changed, whoever has asked
    topics: all that are followed
    """

    def __init__(
        self, tell: Callable[[Sequence[Gap]], object], topics: Callable[[], Collection[Topic]]
    ) -> None:
        self._tell = tell
        self._topics = topics
        self._known: dict[int, Gap] = {}
        self._settled = Settled()
        self._read_at = float("-inf")
        self._reading: asyncio.Task[None] | None = None

    @property
    def settled(self) -> int:
        """No number up to this one comes any more, other than those that are known."""
        return self._settled.number

    async def require(self) -> None:
        """Know them, as of a short while ago.

        Raises:
            django.db.Error: PostgreSQL does not answer.
        """
        if time.monotonic() - self._read_at > 2 * LOOK_SECONDS:
            await self._read()

    def since(
        self, topics: Iterable[Topic], number: int | None, position: str
    ) -> Iterator[tuple[int, Mapping[str, Any]]]:
        """What concerns these channels, as `told`: recorded after this one, or not over before that.

        number: the last one that was told with a gap; None: none was
        """
        began = from_milliseconds(milliseconds_of(position))
        of_all = list(topics)
        for gap in sorted(self._known.values(), key=lambda gap: gap.pk):
            is_new = number is not None and gap.pk > number
            if (is_new or gap.ended_at is None or gap.ended_at >= began) and not gap.covered:
                yield from self.told(gap, of_all)

    def told(self, gap: Gap, topics: Iterable[Topic]) -> Iterator[tuple[int, Mapping[str, Any]]]:
        """What is said of a gap to who watches these channels; nothing, if it concerns none.

        With the number that he is known to have been told up to then: of a gap whose transaction is over
        later, and whose number is lower, he is told as well when he comes again.
        """
        concerned = [topic.channel for topic in topics if _concerns(gap, topic)]
        if concerned:
            yield min(gap.pk, self.settled), {**row(gap), "channels": concerned}

    async def look(self) -> None:
        """See whether there are more, or something has become known of one."""
        if time.monotonic() - self._read_at < LOOK_SECONDS:
            return
        try:
            await self._read()
        except DatabaseError as exc:
            log.info("live: nobody says what was not heard: %s", one_line(exc))

    async def _read(self) -> None:
        if self._reading is None:
            self._reading = asyncio.create_task(self._take())
        await asyncio.shield(self._reading)

    async def _take(self) -> None:
        began = time.monotonic()
        try:
            newest, mark = await asyncio.to_thread(_newest)
            # After the gaps: a channel has been listened to before it misses something.
            await self._learn([topic for topic in self._topics() if topic.listened.mark != mark])
            before, self._known = self._known, newest
            self._read_at = began
            self._settled.see({number: _age(gap) for number, gap in self._known.items()}, began)
            changed = [gap for gap in self._known.values() if _is_news(gap, before.get(gap.pk))]
            if changed:
                self._tell(changed)
        finally:
            self._reading = None

    async def _learn(self, topics: Sequence[Topic]) -> None:
        if topics:
            found = await asyncio.to_thread(_listened, [topic.channel for topic in topics])
            for topic in topics:
                topic.listened = found[topic.channel]


def _newest() -> tuple[dict[int, Gap], object]:
    """With the mark of the channel table after that."""
    try:
        rows = Gap.objects.annotate(now=ClockTimestamp()).order_by("-id")[:MOST]
        found: dict[int, Gap] = {gap.pk: gap for gap in rows}
        return found, mark_of_channels()
    finally:
        connection.close()


def _listened(names: Collection[str]) -> Mapping[str, Listened]:
    try:
        return listened(names)
    finally:
        connection.close()


def _age(gap: Any) -> float:
    """For how many seconds it has been on record, when it was read. One that does not say is an old one."""
    return WAIT_SECONDS if gap.recorded_at is None else float((gap.now - gap.recorded_at).total_seconds())


def _is_news(gap: Gap, before: Gap | None) -> bool:
    if before is None:
        return not gap.covered
    return (gap.ended_at, gap.covered, gap.missed_at_most) != (
        before.ended_at,
        before.covered,
        before.missed_at_most,
    )


def _concerns(gap: Gap, topic: Topic) -> bool:
    if gap.channel:
        return gap.channel == topic.channel
    if partition_of(topic.channel, gap.partitions) != gap.partition:
        return False
    return topic.listened.misses(gap)
