"""Workers and operators: generators that yield wherever somebody else may come in between."""

from collections.abc import Callable, Generator, Iterator, Sequence
from typing import TYPE_CHECKING, Final, Generic, TypeVar

from relaycore.delivering import cursor, holding, seeking, settling
from relaycore.delivering.cursor import Cursor
from relaycore.delivering.holding import Earlier
from relaycore.delivering.leasing import Delivery, State
from relaycore.delivering.reading import Wants
from relaycore.delivering.settings import Settings
from relaycore.delivering.settling import Change
from relaycore.delivering.skipping import Noted, skip
from relaycore.errors import CursorMoved
from relaycore.position import START, before_millisecond, previous_position

from . import saying
from .channel import Away
from .ledger import Entry
from .saying import Said
from .watch import Given, Reader

if TYPE_CHECKING:
    from .stage import Stage, Subscribed
    from .world import World

R = TypeVar("R", bound="Subscribed")

REMEMBERED: Final = 12


def done(delivery: Delivery, now: int) -> None:
    """Ack."""


def giving_back(settings: Settings, delay_ms: int | None) -> Change:
    return lambda delivery, now: delivery.nack(settings, now, delay_ms)


def extending(settings: Settings, more_ms: int) -> Change:
    return lambda delivery, now: delivery.extend(settings, now, more_ms)


class Clients:
    """Of all subscriptions. `are_good`: from now on nobody dies, or is slow, or confused."""

    def __init__(self, world: "World") -> None:
        self._world = world
        self._random = world.random
        self.are_good = False
        self._leases: dict[str, list[Given]] = {}
        self._commits: dict[str, list[tuple[str, int]]] = {}

    # --- mode cursor ------------------------------------------------------------------------

    def read(self, reader: Reader) -> Iterator[None]:
        """Fetch and commit, by calls of their own or by the next fetch, until it dies."""
        said: Said | None = None
        position, generation = START, 0
        while self.are_good or self._random.random() > 0.03:
            try:
                said = said and said.anew()
                answered = yield from self._world.process().fetch(reader, self._random.randint(1, 4), said)
                commits = self._commits.setdefault(reader.name, [])
                commits.append((answered.position, answered.generation))
                del commits[:-REMEMBERED]
                if said is not None:
                    self._world.watch.told_committed(reader, position, generation)
                yield
                said = None
                for position, generation in self._to_commit(reader):
                    said = saying.commit(self._world.watch, reader, position, generation)
                    if self._random.random() < 0.5:
                        yield from self._world.process().say(reader, said)
                        said = None
            except CursorMoved:
                said = None
                yield
            except Away:
                yield

    def _to_commit(self, reader: Reader) -> Sequence[tuple[str, int]]:
        commits = self._commits[reader.name]
        position, generation = commits[-1]
        chance = 0.0 if self.are_good else self._random.random()
        if chance < 0.5:
            return [commits[-1]]
        if chance < 0.6:  # It was at work on the last one when it died.
            return [(previous_position(position), generation)]
        if chance < 0.7:
            return [commits[-1], commits[-1]]
        if chance < 0.85:
            return [self._random.choice(commits)]
        if chance < 0.9:  # By a position that it has from elsewhere.
            return [(self._world.channel.last, generation)]
        return []

    # --- one by one -------------------------------------------------------------------------

    def consume(self, reader: Reader) -> Iterator[None]:
        """One message after the other, until it dies."""
        while self.are_good or self._random.random() > 0.03:
            left = self._world.watch.left(reader)
            try:
                found = yield from self._world.process().consume(reader)
            except Away:
                yield
                continue
            if found is None:
                self._world.watch.told_nothing(reader, left)
            yield

    # --- mode lease -------------------------------------------------------------------------

    def work(self, reader: Reader) -> Iterator[None]:
        """Fetch and ack, by calls of their own or by the next fetch, until it dies."""
        said: Said | None = None
        acked: list[Given] = []
        while self.are_good or self._random.random() > 0.03:
            try:
                said = said and said.anew()
                answered = yield from self._world.process().fetch(reader, self._random.randint(1, 3), said)
                if said is not None and said.answer:
                    self._world.watch.told_done(reader, acked)
                said, acked = None, []
                leases = self._leases.setdefault(reader.name, [])
                leases += answered.given
                del leases[:-REMEMBERED]
                for given in answered.given:
                    if self._random.random() < 0.2:
                        said, acked = self._said(reader, "ack", given, done), [given]
                    else:
                        yield from self._work_on(reader, given)
                if leases and not self.are_good and self._random.random() < 0.4:
                    yield from self._work_on(reader, self._random.choice(leases))
            except Away:
                yield

    def _work_on(self, reader: Reader, given: Given) -> Iterator[None]:
        settings = reader.settings
        assert settings is not None
        chance = 0.0 if self.are_good else self._random.random()
        if 0.5 < chance < 0.7:  # Slow, perhaps beyond the deadline.
            for _ in range(self._random.randint(1, 40)):
                yield
        if chance < 0.65:
            yield from self._ack(reader, given)
            if chance > 0.6:
                yield from self._ack(reader, given)
        elif chance < 0.8:
            delay = self._random.choice([None, None, 0, 5000])
            for _ in range(self._random.choice([1, 1, 2])):
                yield from self._settle(reader, "nack", given, giving_back(settings, delay))
        elif chance < 0.93:
            more = self._random.choice([1000, 3000, 8000])
            yield from self._settle(reader, "extend", given, extending(settings, more))
            if chance < 0.9:
                yield from self._ack(reader, given)

    def _ack(self, reader: Reader, given: Given) -> Iterator[None]:
        if (yield from self._settle(reader, "ack", given, done)):
            self._world.watch.told_done(reader, [given])

    def _settle(self, reader: Reader, what: str, given: Given, change: Change) -> Generator[None, None, bool]:
        said = self._said(reader, what, given, change)
        return bool((yield from self._world.process().say(reader, said)))

    def _said(self, reader: Reader, what: str, given: Given, change: Change) -> Said:
        return saying.settle(self._world.watch, reader, what, given, change)


