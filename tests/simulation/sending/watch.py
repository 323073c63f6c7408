"""What was sent, what the endpoints have taken, and what is owed: kept beside the product.

`broken` is what must never be, each with the number of the promise:

1.  what is owed is above the cursor, has a row, or is on record
2.  nothing is written by a sender whose lease somebody else has, nor from before a seek; the cursor goes back
    by a seek alone
3.  who dies now has sent no more without a trace than may be
4.  no attempt begins while somebody else may have the lease
5.  what a sender knows to be done it does not send again in the same generation; nothing is out twice
6.  in order one is out at a time, and a message is tried when all before it are done, dead or on record: in
    an order by a field so it is for each key
7.  what was skipped or dropped does not come back
8.  a message is dead after as many attempts as it has, and not before; what is withheld is none
9.  what is not for the subscription, not yet or no more, is not sent
10. no more rows are on their way than may be, but for redriven ones; of what waits there is one record for a
    key; what is in memory is bounded
11. at an endpoint that is left alone one is out at a time
12. once nothing goes wrong any more, all that is owed is taken or dead, and nothing is on its way
13. what goes together goes together again, under the same id, which nothing else has: but for what was let
    go, grew too old or was deleted, and where a batch was divided, its messages redriven, or its sender has
    died before it had recorded it
"""

from collections import Counter
from collections.abc import Sequence, Set
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from relaycore.delivering.leasing import State
from relaycore.delivering.reading import KeyOf, Wants
from relaycore.delivering.settings import Settings
from relaycore.position import milliseconds_of
from relaycore.sending.batches.batch import Batch
from relaycore.sending.breaker import State as Breaker
from relaycore.sending.items import Item, Progress
from tests.simulation.delivering.channel import Channel
from tests.simulation.delivering.ledger import Entry, Ledger, Record

if TYPE_CHECKING:
    from .sender import Line


SIX: Final = Settings(most_outstanding=6)


@dataclass(frozen=True)
class Reader:
    """A subscription as it is set.

    most:    so many may be without a trace
    seconds: its schedule
    key_of:  None: there is no order by a field
    batch:   so many messages go together at most
    steps:   none is of those
    """

    name: str
    settings: Settings = SIX
    wants: Wants | None = None
    most: int = 4
    seconds: tuple[int, ...] = (0, 1, 2)
    delay_ms: int = 0
    max_age_ms: int | None = None
    steps: bool = False
    key_of: KeyOf | None = None
    batch: int = 1


@dataclass
class Book:
    """Of one subscription.

    owed:    positions that its endpoint has not taken, in this generation
    excused: those that are on record while the cursor is below them
    going:   those that are there after a seek, and are on record as deleted: they may come, or not
    taken:   positions that it has taken, in this generation
    tries:   how often each was tried, since it was redriven
    let_go:  positions that were skipped or dropped, in this generation
    composed: of each batch, by its id, the positions
    divided:  ids of those whose messages are tried by themselves from then on
    """

    reader: Reader
    wants: Wants | None
    owed: set[str] = field(default_factory=set)
    excused: set[str] = field(default_factory=set)
    going: set[str] = field(default_factory=set)
    taken: set[str] = field(default_factory=set)
    generation: int = 1
    tries: Counter[str] = field(default_factory=Counter)
    let_go: set[str] = field(default_factory=set)
    redrives: int = 0
    composed: dict[str, Sequence[str]] = field(default_factory=dict)
    divided: set[str] = field(default_factory=set)


