"""A web process: `subscribers_app.pulling.desk`, `ahead` and the follower, played; and a log queue's reader.

Each call is a generator that yields wherever somebody else may come in between, or the process be killed.
"""

import contextlib
import random
from collections import deque
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final, TypeVar

from relaycore.delivering import giving, holding, reading, unlocked
from relaycore.delivering.cursor import Cursor
from relaycore.delivering.giving import Standing
from relaycore.delivering.holding import Earlier, Held, Reread
from relaycore.delivering.leasing import Ahead, Delivery
from relaycore.delivering.reading import ReadAhead, Wants
from relaycore.delivering.skipping import skip
from relaycore.delivering.tokens import Token
from relaycore.delivering.unlocked import Left
from relaycore.errors import CursorMoved
from relaycore.position import at_millisecond, entry_of, next_position, previous_position
from relaycore.storing.expiring import Expired

from .again import Again, Unplaced
from .channel import Away, Document
from .ledger import Entry
from .saying import Said
from .watch import Given, Reader

if TYPE_CHECKING:
    from .world import World

ROOM: Final = 2
PATIENCE: Final = 10
_MOST_BYTES: Final = 10_000
_MOST_LEFT: Final = 3

Answer = TypeVar("Answer")
Decided = giving.Handed | giving.Unread | Unplaced | giving.Outdated | None
Steps = Generator[None, None, Answer]