class Operators(Generic[R]):
    """As `subscribers_app.seeking` and `subscribers_app.dead`."""

    def __init__(self, stage: "Stage[R]") -> None:
        self._stage = stage
        self._watch, self._ledger, self._channel = stage.watch, stage.ledger, stage.channel

    def seek(self, reader: R, chance: int) -> Iterator[None]:
        """To the beginning, the end, a time, or right behind a message."""
        places = [START, self._channel.last, before_millisecond(self._stage.time - 2000)]
        places += [one for one in self._channel.appended if chance % 3]
        to = min(places[chance % len(places)], self._channel.last)
        gone = self._channel.expired
        yield

        def work(entry: Entry) -> None:
            at = entry.cursor.position
            entry.noted, missed = skip(at, entry.noted, gone)
            if missed is not None:
                entry.record("retention", missed.after, missed.upto, missed.at_most)
            reach = seeking.reach(to, entry.noted)
            moving = sorted(one.position for one in entry.rows.values() if one.state is not State.DEAD)
            below = [one for one in moving if one <= reach]
            rows = seeking.OnTheirWay.of(len(below), min(below, default=""), max(below, default=""))
            rows = rows.and_waiting(entry.held.values(), reach)
            lost = seeking.passed(at, to, rows, None)
            if lost is not None:
                entry.record("seek", lost.after, lost.upto, lost.messages)
            self._delete(entry, moving)
            entry.cursor = entry.cursor.seek(to)
            entry.after.append(lambda: self._watch.sought(reader, entry))

        self._transact(reader, work)

    def _delete(self, entry: Entry, moving: Sequence[str]) -> None:
        entry.delete(moving)
        self._forget(entry)

    def _forget(self, entry: Entry) -> None:
        entry.held.clear()

    def choose_anew(self, reader: R, wants: Wants | None) -> Iterator[None]:
        """As `subscribers_app.registration.change`."""
        yield

        def work(entry: Entry) -> None:
            before = Earlier(entry.cursor.generation, entry.cursor.position, entry.wants)
            earlier, held = [*entry.earlier, before], list(entry.held.values())
            entry.earlier = holding.still_needed(entry.cursor.generation, earlier, held)
            entry.wants, entry.revision = wants, entry.revision + 1
            if reader.settings is None:
                entry.cursor = entry.cursor.choose_anew()
            entry.after.append(lambda: self._watch.chosen_anew(reader, entry))

        self._transact(reader, work)

    def make_anew(self, reader: R, chance: int) -> Iterator[None]:
        """Deleted, and made under its name: as `subscribers_app.registration`."""
        gone = self._channel.expired
        position = START if chance % 2 else self._channel.last
        yield

        def work(entry: Entry) -> None:
            entry.number = self._ledger.next_number()
            entry.cursor = Cursor(position, position, cursor.first_generation(entry.number))
            entry.noted = Noted(gone.upto, gone.messages)
            # A process keeps its desks by their ids. Here another revision tells it that it has another one.
            entry.wants, entry.revision, entry.earlier = reader.wants, entry.revision + 1, ()
            entry.is_active = True
            entry.rows.clear()
            entry.held.clear()
            entry.after.append(lambda: self._watch.made_anew(reader, entry))

        self._transact(reader, work)

    def redrive(self, reader: R) -> Iterator[None]:
        rows = self._ledger.entries[reader.name].rows
        there = [one for one, row in rows.items() if row.state is State.DEAD and one in self._channel.stored]
        yield

        def work(entry: Entry) -> None:
            again = settling.redrive(entry.cursor, entry.find(there).values(), entry.now, entry.held.values())
            entry.update(again)
            entry.after.append(lambda: self._watch.redriven(reader, [one.position for one in again]))

        self._transact(reader, work)

    def drop(self, reader: R, chance: int) -> Iterator[None]:
        """Some dead letters."""
        return self._let_go(reader, "drop", chance, lambda row: row.state is State.DEAD)

    def skip(self, reader: R, chance: int) -> Iterator[None]:
        """One message, whatever it is."""
        return self._let_go(reader, "skip", chance, lambda row: True)

    def _let_go(
        self, reader: R, cause: str, chance: int, which: Callable[[Delivery], bool]
    ) -> Iterator[None]:
        yield

        def work(entry: Entry) -> None:
            positions = sorted(one for one, row in entry.rows.items() if which(row))[chance % 3 :][:1]
            entry.delete(positions)
            for at in positions:
                entry.record(cause, previous_position(at), at, 1)
            entry.after.append(lambda: self._watch.let_go(reader, positions))

        self._transact(reader, work)

    def pause(self, reader: R, *, is_active: bool) -> None:
        def work(entry: Entry) -> None:
            entry.is_active = is_active

        self._transact(reader, work)

    def _transact(self, reader: R, work: Callable[[Entry], None]) -> None:
        try:
            self._ledger.transaction(reader.name, work)
        except Away:
            return  # Somebody tries again, or does not.
