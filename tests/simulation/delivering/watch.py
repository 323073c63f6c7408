"""Who was given what, and what is owed: kept beside the product, by what has been committed.

`broken` is what must never be, each with the number of the promise:

1. what is owed is above the cursor, has a row, is done, or is on record
2. while a lease lives nobody else is given the message
3. by order, a message is given only when all before it are done, dead or on record; by a field, all before
   it of its key
4. no more rows are on their way than may be, but for redriven ones; of what waits there is one row for a key
5. what is settled or committed counts if it is the last word on it, and only then; nothing is answered before
   it is committed
6. once nothing goes wrong any more, all that is owed is handed out, and nothing is on its way
7. a message is dead after as many attempts as it has, and not before
8. the cursor goes back by a seek alone
9. what is not for the subscription, or not yet, or done, is not given
10. who is told that there is nothing more has had all that was appended before he asked
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from relaycore.delivering.cursor import Cursor
from relaycore.delivering.leasing import LONGEST_MS, Delivery, Leased, State
from relaycore.delivering.reading import KeyOf, Wants
from relaycore.delivering.settings import Settings
from relaycore.delivering.tokens import Token
from relaycore.position import START, milliseconds_of

from .channel import Channel
from .ledger import Entry, Ledger, Record


@dataclass(frozen=True)
class Reader:
    """A subscription as it is set.

    settings: None: mode `cursor`
    steps:    its messages are handed out one by one, and each is done with that
    key_of:   None: there is no order by a field
    """

    name: str
    settings: Settings | None = None
    wants: Wants | None = None
    delay_ms: int = 0
    steps: bool = False
    key_of: KeyOf | None = None


@dataclass
class Given:
    """A message that a worker was leased. `serial`: of leases there are no two with the same."""

    token: Token
    serial: int
    deadline_at: int
    due_at: int
    is_over: bool = False


@dataclass
class Book:
    """Of one subscription.

    owed:    positions that are not done
    excused: those that are on record while the cursor is below them
    going:   those that are there after a seek, and are on record as deleted: they may come, or not
    first:   its generations begin there; what has a lower one is of another one of its name
    upto:    mode `cursor`: up to here somebody was given what there is
    leases:  the last one of each message, in this generation
    tries:   how often each was leased, since it was redriven
    redrives: so many were redriven
    """

    reader: Reader
    wants: Wants | None
    owed: set[str] = field(default_factory=set)
    excused: set[str] = field(default_factory=set)
    going: set[str] = field(default_factory=set)
    generation: int = 1
    first: int = 1
    upto: str = START
    leases: dict[str, Given] = field(default_factory=dict)
    tries: dict[str, int] = field(default_factory=dict)
    known: set[int] = field(default_factory=set)
    redrives: int = 0


class Watch:
    """Of all subscriptions."""

    def __init__(self, channel: Channel, ledger: Ledger) -> None:
        self._channel, self._ledger = channel, ledger
        ledger.recorded, ledger.written = self.recorded, self.written
        self.books: dict[str, Book] = {}
        self.broken: set[tuple[int, str]] = set()
        self.happened: Counter[str] = Counter()
        self._serial = 0

    def serial(self) -> int:
        self._serial += 1
        return self._serial

    def appended(self, positions: Sequence[str]) -> None:
        for book in self.books.values():
            book.owed |= {one for one in positions if self._is_wanted(book, one)}

    def key(self, reader: Reader, position: str) -> str:
        return "" if reader.key_of is None else reader.key_of(self._channel.appended[position])

    def _waits(self, book: Book, position: str, entry: Entry) -> bool:
        held = entry.held.get(self.key(book.reader, position))
        return held is not None and held.covers(position)

    def _is_wanted(self, book: Book, position: str) -> bool:
        wants = book.wants
        return wants is None or wants(self._channel.appended[position])

    # --- what the product says, once it is committed ----------------------------------------

    def fetched(self, reader: Reader, cursor: Cursor, shown: Iterable[str]) -> None:
        """Mode `cursor`. Whoever commits has seen all of it."""
        book = self.books[reader.name]
        book.upto = max(book.upto, cursor.fetched)
        hidden = {one for one in book.owed - book.excused if cursor.position < one <= cursor.fetched}
        self._require(1, hidden <= set(shown), "not shown to who commits it")

    def leased(self, reader: Reader, leased: Leased, given: Sequence[Given], now: int) -> None:
        book, settings = self.books[reader.name], reader.settings
        assert settings is not None
        for row in leased.dead:
            self.happened["died of its deadline"] += 1
            self._require(7, book.tries.get(row.position) == settings.most_deliveries, "died too early")
        for one in given:
            at = one.token.position
            last = book.leases.get(at)
            self.happened["leased again"] += last is not None
            self.happened["leased what was redriven"] += at in book.tries and book.tries[at] == 0
            lives = last is not None and not last.is_over and now < last.deadline_at
            # A clock that has fallen back far ends leases: they cannot be told from those of long ago.
            if lives and last is not None and last.due_at <= now + LONGEST_MS:
                self._require(2, False, "given to two")
            book.tries[at] = book.tries.get(at, 0) + 1
            if settings.most_deliveries is not None:
                self._require(7, book.tries[at] <= settings.most_deliveries, "given too often")
            self._come(book, at)
            self._require(9, at in book.owed, "given though it is done, or not wanted")
            is_ripe = milliseconds_of(at) + reader.delay_ms <= self._ledger.time
            self._require(9, is_ripe, "given before its time")
            book.leases[at] = one
            book.known.add(one.serial)
            book.excused.discard(at)
        if reader.key_of is not None:
            way = [
                one for one in self._ledger.entries[reader.name].rows.values() if one.state is not State.DEAD
            ]
            for again in leased.again:
                lower = [one for one in way if again.key and one.key == again.key]
                self._require(
                    3, all(one.position >= again.position for one in lower), "given before a lower one"
                )
        if settings.is_ordered or reader.key_of is not None:
            rows = self._ledger.entries[reader.name].rows
            for new in leased.new:
                before = {one for one in book.owed - book.excused if one < new.position}
                if reader.key_of is not None:
                    key = self.key(reader, new.position)
                    before = {one for one in before if key and self.key(reader, one) == key}
                held = {one for one in before if one not in rows or rows[one].state is not State.DEAD}
                self._require(3, not held, "given before its time by order")

    def answered(self, reader: Reader, given: Sequence[Given]) -> None:
        known = self.books[reader.name].known
        self._require(5, all(one.serial in known for one in given), "answered before it was committed")

    def settled(self, reader: Reader, what: str, one: Given, row: Delivery | None, *, in_time: bool) -> None:
        """`what`: ack, nack or extend. `row`: what it is from now on."""
        book = self.books[reader.name]
        at = one.token.position
        is_last = book.leases.get(at) is one and not one.is_over
        is_late = what == "ack" and self._ledger.now > one.deadline_at
        self.happened["late, and counts"] += is_late and in_time
        self.happened["late, and somebody else had it"] += is_late and not in_time
        self.happened["from before a seek"] += one.token.generation != book.generation
        self.happened["from one of before under its name"] += one.token.generation < book.first
        if not in_time:
            self._require(5, what != "ack" or not is_last, "a late ack does not count")
            return
        self._require(5, is_last, f"settled by who does not have it: {what}")
        if what == "extend":
            assert row is not None
            one.deadline_at, one.due_at = row.deadline_at, row.due_at
            return
        one.is_over = True
        if what == "ack":
            book.owed.discard(at)
        elif row is not None and row.state is State.DEAD:
            self.happened["died, given back"] += 1
            assert reader.settings is not None
            self._require(7, book.tries.get(at) == reader.settings.most_deliveries, "died too early")

    def told_done(self, reader: Reader, given: Sequence[Given]) -> None:
        """A worker is answered that these are done."""
        owed = self.books[reader.name].owed
        is_done = all(one.is_over for one in given) or not owed & {one.token.position for one in given}
        self._require(5, is_done, "an ack was answered, and is not committed")

    def committed(self, reader: Reader, position: str, generation: int) -> None:
        book = self.books[reader.name]
        self._require(5, generation == book.generation, "a commit from before a seek counts")
        self._require(5, position <= book.upto, "a commit past what anybody was given counts")
        book.owed -= {one for one in book.owed if one <= min(position, book.upto)}

    def told_committed(self, reader: Reader, position: str, generation: int) -> None:
        """Somebody who has said it with a fetch is answered."""
        book = self.books[reader.name]
        left = {one for one in book.owed - book.excused if one <= position}
        self._require(5, not left or book.generation != generation, "answered, and it does not hold")
        self.happened["committed with a fetch"] += 1

    def stepped(self, reader: Reader, position: str) -> None:
        """This message is handed out and done."""
        book = self.books[reader.name]
        self._come(book, position)
        self._require(9, position in book.owed, "given though it is done")
        book.owed.discard(position)

    def left(self, reader: Reader) -> tuple[int, set[str]]:
        """What it is owed now, and in which generation."""
        book = self.books[reader.name]
        return book.generation, set(book.owed)

    def told_nothing(self, reader: Reader, left: tuple[int, set[str]]) -> None:
        """Somebody for whom this was left when he asked is told that there is nothing more."""
        book = self.books[reader.name]
        generation, owed = left
        self.happened["nothing more"] += 1
        hidden = owed & book.owed - book.excused - self._channel.deleted
        self._require(10, not hidden or generation != book.generation, "told that there is nothing")

    def sought(self, reader: Reader, entry: Entry) -> None:
        book = self.books[reader.name]
        book.leases, book.tries = {}, {}
        self.happened["sought back"] += bool(self._choose(book, entry))

    def chosen_anew(self, reader: Reader, entry: Entry) -> None:
        """Above the cursor other messages are for it."""
        book = self.books[reader.name]
        before = set(book.owed)
        self._choose(book, entry)
        self.happened["chosen anew"] += book.owed != before

    def made_anew(self, reader: Reader, entry: Entry) -> None:
        """It is another one, to which nobody owes what the one of before was owed."""
        known = self.books[reader.name].known
        book = self.books[reader.name] = Book(reader, entry.wants, known=known)
        book.first = entry.cursor.generation
        self._choose(book, entry)
        self.happened["made anew"] += 1

    def _choose(self, book: Book, entry: Entry) -> set[str]:
        """What is above the cursor is for it, or not, as it is set now. What has a row stays."""
        book.wants, book.generation, book.upto = entry.wants, entry.cursor.generation, entry.cursor.position
        there = max(book.upto, entry.noted.upto)
        again = {one for one in [*self._channel.stored, *self._channel.late] if one > there}
        again = {one for one in again if self._is_wanted(book, one)}
        came = again - book.owed
        book.going = {one for one in self._channel.stored if book.upto < one <= there}
        book.going = {one for one in book.going if self._is_wanted(book, one)} - book.owed
        stays = {one for one in book.owed if one <= book.upto or one in entry.rows}
        book.owed = again | stays | {one for one in book.owed if self._is_wanted(book, one)}
        book.excused = book.excused - again & book.owed
        return came

    def _come(self, book: Book, position: str) -> None:
        """It is given, though retention was about to delete it."""
        if position in book.going:
            book.going.discard(position)
            book.owed.add(position)

    def redriven(self, reader: Reader, positions: Sequence[str]) -> None:
        book = self.books[reader.name]
        book.redrives += len(positions)
        for at in positions:
            book.tries[at] = 0
            if at in book.leases:
                book.leases[at].is_over = True

    def let_go(self, reader: Reader, positions: Sequence[str]) -> None:
        """Rows that went, on record."""
        for at in positions:
            if at in self.books[reader.name].leases:
                self.books[reader.name].leases[at].is_over = True

    # --- what stands there by now -----------------------------------------------------------

    def recorded(self, name: str, entry: Entry) -> None:
        self.happened.update(record.cause for record in entry.records)
        for record in entry.records:
            self._recorded(self.books[name], record, entry)

    def written(self, name: str, before: Entry, after: Entry) -> None:
        book = self.books[name]
        is_sought = after.cursor.generation != before.cursor.generation
        self._require(8, is_sought or after.cursor.position >= before.cursor.position, "went back")
        missing = {
            one for one in book.owed - book.excused if one <= after.cursor.position and one not in after.rows
        }
        missing = {one for one in missing if not self._waits(book, one, after)}
        self._require(1, not missing, "neither done nor on record")
        book.owed -= missing
        if book.reader.settings is not None:
            above = [one for one in after.rows if one > after.cursor.position]
            self.happened["dead above the cursor"] += bool(above)
            rows = [one for one in after.rows.values() if one.state is not State.DEAD and not one.before]
            most = book.reader.settings.most_outstanding
            self._require(4, len(rows) <= most, "too many on their way")
            self._require(4, len(rows) + len(after.open) <= most + book.redrives, "too many keys are open")
            busy = {one.key for one in after.rows.values() if one.state is not State.DEAD}
            self._require(4, len(after.held) <= len(busy) + len(after.open), "waits behind nothing")

    def _recorded(self, book: Book, record: Record, entry: Entry) -> None:
        if record.cause == "retention" and record.messages is not None:
            gone = [one for one in self._channel.deleted if record.covers(one)]
            self._require(1, len(gone) <= record.messages, "more are gone than is on record")
        for one in list(book.owed):
            if not record.covers(one) or one in entry.rows:
                continue
            if record.key:
                if self.key(book.reader, one) != record.key:
                    continue
                self._require(1, one in self._channel.deleted, "on record as gone, and it is there")
            if self._waits(book, one, entry):
                book.excused.add(one)
            elif one <= entry.cursor.position:
                book.owed.discard(one)
            elif record.cause != "seek" or one <= entry.noted.upto:
                book.excused.add(one)

    def require_all_done(self) -> None:
        """At the end: whatever is owed is dead, or on record, and nothing is on its way."""
        for name, book in self.books.items():
            entry = self._ledger.entries[name]
            left = book.owed - book.excused - entry.rows.keys()
            self._require(6, not left, "never handed out")
            moving = [one for one in entry.rows.values() if one.state is not State.DEAD]
            self._require(6, not moving, "on its way for ever")
            self._require(6, not entry.held, "waits for ever")

    def _require(self, promise: int, holds: bool, what: str) -> None:
        if not holds:
            self.broken.add((promise, what))
