"""Who reads what, when and how far: the cursors of one process in one partition.

A cursor is a place in a partition, for one channel or for all. Its *place* is the position of the last
message that it was handed, or where it began: never the watermark, which may be the clock, and positions may
be given below that after a loss (`relaycore.storing.keeping`).

**At the tail** are the cursors that have read all there is. They are read for together: one question for all
their channels, each message once, handed to each that wants it. **Behind** is whoever has more to read than
that. It reads on its own, a page at a time, and what several want from the same channel and place is asked
once. Everybody takes turns. A cursor that has no room for another page when there is one for it is behind
from then on.

How far: each turn asks for the watermark first, and reads below it. Without it nothing is read: `failed`, and
everything stays where it is. So nothing is stepped over, but for what is on record as missing; until that is
so the watermark stays below it, and pages are not `is_sure`.

When: at once, if there are news (`relaycore.following.news`) of what the tail has not read; once a second,
whatever was heard.

Where the tail reads on. All at the tail have read everything below some watermark. The next question begins
behind `_passed`, a position that is stored and below that watermark: the highest of what the tail was handed
and of what Redis says is stored, or else the lowest place of all at the tail. A cursor may join once it has
read everything below a watermark that is above `_passed`. What it knows already it is not handed again.

Without I/O: whoever drives it (`messages_app.searching.following`) calls `begin`, asks Redis, calls `plan`,
asks MongoDB, and hands out what `took` says; or calls `failed`. In one thread, or under a lock.
"""

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from relaycore.following.news import News
from relaycore.following.places import MOST_PER_PAGE, Cursor, Document, Horizon, Page, Read
from relaycore.position import entry_prefix, next_position

LOOK_SECONDS: Final = 1.0
"""Whoever misses a hint looks so long after the last look."""

_READS_BEHIND: Final = 4
"""So many questions for those behind in one turn, so that the tail does not wait for all of them."""


@dataclass(slots=True)
class _Hints:
    """What was announced. `awaited`: something followed is stored below this; `is_fresh`: look at once."""

    awaited: str = ""
    is_fresh: bool = False


