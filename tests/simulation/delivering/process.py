"""A web process: `subscribers_app.pulling.desk`, `ahead` and the follower, played; and a log queue's reader.

Each call is a generator that yields wherever somebody else may come in between, or the process be killed.
"""

import random
from collections import deque
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final, TypeVar

from relaycore.delivering import giving, reading, settling
from relaycore.delivering.cursor import Cursor
from relaycore.delivering.leasing import Ahead, Delivery
from relaycore.delivering.reading import ReadAhead, Wants
from relaycore.delivering.settling import Change
from relaycore.delivering.skipping import skip
from relaycore.delivering.tokens import Token
from relaycore.position import entry_of, first_of, next_position, previous_position
from relaycore.storing.expiring import Expired

from .channel import Away, Document
from .ledger import Entry
from .watch import Given, Reader

if TYPE_CHECKING:
    from .world import World

ROOM: Final = 2
PATIENCE: Final = 10
_MOST_BYTES: Final = 10_000

Answer = TypeVar("Answer")
Decided = giving.Handed | giving.Unread | giving.Outdated | None
Steps = Generator[None, None, Answer]


class SetAnew(Exception):
    """It is set to something else by now than this desk knows."""


@dataclass
class Feed:
    """What the follower of the process reads for one desk."""

    after: str
    box: deque[list[Document] | Away] = field(default_factory=deque)


@dataclass
class Desk:
    """Of one subscription, as it was set when this was made: that may be long ago.

    ended: with this entry all was read when last there was nothing more
    noted: what was deleted up to here is on record
    """

    reader: Reader
    wants: Wants | None = None
    revision: int = 1
    cursor: Cursor | None = None
    read: ReadAhead | None = None
    feed: Feed | None = None
    is_busy: bool = False
    ended: str = ""
    noted: str = ""

    def close(self) -> None:
        self.read = self.feed = None
        self.ended = ""


@dataclass
class Answered:
    """What a client is answered by `fetch`."""

    position: str
    generation: int
    given: Sequence[Given] = ()