class Watch:
    """Of all subscriptions."""

    def __init__(self, channel: Channel, ledger: Ledger) -> None:
        self._channel, self._ledger = channel, ledger
        ledger.recorded, ledger.written = self.recorded, self.written
        self.books: dict[str, Book] = {}
        self.broken: set[tuple[int, str]] = set()
        self.happened: Counter[str] = Counter()

    def appended(self, positions: Sequence[str]) -> None:
        for book in self.books.values():
            book.owed |= {one for one in positions if self._is_wanted(book, one)}

    def _is_wanted(self, book: Book, position: str) -> bool:
        return book.wants is None or book.wants(self._channel.appended[position])

    def key(self, reader: Reader, position: str) -> str:
        return "" if reader.key_of is None else reader.key_of(self._channel.appended[position])

    def _waits(self, book: Book, position: str, entry: Entry) -> bool:
        held = entry.held.get(self.key(book.reader, position))
        return held is not None and held.covers(position)

    # --- what is sent ---------------------------------------------------------------------------

    def composed(self, line: "Line", batch: Batch) -> None:
        """These are about to be tried together."""
        book, window = self.books[line.reader.name], line.window
        assert window is not None
        generation, positions = window.place.generation, [one.position for one in batch.items]
        self._require(13, 0 < len(positions) <= line.reader.batch, "too many together")
        known = book.composed.setdefault(batch.id, positions)
        self._require(13, known == positions == sorted(positions), "others under the same id")
        self.happened["together"] += len(positions) > 1
        for one in batch.items:
            before, id = line.batches.get((generation, one.position), (one, ""))
            line.batches[(generation, one.position)] = one, batch.id
            if one.row is not None and one.row.before == one.row.attempt:
                continue  # It is new, as far as that goes, or was redriven.
            if generation == book.generation and not before.is_let_go:
                self._is_whole(line, batch, id)
                self._is_whole(line, batch, "" if one.row is None else one.row.batch)

    def _is_whole(self, line: "Line", batch: Batch, before: str) -> None:
        """It is what was tried before, or what is left of that."""
        book = self.books[line.reader.name]
        if not before or before == batch.id:
            return
        if before in book.divided:
            self._require(13, len(batch.items) == 1, "together again, though it was divided")
            return
        here = {one.position for one in batch.items}
        more = here - set(book.composed[before])
        left = {one for one in book.composed[before] if self._is_left(line, one, before)} - here
        self.happened["smaller"] += not (more or left)
        self._require(13, not more, "together with others than before")
        self._require(13, not left, "without what it was together with before")

    def _is_left(self, line: "Line", position: str, batch: str) -> bool:
        """Whether it is still to be sent with this batch."""
        entry = self._ledger.entries[line.reader.name]
        if position in self._channel.deleted or self._is_too_old(line.reader, position):
            return False
        if (row := entry.rows.get(position)) is not None:
            return row.batch == batch and row.state is not State.DEAD
        item, last = line.batches.get((entry.cursor.generation, position), (None, ""))
        is_known = item is not None and not item.is_let_go and last == batch
        is_wanted = line.wants is None or line.wants(self._channel.appended[position])
        return is_known and is_wanted and position > entry.cursor.position

    def divided(self, line: "Line", batch: Batch) -> None:
        """One of it may be why it was refused."""
        self.happened["divided"] += len(batch.items) > 1
        self.books[line.reader.name].divided.add(batch.id)

    def begins(
        self,
        line: "Line",
        item: Item,
        revision: int,
        *,
        is_sure: bool,
        others_out: int,
        beside: Set[str] = frozenset(),
    ) -> None:
        """An attempt begins.

        revision:   by which it was chosen to be tried
        is_sure:    nobody else has the lease
        others_out: at its endpoint
        beside:     what goes together with it
        """
        book, at, window = self.books[line.reader.name], item.position, line.window
        assert window is not None
        generation = window.place.generation
        self._require(4, is_sure, "sent while somebody else has the lease")
        self._require(5, (generation, at) not in line.done, "sent again, and it was known to be done")
        self._require(5, (generation, at) not in line.trying, "out twice")
        key = self.key(line.reader, at)
        same = [one for _, one in line.trying if key and self.key(line.reader, one) == key]
        self._require(6, not same, "two of a key are out")
        line.trying[(generation, at)] = item
        self._require(10, window.room >= 0 and line.held <= 3 * line.reader.most + 10, "too much is held")
        self._require(9, not self._is_too_old(line.reader, at), "sent though it is too old")
        is_ripe = milliseconds_of(at) + line.reader.delay_ms <= self._ledger.time
        self._require(9, is_ripe, "sent before its time")
        if line.reader.settings.is_ordered:
            self._require(6, others_out == 0, "two are out in order")
        if generation != book.generation:
            self.happened["sent from before a seek"] += 1
            return
        book.tries[at] += 1
        most = line.reader.most + (line.reader.batch if window._here.kept else 0)
        self._require(3, self._traceless(line) <= most, "too many without a trace")
        self.happened["tried again"] += item.attempt > 1
        self.happened["repeated"] += at in book.taken
        if revision == self._ledger.entries[line.reader.name].revision:
            is_for_it = at in book.owed | book.taken | book.going or item.is_row
            self._require(9, is_for_it, "sent though it is not wanted")
            if line.reader.settings.is_ordered or key:
                self._begins_in_order(book, line, at, key, beside)
                way = {one for one in line.way - beside if one < at and self._is_on_its_way(line.reader, one)}
                # By a field one that was redriven since comes after what is sent meanwhile.
                rows = self._ledger.entries[line.reader.name].rows
                way = {one for one in way if not key or (rows[one].key == key and not rows[one].before)}
                self._require(6, not (item.is_row and way), "not the lowest of those that were sent before")
        if at in book.going:
            book.going.discard(at)
            book.owed.add(at)

    def _is_too_old(self, reader: Reader, position: str) -> bool:
        return (
            reader.max_age_ms is not None
            and milliseconds_of(position) + reader.max_age_ms < self._ledger.time
        )

    def _is_on_its_way(self, reader: Reader, position: str) -> bool:
        row = self._ledger.entries[reader.name].rows.get(position)
        return row is not None and row.state is not State.DEAD

    def alone(self, others_out: int, state: Breaker) -> None:
        """An attempt begins at an endpoint whose breaker is so."""
        self.happened[f"tried, {state}"] += 1
        is_alone = state is Breaker.CLOSED or (state is Breaker.HALF_OPEN and not others_out)
        self._require(11, is_alone, "not left alone")

    def _traceless(self, line: "Line") -> int:
        """What would be sent once more if the sender died now."""
        entry = self._ledger.entries[line.reader.name]
        count = 0
        for (generation, at), item in list(line.trying.items()) + list(line.ended.items()):
            if generation != entry.cursor.generation:
                continue
            row = entry.rows.get(at)
            if at > entry.cursor.position:
                count += 1
            elif row is not None and row.state is not State.DEAD:
                # The attempt under way is the one behind that of the row; one that has ended is in `ended`.
                count += row.attempt < line.attempts[(generation, at)]
            else:
                continue
            assert item is not None
        return count

    def _begins_in_order(self, book: Book, line: "Line", at: str, key: str, beside: Set[str]) -> None:
        rows = self._ledger.entries[line.reader.name].rows
        before = {one for one in book.owed - book.excused if one < at and self.key(line.reader, one) == key}
        held = {one for one in before if one not in rows or rows[one].state is not State.DEAD}
        held = {one for one in held if (book.generation, one) not in line.dead}
        held = {one for one in held if one not in rows or not rows[one].before}
        held = {one for one in held if not self._is_too_old(line.reader, one)}
        held -= beside
        held -= self._channel.deleted  # Nobody has read it, and that is on record once the cursor is there.
        self._require(6, not held, "sent before its time by order")

    def took(self, reader: Reader, position: str, generation: int) -> None:
        """Its endpoint has it, and may know nothing of who sent it."""
        book = self.books[reader.name]
        if generation != book.generation:
            return
        book.owed.discard(position)
        book.going.discard(position)
        book.taken.add(position)

    def recorded_by(self, reader: Reader, before: Entry, progress: Progress, *, is_current: bool) -> None:
        """A sender writes this."""
        self._require(2, is_current, "written by who has no lease")
        is_of_now = progress.seen.generation == before.cursor.generation
        self._require(2, is_of_now, "written from before a seek")
        self.happened["held"] += bool(progress.held)
        self.happened["found"] += bool(progress.free)
        self.happened["parked"] += any(not one.attempt for one in progress.new)
        self.happened["died"] += any(one.state is State.DEAD for one in [*progress.new, *progress.changed])

    # --- what operators do, as `tests.simulation.delivering.clients.Operators` says it ---------------

    def sought(self, reader: Reader, entry: Entry) -> None:
        self.happened["sought"] += 1
        self._begin_anew(self.books[reader.name], entry)

    def made_anew(self, reader: Reader, entry: Entry) -> None:
        self.books[reader.name] = Book(reader, entry.wants)
        self._begin_anew(self.books[reader.name], entry)

    def chosen_anew(self, reader: Reader, entry: Entry) -> None:
        """Above the cursor other messages are for it. What it knows to have is not sent again."""
        book = self.books[reader.name]
        self.happened["chosen anew"] += 1
        self._choose(book, entry)
        book.owed -= book.taken

    def _begin_anew(self, book: Book, entry: Entry) -> None:
        book.tries, book.taken, book.let_go = Counter(), set(), set()
        self._choose(book, entry)

    def _choose(self, book: Book, entry: Entry) -> None:
        book.wants, book.generation = entry.wants, entry.cursor.generation
        position = entry.cursor.position
        there = max(position, entry.noted.upto)
        again = {one for one in [*self._channel.stored, *self._channel.late] if one > there}
        again = {one for one in again if self._is_wanted(book, one)}
        book.going = {one for one in self._channel.stored if position < one <= there}
        book.going = {one for one in book.going if self._is_wanted(book, one)} - book.owed
        stays = {one for one in book.owed if one <= position or one in entry.rows}
        book.owed = again | stays | {one for one in book.owed if self._is_wanted(book, one)}
        book.excused = book.excused - again & book.owed

    def redriven(self, reader: Reader, positions: Sequence[str]) -> None:
        book = self.books[reader.name]
        book.redrives += len(positions)
        self.happened["redriven"] += len(positions)
        for at in positions:
            book.tries[at] = 0

    def let_go(self, reader: Reader, positions: Sequence[str]) -> None:
        """Rows that went, on record."""
        position = self._ledger.entries[reader.name].cursor.position
        # Above the cursor, after a seek back, it is a dead letter of what comes as new.
        self.books[reader.name].let_go |= {one for one in positions if one <= position}

    # --- what stands there by now -------------------------------------------------------------------

    def recorded(self, name: str, entry: Entry) -> None:
        self.happened.update(record.cause for record in entry.records)
        for record in entry.records:
            self._recorded(self.books[name], record, entry)

    def _recorded(self, book: Book, record: Record, entry: Entry) -> None:
        if record.cause == "retention" and record.messages is not None:
            gone = [one for one in self._channel.deleted if record.covers(one)]
            self._require(1, len(gone) <= record.messages, "more are gone than is on record")
        for one in list(book.owed):
            if not record.covers(one) or one in entry.rows:
                continue
            if record.key and self.key(book.reader, one) != record.key:
                continue
            self._require(1, not record.key or one in self._channel.deleted, "on record, and it is there")
            if self._waits(book, one, entry):
                book.excused.add(one)
            elif one <= entry.cursor.position:
                book.owed.discard(one)
            elif record.cause != "seek" or one <= entry.noted.upto:
                book.excused.add(one)

    def written(self, name: str, before: Entry, after: Entry) -> None:
        book, settings = self.books[name], self.books[name].reader.settings
        is_sought = after.cursor.generation != before.cursor.generation
        self._require(2, is_sought or after.cursor.position >= before.cursor.position, "went back")
        self._require(2, after.cursor.generation == book.generation, "a seek is undone")
        book.excused -= after.rows.keys()
        passed = {one for one in book.owed - book.excused if one <= after.cursor.position}
        missing = {one for one in passed - after.rows.keys() if not self._waits(book, one, after)}
        self._require(1, not missing, "neither taken nor on record")
        book.owed -= missing
        self._require(7, not book.let_go & after.rows.keys(), "what was let go is back")
        for row in after.rows.values():
            last = before.rows.get(row.position)
            died = row.state is State.DEAD and (last is None or last.state is not State.DEAD)
            if died and not is_sought:
                tries = book.tries[row.position]
                self._require(8, tries >= len(book.reader.seconds), "died too early")
                self._require(8, row.attempt - row.before == len(book.reader.seconds), "miscounted")
        rows = [one for one in after.rows.values() if one.state is not State.DEAD and not one.before]
        # What waited behind one that was redriven takes its place.
        more = book.redrives if book.reader.key_of is not None else 0
        self._require(10, len(rows) <= settings.most_outstanding + more, "too many on their way")
        busy = {one.key for one in after.rows.values() if one.state is not State.DEAD}
        self._require(10, len(after.held) <= len(busy) + len(after.open), "waits behind nothing")
        most = settings.most_outstanding + book.redrives
        self._require(10, len(rows) + len(after.open) <= most, "too many keys are open")

    def require_all_done(self) -> None:
        """At the end: whatever is owed is dead, or on record, and nothing is on its way."""
        for name, book in self.books.items():
            entry = self._ledger.entries[name]
            left = book.owed - book.excused - entry.rows.keys()
            self._require(12, not left, "never taken")
            moving = [one for one in entry.rows.values() if one.state is not State.DEAD]
            self._require(12, not moving, "on its way for ever")
            self._require(12, not entry.held, "waits for ever")

    def _require(self, promise: int, holds: bool, what: str) -> None:
        if not holds:
            self.broken.add((promise, what))