class Following:
    """The cursors of one process in one partition. `now`: seconds, of a clock that only goes on."""

    def __init__(self, most_per_page: int = MOST_PER_PAGE) -> None:
        self._most_per_page = most_per_page
        self._tail: dict[Cursor, None] = {}  # In order, without looking for each.
        self._behind: dict[Cursor, None] = {}
        self._followed: Counter[str | None] = Counter()
        self._passed = self._below = ""
        self._hints = _Hints()
        self._looks_at = self._not_before = -math.inf
        self._reads_tail = False
        self._horizon = Horizon("", False, "0-0")
        self._turns = 0

    # --- who -----------------------------------------------------------------------------

    @property
    def cursors(self) -> list[Cursor]:
        """All of them."""
        return [*self._tail, *self._behind]

    def follow(self, channel: str | None, after: str) -> Cursor:
        """A new cursor, of this channel, or of all of the partition; it wants what is above `after`."""
        cursor = Cursor(channel, after)
        self._behind[cursor] = None
        self._followed[channel] += 1
        return cursor

    def leave(self, cursor: Cursor) -> None:
        """It wants nothing any more."""
        del (self._tail if cursor.is_at_tail else self._behind)[cursor]
        self._followed[cursor.channel] -= 1
        self._followed += Counter()  # Without those that nobody follows any more.

    def below(self, cursor: Cursor) -> str:
        """Below this it was handed everything. As a watermark it is no place to go on from after a loss."""
        return self._below if cursor.is_at_tail else cursor.after + ":"

    # --- when ----------------------------------------------------------------------------

    def hear(self, news: News) -> None:
        """Something sealed was heard."""
        channels = news.channels
        if channels is None or None in self._followed or not channels.isdisjoint(self._followed):
            self._hints.awaited = max(self._hints.awaited, next_position(news.upto))
        # News of other channels as well: what was announced before may be below the watermark by now.
        self._hints.is_fresh |= self._hints.awaited > self._below

    def look_soon(self) -> None:
        """News may have been missed: look without waiting for the second to be over."""
        self._looks_at = -math.inf

    def ask(self, cursor: Cursor) -> int:
        """It wants to know what is stored by now: a page at the tail says so, of this turn or later."""
        cursor.asked = self._turns + 1
        self.look_soon()
        return cursor.asked

    def due_in(self, now: float) -> float:
        """Seconds until the next turn; infinity while nobody has room."""
        wait = math.inf
        if any(cursor.room for cursor in self._tail):
            wait = -math.inf if self._hints.is_fresh else self._looks_at - now
        for cursor in self._behind:
            if cursor.room:
                wait = min(wait, self._looks_at - now if cursor.is_idle else -math.inf)
        return max(0.0, wait, self._not_before - now)

    # --- one turn ------------------------------------------------------------------------

    def begin(self, now: float) -> None:
        """A turn begins. What is heard from now on is for the next one."""
        self._turns += 1
        self._reads_tail = self._hints.is_fresh or now >= self._looks_at
        if self._reads_tail:
            self._hints.is_fresh = False
            self._looks_at = now + LOOK_SECONDS
            for cursor in self._behind:
                cursor.is_idle = False

    def failed(self, now: float) -> None:
        """Nobody knows how far may be read, or what is there: everything stays where it is for a while.

        The next turn that goes well hands everybody a page, if only to say so.
        """
        self._not_before = self._looks_at = now + LOOK_SECONDS
        for cursor in self.cursors:
            cursor.said = None

    def plan(self, horizon: Horizon) -> list[Read]:
        """What to ask MongoDB, after this was asked: never before."""
        self._horizon = horizon
        reads = []
        if self._reads_tail and self._tail:
            channels = frozenset(cursor.channel for cursor in self._tail)
            after = max(self._passed, min(cursor.after for cursor in self._tail))
            reads.append(self._read(channels, after, list(self._tail), is_tail=True))
        return reads + self._plan_behind()

    def took(self, read: Read, found: Sequence[Document], *, is_more: bool) -> list[tuple[Cursor, Page]]:
        """What was found, and whether there is more; to whom it goes."""
        if read.is_tail:
            return self._took_tail(read, found, is_more=is_more)
        pages: list[tuple[Cursor, Page]] = []
        for cursor in read.cursors:
            if cursor not in self._behind:
                continue  # It has left meanwhile.
            if found:
                cursor.after = found[-1]["position"]
            if not is_more:
                self._come_to_the_end(cursor, read.below)
            pages += self._hand(cursor, found)
        return pages

    # --- inside --------------------------------------------------------------------------

    def _plan_behind(self) -> list[Read]:
        """For some of those behind, each place once. Who was read for comes last the next time."""
        wanted: dict[tuple[str | None, str], list[Cursor]] = {}
        for cursor in self._behind:
            place = cursor.channel, cursor.after
            if cursor.room and not cursor.is_idle and (place in wanted or len(wanted) < _READS_BEHIND):
                wanted.setdefault(place, []).append(cursor)
        reads = []
        for (channel, after), cursors in wanted.items():
            reads.append(self._read([channel], after, cursors))
            for cursor in cursors:
                del self._behind[cursor]
                self._behind[cursor] = None
        return reads

    def _took_tail(
        self, read: Read, found: Sequence[Document], *, is_more: bool
    ) -> list[tuple[Cursor, Page]]:
        if is_more:
            self._below = self._passed = found[-1]["position"]
            self._hints.is_fresh = True
        else:
            self._below = read.below
            self._passed = max(self._passed, self._stored_below(read.below))
            if found:
                self._passed = max(self._passed, found[-1]["position"])
        by_channel: dict[str | None, list[Document]] = {None: list(found)}
        for document in found:
            by_channel.setdefault(document["channel"], []).append(document)
        pages: list[tuple[Cursor, Page]] = []
        for cursor in read.cursors:
            if cursor not in self._tail:
                continue  # It has left meanwhile.
            new = by_channel.get(cursor.channel, [])
            if new and new[0]["position"] <= cursor.after:
                new = [document for document in new if document["position"] > cursor.after]
            if new and not cursor.room:
                self._fall_behind(cursor)
                continue
            if new:
                cursor.after = new[-1]["position"]
            pages += self._hand(cursor, new, is_more=is_more)
        return pages

    def _come_to_the_end(self, cursor: Cursor, below: str) -> None:
        """It has read everything below a watermark: it is at the tail, unless the tail is further."""
        if not self._tail:
            self._below, self._passed = below, self._stored_below(below)
        if below <= self._passed:
            cursor.is_idle = True  # The watermark has fallen. It has to rise first.
            return
        self._below = min(self._below, below)
        del self._behind[cursor]
        self._tail[cursor] = None
        cursor.is_at_tail = True
        self._hints.is_fresh |= self._hints.awaited > self._below

    def _fall_behind(self, cursor: Cursor) -> None:
        del self._tail[cursor]
        self._behind[cursor] = None
        cursor.is_at_tail = cursor.is_idle = False

    def _hand(
        self, cursor: Cursor, messages: Sequence[Document], *, is_more: bool = False
    ) -> Iterable[tuple[Cursor, Page]]:
        says = cursor.is_at_tail and not is_more, self._horizon.is_sure
        is_asked = 0 < cursor.asked <= self._turns and says[0]
        if messages or ((says != cursor.said or is_asked) and cursor.room):
            cursor.said = says
            cursor.room -= 1
            if is_asked:
                cursor.asked = 0
            yield cursor, Page(messages, *says, self._turns, self._horizon.below)

    def _stored_below(self, below: str) -> str:
        """Behind every message of the last entry that is known to be stored, if that is below."""
        stored = self._horizon.stored
        return entry_prefix(stored) + ":" if next_position(stored) <= below else ""

    def _read(
        self,
        channels: Iterable[str | None],
        after: str,
        cursors: Sequence[Cursor],
        *,
        is_tail: bool = False,
    ) -> Read:
        named = frozenset(channels)
        known = None if None in named else frozenset(channel for channel in named if channel is not None)
        return Read(known, after, self._horizon.below, cursors, is_tail, self._most_per_page)