class Process:
    """One web process."""

    def __init__(self, world: "World") -> None:
        self._world = world
        self._random: random.Random = world.random
        self._channel, self._ledger, self._watch = world.channel, world.ledger, world.watch
        self._desks: dict[str, Desk] = {}
        self.is_dead = False

    def follow(self) -> None:
        """One turn of the follower: a page for whoever has room."""
        for desk in self._desks.values():
            feed = desk.feed
            if feed is None or len(feed.box) >= ROOM or self._random.random() < 0.3:
                continue
            try:
                page = self._channel.page(feed.after)
            except Away as exc:
                feed.box.append(exc)
                continue
            if page:
                feed.after = page[-1]["position"]
                feed.box.append(page)

    # --- what clients call ------------------------------------------------------------------

    def fetch(self, reader: Reader, most: int) -> Steps[Answered]:
        return self._in_turn(reader, lambda desk: self._try(desk, most))

    def consume(self, reader: Reader) -> Steps[str | None]:
        """As `compat_app.log_queue.reader`: the position of the next message; None: there is nothing more."""
        return self._in_turn(reader, self._consume)

    def _in_turn(self, reader: Reader, work: Callable[[Desk], Steps[Answer]]) -> Steps[Answer]:
        while True:
            try:
                return (yield from self._at(self._desk_of(reader), work))
            except SetAnew:
                self._watch.happened["chosen by what was so before"] += 1
                self._desks.pop(reader.name, None)

    def _desk_of(self, reader: Reader) -> Desk:
        entry = self._ledger.entries[reader.name]
        return self._desks.setdefault(reader.name, Desk(reader, entry.wants, entry.revision))

    def _at(self, desk: Desk, work: Callable[[Desk], Steps[Answer]]) -> Steps[Answer]:
        while desk.is_busy:
            yield from self._pause()
        desk.is_busy = True
        try:
            return (yield from work(desk))
        except (Away, SetAnew):
            # What holds is not known, or what was read cannot be gone on with.
            desk.cursor = None
            desk.noted = ""
            desk.close()
            raise
        finally:
            desk.is_busy = False

    def commit(self, reader: Reader, position: str, generation: int) -> Steps[None]:
        def work(entry: Entry) -> Cursor:
            entry.cursor = entry.cursor.commit(position, generation)
            entry.after.append(lambda: self._watch.committed(reader, position, generation))
            return entry.cursor

        yield from self._pause()
        cursor = self._transact(reader, work)
        yield from self._pause()
        desk = self._desks.get(reader.name)
        if desk is not None:
            desk.cursor = cursor

    def settle(self, reader: Reader, what: str, given: Given, change: Change) -> Steps[bool]:
        """`what`: ack, nack or extend."""

        def work(entry: Entry) -> bool:
            tokens = [given.token]
            rows = entry.find(settling.meant(entry.cursor, tokens))
            settled = settling.settle(entry.cursor, tokens, rows, change, entry.now)
            entry.delete(settled.done)
            entry.update(settled.changed)
            (in_time,) = settled.in_time
            row = settled.changed[0] if settled.changed else None
            entry.after.append(lambda: self._watch.settled(reader, what, given, row, in_time=in_time))
            return in_time

        yield from self._pause()
        in_time = self._transact(reader, work)
        yield from self._pause()
        return in_time

    # --- inside -----------------------------------------------------------------------------

    def _pause(self) -> Steps[None]:
        yield
        if self.is_dead:
            raise Away

    def _try(self, desk: Desk, most: int) -> Steps[Answered]:
        cursor = desk.cursor or self._ledger.transaction(desk.reader.name, lambda entry: entry.cursor)
        while True:
            yield from self._pause()
            early = self._channel.expired
            read = yield from self._stand(desk, cursor)
            self._collect(desk, read, most)
            ripe, is_leased = self._ripe_before(desk.reader), desk.reader.settings is not None
            ahead, documents = read.ahead(most, _MOST_BYTES, ripe, is_leased=is_leased)
            yield from self._pause()
            expired = self._expired(read, early)
            yield from self._pause()
            given = yield from self._give(desk, ahead, documents, most, expired)
            if given is not None:
                return given
            assert desk.cursor is not None
            cursor = desk.cursor

    def _consume(self, desk: Desk) -> Steps[str | None]:
        while True:
            cursor = desk.cursor or self._glance(desk)
            yield from self._pause()
            early = self._channel.expired
            read = yield from self._stand(desk, cursor)
            self._collect(desk, read, 1)
            if not len(read):
                yield from self._catch_up(desk, read)
            yield from self._pause()
            expired = self._expired(read, early)
            yield from self._pause()
            self._note(desk, cursor, expired)
            yield from self._pause()
            if not len(read):
                # It may stand elsewhere by now: somebody else has sought.
                desk.cursor = self._glance(desk)
                if desk.cursor.stands_as(cursor):
                    return None
                continue
            position = read.first(1, 0)[0][0]["position"]
            if self._step(desk, cursor, position):
                yield from self._pause()
                desk.cursor = cursor.step(cursor, position)
                return str(position)
            self._watch.happened["somebody else has stepped"] += 1
            desk.cursor = None

    def _glance(self, desk: Desk) -> Cursor:
        cursor, is_active = self._transact(desk.reader, lambda entry: (entry.cursor, entry.is_active))
        if not is_active:
            raise Away
        return cursor

    def _catch_up(self, desk: Desk, read: ReadAhead) -> Steps[None]:
        """Until there is something, or everything that was appended by now has been read."""
        last = entry_of(self._channel.last)
        yield from self._pause()
        if last == desk.ended:
            return
        for _ in range(PATIENCE):
            if (self._channel.watermark or "") >= next_position(last):
                break
            yield from self._pause()
        else:
            raise Away
        yield from self._pause()
        self._collect(desk, read, 1)
        if len(read) or desk.feed is None:
            return
        page, below = self._channel.page(desk.feed.after), self._channel.watermark or ""
        if page:
            desk.feed.after = page[-1]["position"]
            read.add(page)
        elif reading.is_read(last, below):
            desk.ended = last
        else:
            raise Away

    def _note(self, desk: Desk, cursor: Cursor, expired: Expired) -> None:
        if expired.upto <= max(cursor.position, desk.noted):
            return

        def work(entry: Entry) -> None:
            entry.noted, missed = skip(entry.cursor.position, entry.noted, expired)
            if missed is not None:
                entry.record("retention", missed.after, missed.upto, missed.at_most)

        self._transact(desk.reader, work)
        desk.noted = expired.upto

    def _step(self, desk: Desk, seen: Cursor, position: str) -> bool:
        """As the UPDATE of `compat_app.log_queue.moving`."""

        def work(entry: Entry) -> bool:
            stepped = entry.cursor.step(seen, position) if entry.is_active else None
            if stepped is not None:
                entry.cursor = stepped
                entry.after.append(lambda: self._watch.stepped(desk.reader, position))
            return stepped is not None

        return self._transact(desk.reader, work)

    def _expired(self, read: ReadAhead, early: Expired) -> Expired:
        """After what was read, never before; and once for each page."""
        now = self._world.time / 1000
        known = read.expired(now)
        if known is None:
            known = self._channel.expired
            read.note(known, now)
        return known

    def _stand(self, desk: Desk, cursor: Cursor) -> Steps[ReadAhead]:
        if desk.read is None or desk.feed is None or not desk.read.fits(cursor):
            desk.close()
            yield from self._pause()
            desk.feed = Feed(cursor.position)
            desk.read = ReadAhead(cursor.position, cursor.generation, desk.revision)
            if self._random.random() < 0.8:
                self.follow()
        return desk.read

    def _collect(self, desk: Desk, read: ReadAhead, most: int) -> None:
        while desk.feed is not None and len(read) < most and desk.feed.box:
            page = desk.feed.box.popleft()
            if isinstance(page, Away):
                raise page
            read.add(page, desk.wants)

    def _ripe_before(self, reader: Reader) -> str | None:
        if not reader.delay_ms:
            return None
        return first_of(f"{max(0, self._world.time - reader.delay_ms)}-0")

    def _give(
        self, desk: Desk, ahead: Ahead, documents: Sequence[Document], most: int, expired: Expired
    ) -> Steps[Answered | None]:
        reader = desk.reader

        read: dict[bytes, bool] = {}

        def work(entry: Entry) -> "tuple[Decided, Cursor, Sequence[Given]]":
            standing = giving.Standing(entry.cursor, entry.noted, entry.is_active, entry.revision)
            handed: Decided
            if reader.settings is None:
                handed = giving.fetch(standing, ahead, expired)
            else:
                settings, now = reader.settings, entry.now
                handed = giving.lease_next(
                    standing, settings, lambda: entry.due(most), ahead, most, now, expired, read
                )
            given: list[Given] = []
            if isinstance(handed, giving.Handed) and handed.is_active:
                given = self._hand(reader, entry, handed, documents, ahead)
            return handed, entry.cursor, given

        while True:
            handed, cursor, given = self._transact(reader, work)
            desk.cursor = cursor
            yield from self._pause()
            if not isinstance(handed, giving.Unread):
                break
            # Before they are leased: an attempt counts only for what can be shown.
            found = self._channel.find([row.position for row in handed.rows])
            read |= {row.id: row.position in found for row in handed.rows}
            yield from self._pause()
        if handed is None:
            return None
        if isinstance(handed, giving.Outdated):
            raise SetAnew
        if not handed.is_active:
            return Answered(cursor.position, cursor.generation)
        if handed.leased is None:
            return Answered(ahead.upto, ahead.generation)
        self._watch.answered(reader, given)
        return Answered(cursor.position, cursor.generation, given)

    def _transact(self, reader: Reader, work: Callable[[Entry], Answer]) -> Answer:
        """Nobody is answered before that is committed."""
        return self._ledger.transaction(reader.name, work)

    def _hand(
        self,
        reader: Reader,
        entry: Entry,
        handed: giving.Handed,
        documents: Sequence[Document],
        ahead: Ahead,
    ) -> list[Given]:
        if handed.noted.upto != entry.noted.upto:
            if handed.missed is not None:
                missed = handed.missed
                entry.record("retention", missed.after, missed.upto, missed.at_most)
            entry.noted = handed.noted
        entry.cursor = handed.cursor
        leased, now = handed.leased, entry.now
        if leased is None:
            shown = [one["position"] for one in documents]
            shown_upto = replace(handed.cursor, fetched=ahead.upto)
            entry.after.append(lambda: self._watch.fetched(reader, shown_upto, shown))
            return []
        gone = [row.position for row in handed.lost]
        entry.delete(gone)
        for at in gone:
            entry.record("expired", previous_position(at), at, 1)
        entry.after.append(lambda: self._watch.let_go(reader, gone))
        entry.update([*leased.again, *leased.dead])
        entry.insert(leased.new)
        given = [self._given(reader, entry, one) for one in [*leased.again, *leased.new]]
        entry.after.append(lambda: self._watch.leased(reader, leased, given, now))
        return given

    def _given(self, reader: Reader, entry: Entry, one: Delivery) -> Given:
        token = Token(entry.cursor.generation, one.attempt, one.position)
        return Given(token, self._watch.serial(), one.deadline_at, one.due_at)