class _NotByThat(Exception):
    """It is to be decided by the row itself."""


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
    earlier: Sequence[Earlier[Wants | None]] = ()
    cursor: Cursor | None = None
    read: ReadAhead | None = None
    feed: Feed | None = None
    is_busy: bool = False
    ended: str = ""
    noted: str = ""

    def close(self) -> None:
        self.read = self.feed = None
        self.ended = ""

    def key_of(self, document: Document, generation: int) -> str:
        """By which it was chosen when the cursor passed it; empty: it was not, or has none."""
        assert self.reader.key_of is not None
        wants = holding.chosen_by(document["position"], generation, self.earlier, self.wants)
        return self.reader.key_of(document) if wants is None or wants(document) else ""


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
        self._left = Left(_MOST_LEFT)
        self._numbers: dict[tuple[str, int], int] = {}
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

    def fetch(self, reader: Reader, most: int, said: Said | None = None) -> Steps[Answered]:
        """`said`: holds first."""
        if said is not None and self._desk_of(reader).is_busy:
            yield from self.say(reader, said)
        return (yield from self._in_turn(reader, lambda desk: self._try(desk, most, said)))

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
        return self._desks.setdefault(reader.name, Desk(reader, entry.wants, entry.revision, entry.earlier))

    def _at(self, desk: Desk, work: Callable[[Desk], Steps[Answer]]) -> Steps[Answer]:
        while desk.is_busy:
            yield from self._pause()
        desk.is_busy = True
        try:
            return (yield from work(desk))
        except (Away, SetAnew, CursorMoved):
            # What holds is not known, or what was read cannot be gone on with.
            desk.cursor = None
            desk.noted = ""
            desk.close()
            raise
        finally:
            desk.is_busy = False

    def say(self, reader: Reader, said: Said) -> Steps[Any]:
        """By itself; what it comes to."""
        yield from self._pause()
        answer, cursor = self._transact(reader, lambda entry: (said.say(entry), entry.cursor))
        yield from self._pause()
        said.hold(answer)
        if (desk := self._desks.get(reader.name)) is not None:
            desk.cursor = cursor
        return answer

    # --- inside -----------------------------------------------------------------------------

    def _pause(self) -> Steps[None]:
        yield
        if self.is_dead:
            raise Away

    def _try(self, desk: Desk, most: int, said: Said | None = None) -> Steps[Answered]:
        cursor = desk.cursor or self._ledger.transaction(desk.reader.name, lambda entry: entry.cursor)
        while True:
            try:
                yield from self._pause()
                early = self._channel.expired
                read = yield from self._stand(desk, cursor if said is None else said.foresee(cursor))
                self._collect(desk, read, most)
                again = Again(self._random, most, is_crowded=self._world.is_crowded)
                ahead, documents = self._page(desk.reader, read, again)
                yield from self._pause()
                expired = self._expired(read, early)
                yield from self._pause()
            except Away:
                if said is not None:
                    yield from self.say(desk.reader, said)
                raise
            given = yield from self._give(desk, ahead, documents, again, expired, said)
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
            read.add(page, desk.wants, desk.reader.key_of)

    def _page(self, reader: Reader, read: ReadAhead, again: Again) -> tuple[Ahead, list[Document]]:
        """What there is room for. In an order by a field it is not known which of them wait."""
        ripe, is_leased = self._ripe_before(reader), reader.settings is not None
        ahead, documents = read.ahead(again.most, _MOST_BYTES, ripe, is_leased=is_leased)
        if reader.key_of is not None:
            return ahead, documents
        fitting = again.take([one["position"] for one in documents])
        if fitting == len(documents):
            return ahead, documents
        self._watch.happened["a page was cut"] += 1
        return self._cut(ahead, *read.ahead(fitting, _MOST_BYTES, ripe, is_leased=is_leased))

    def _cut(self, whole: Ahead, ahead: Ahead, documents: list[Document]) -> tuple[Ahead, list[Document]]:
        """In place of the whole page: it ends where the last one stands that has room."""
        return ahead, documents

    def _ripe_before(self, reader: Reader) -> str | None:
        if not reader.delay_ms:
            return None
        return at_millisecond(self._world.time - reader.delay_ms)

    def _give(
        self,
        desk: Desk,
        ahead: Ahead,
        documents: Sequence[Document],
        again: Again,
        expired: Expired,
        said: Said | None,
    ) -> Steps[Answered | None]:
        reader = desk.reader

        def work(entry: Entry) -> "tuple[Decided, Cursor, Sequence[Given]]":
            standing = giving.Standing(entry.cursor, entry.noted, entry.is_active, entry.revision)
            handed: Decided
            if reader.settings is None:
                handed = giving.fetch(standing, ahead, expired)
            else:
                settings, now, most, read = reader.settings, entry.now, again.most, (again.read, again.reread)
                handed = giving.lease_next(
                    standing, settings, lambda: entry.due(most), ahead, most, now, expired, *read
                )
            handed = again.unless_unplaced(handed)
            given: list[Given] = []
            if isinstance(handed, giving.Handed) and handed.is_active:
                given = self._hand(reader, entry, handed, documents, ahead)
            return handed, entry.cursor, given

        while True:
            handed, cursor, given = yield from self._after(reader, said, work)
            desk.cursor = cursor
            yield from self._pause()
            if not isinstance(handed, giving.Unread | Unplaced):
                break
            yield from self._see_to(desk, handed, again, ahead.generation)
        if handed is None or self._has_only_moved(handed):
            return None
        if isinstance(handed, giving.Outdated):
            raise SetAnew
        if not handed.is_active:
            return Answered(cursor.position, cursor.generation)
        if handed.leased is None:
            return Answered(ahead.upto, ahead.generation)
        self._watch.answered(reader, given)
        return Answered(cursor.position, cursor.generation, given)

    def _see_to(
        self, desk: Desk, lacking: giving.Unread | Unplaced, again: Again, generation: int
    ) -> Steps[None]:
        """Before they are leased: an attempt counts only for what can be shown."""
        if isinstance(lacking, Unplaced):
            self._watch.happened["leased only once there is room"] += 1
            again.make_room(lacking)
            return
        found = self._channel.find([row.position for row in lacking.rows])
        again.read |= {row.id: row.position in found for row in lacking.rows}
        yield from self._pause()
        again.reread |= yield from self._reread(desk, lacking.open, generation)

    def _has_only_moved(self, handed: giving.Handed | giving.Outdated) -> bool:
        if not isinstance(handed, giving.Handed) or handed.leased is None:
            return False
        self._watch.happened["others are looked for"] += handed.leased.has_only_moved
        return handed.leased.has_only_moved

    def _reread(self, desk: Desk, opened: Sequence[Held], generation: int) -> Steps[dict[str, Reread]]:
        """As `subscribers_app.pulling.archive.reread`."""
        if not opened:
            return {}
        early = self._channel.expired
        yield from self._pause()
        found, looked = self._channel.reread(opened[0].above, max(one.upto for one in opened))
        page = [(one["position"], one["_id"].binary, desk.key_of(one, generation)) for one in found]
        for _ in range(self._random.choice([1, 1, 1, 1, 30])):  # Or it stands still for a while.
            yield from self._pause()
        self._watch.happened["has waited"] += any(key for _, _, key in page)
        reread = {one.key: Reread(one.above, one.above) for one in opened}
        return reread | holding.matched(opened, page, looked, self._reread_expired(early))

    def _reread_expired(self, early: Expired) -> Expired:
        """After what was read, never before."""
        return self._channel.expired

    def _after(self, reader: Reader, said: Said | None, work: Callable[[Entry], Answer]) -> Steps[Answer]:
        """In one transaction, which begins with what is said."""
        if said is None:
            return self._transact(reader, work)
        answer, found = self._transact(reader, lambda entry: (said.say(entry), work(entry)))
        yield from self._pause()
        said.hold(answer)
        return found

    def _transact(self, reader: Reader, work: Callable[[Entry], Answer]) -> Answer:
        """Nobody is answered before that is committed. As `subscribers_app.pulling.clerk`."""
        # Those that were there from the beginning have no number.
        name = (reader.name, self._ledger.entries[reader.name].number)
        number = self._numbers.setdefault(name, len(self._numbers))
        if (seen := self._left.recall(number)) is not None:
            with contextlib.suppress(_NotByThat):
                return self._as_left(reader, number, seen, work)
        self._left.forget(number)
        answer, standing = self._ledger.transaction(reader.name, lambda entry: (work(entry), entry.standing))
        if reader.settings is None and not reader.steps:
            self._left.leave(number, standing)
        return answer

    def _as_left(
        self, reader: Reader, number: int, seen: Standing, work: Callable[[Entry], Answer]
    ) -> Answer:
        entry = self._ledger.as_left(reader.name, seen)
        try:
            answer = work(entry)
        except CursorMoved:
            raise _NotByThat from None
        if not unlocked.may_be_written(seen, entry.standing):
            raise _NotByThat
        self._left.forget(number)
        try:
            is_written = self._ledger.write(reader.name, seen, entry)
        except Away:
            raise _NotByThat from None
        if not is_written:
            self._watch.happened["a row was not as it was left"] += 1
            raise _NotByThat
        self._watch.happened["decided by a row as it was left"] += 1
        self._left.leave(number, entry.standing)
        return answer

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
        entry.hold(leased.held, leased.free)
        for one in leased.missed:
            entry.record("expired", one.after, one.upto, one.at_most, one.key)
        given = [self._given(reader, entry, one) for one in [*leased.again, *leased.new]]
        entry.after.append(lambda: self._watch.leased(reader, leased, given, now))
        return given

    def _given(self, reader: Reader, entry: Entry, one: Delivery) -> Given:
        token = Token(entry.cursor.generation, one.attempt, one.position)
        return Given(token, self._watch.serial(), one.deadline_at, one.due_at)
