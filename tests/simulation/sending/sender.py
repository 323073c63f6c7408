"""One sender process, played: what `webhooks_app.sending` does around `relaycore.sending`.

It reads, tries, writes and renews its lease at the same time: each of these is a generator that yields
wherever somebody else may come in between, the process be killed, or freeze.
"""

import random
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final, TypeVar

from relaycore.delivering import holding
from relaycore.delivering.giving import Standing
from relaycore.delivering.holding import Earlier, Held
from relaycore.delivering.leasing import State
from relaycore.delivering.reading import ReadAhead, Wants
from relaycore.leasing.confirming import Confirmed
from relaycore.position import at_millisecond, before_millisecond, previous_position
from relaycore.sending.answers import Answer, Failure
from relaycore.sending.batches.batch import Batch
from relaycore.sending.breaker import Breaker
from relaycore.sending.items import DONE, WITHHELD, Failed, Item, Outcome, Progress
from relaycore.sending.schedule import Schedule
from relaycore.sending.verdict import Verdict, is_of_content, judge
from relaycore.sending.window import Window
from relaycore.storing.expiring import Expired
from tests.simulation.delivering.channel import Away, Document
from tests.simulation.delivering.ledger import Entry

from .endpoint import Request
from .lease import TTL_MS
from .watch import Reader

if TYPE_CHECKING:
    from .world import World

CONCURRENCY: Final = 3
TIMEOUT_MS: Final = 1500
LOOKED_AT: Final = 4
_BYTES: Final = 10_000

Answered = TypeVar("Answered")
Steps = Generator[None, None, Answered]


class Lost(Exception):
    """Somebody else has the lease."""


@dataclass
class Line:
    """What a sender has of one subscription.

    way: what was on its way when it was asked last
    trying, ended, done, dead: what it has out, and what has come of what it had, by generation and position
    attempts: the number of the last attempt of each
    batches:  in which batch it was tried last
    """

    reader: Reader
    window: Window | None = None
    wants: Wants | None = None
    earlier: Sequence[Earlier[Wants | None]] = ()
    revision: int = 0
    is_active: bool = True
    read: ReadAhead | None = None
    feed: str = ""
    out: int = 0
    way: set[str] = field(default_factory=set)
    breaker: Breaker = field(default_factory=Breaker)
    trying: dict[tuple[int, str], Item] = field(default_factory=dict)
    ended: dict[tuple[int, str], Item] = field(default_factory=dict)
    attempts: dict[tuple[int, str], int] = field(default_factory=dict)
    batches: dict[tuple[int, str], tuple[Item, str]] = field(default_factory=dict)
    done: set[tuple[int, str]] = field(default_factory=set)
    dead: set[tuple[int, str]] = field(default_factory=set)

    def key_below(self, document: Document, generation: int) -> str:
        """By which it was chosen when the cursor passed it; empty: it was not, or has none."""
        assert self.reader.key_of is not None
        wants = holding.chosen_by(document["position"], generation, self.earlier, self.wants)
        return self.reader.key_of(document) if wants is None or wants(document) else ""

    @property
    def held(self) -> int:
        """So many messages are in memory, or are known of."""
        if self.window is None:
            return 0
        here = self.window._here
        return len(here.items) + len(here.kept) + len(here.again)


class Sender:
    """Until it is killed, or has lost the lease."""

    def __init__(self, world: "World", number: int) -> None:
        self._world = world
        self._random: random.Random = world.random
        self._channel, self._ledger, self._watch = world.channel, world.ledger, world.watch
        self.number = number
        self.epoch = 0
        self.confirmed = Confirmed(TTL_MS / 1000)
        self.is_over = False
        self.is_leaving = False
        self.frozen_until = 0
        self.lines = {one.name: Line(one) for one in world.readers}
        self._jobs: list[Steps[None]] = [self._hold()]
        for line in self.lines.values():
            self._jobs += [self._read(line), self._write(line), self._try(line)]

    def step(self) -> None:
        """Some of what it does goes on."""
        if self._world.time < self.frozen_until:
            return
        for job in list(self._jobs):
            if self.is_over:
                return
            if self._random.random() < 0.8:
                try:
                    next(job)
                except StopIteration:
                    self._jobs.remove(job)
                except Lost:
                    self.is_over = True

    @property
    def _seconds(self) -> float:
        return self._world.time / 1000

    def _somewhile(self) -> Steps[None]:
        yield
        while self._random.random() < 0.3:
            yield

    # --- the lease ------------------------------------------------------------------------------

    def _hold(self) -> Steps[None]:
        while True:
            asked_at = self._seconds
            yield from self._somewhile()
            try:
                holds = self._ask()
            except Away:
                continue
            yield from self._somewhile()
            if holds:
                self.confirmed.confirm(self._holds_from(asked_at))
            elif self.epoch:
                raise Lost
            until = self._world.time + TTL_MS // 6
            while self._world.time < until:
                yield
            if self.is_leaving and self.epoch and not any(line.out for line in self.lines.values()):
                self._world.lease.release(self.epoch)
                raise Lost

    def _holds_from(self, asked_at: float) -> float:
        return asked_at

    def _ask(self) -> bool:
        lease, now, chance = self._world.lease, self._world.time, self._random.random()
        if self._ledger.has_faults and chance < 0.03:
            raise Away
        if self.epoch:
            holds = lease.renew(self.epoch, now)
        else:
            epoch = lease.claim(self.number, now)
            holds = epoch is not None
            self.epoch = epoch or 0
        if self._ledger.has_faults and chance < 0.06:
            raise Away
        return holds

    # --- reading --------------------------------------------------------------------------------

    def _read(self, line: Line) -> Steps[None]:
        while True:
            early = self._channel.expired
            yield
            window = line.window
            if window is None or window.needs_load or not window.room:
                continue
            try:
                read = self._stand(line, window)
                self._collect(line, read)
            except Away:
                line.read = None
                continue
            ripe = self._ripe_before(line.reader)
            ahead, documents = read.ahead(min(window.room, 3), _BYTES, ripe)
            yield from self._somewhile()
            expired = self._expired(read, early)
            yield from self._somewhile()
            if not window.add(ahead, documents, expired):
                line.read = None

    def _stand(self, line: Line, window: Window) -> ReadAhead:
        place = window.place
        if line.read is None or not line.read.fits(place):
            line.read = ReadAhead(place.position, place.generation, line.revision)
            line.feed = place.position
        return line.read

    def _collect(self, line: Line, read: ReadAhead) -> None:
        page = self._channel.page(line.feed)
        if page:
            line.feed = page[-1]["position"]
            read.add(page, line.wants, line.reader.key_of)

    def _ripe_before(self, reader: Reader) -> str | None:
        if not reader.delay_ms:
            return None
        return at_millisecond(self._world.time - reader.delay_ms)

    def _expired(self, read: ReadAhead, early: Expired) -> Expired:
        """After what was read, never before; and once for each page."""
        known = read.expired(self._seconds)
        if known is None:
            known = self._channel.expired
            read.note(known, self._seconds)
        return known

    # --- writing --------------------------------------------------------------------------------

    def _write(self, line: Line) -> Steps[None]:
        while True:
            yield
            if not self.epoch:
                continue
            try:
                yield from self._turn(line)
            except Away:
                if line.window is not None:
                    self._lose(line.window)

    def _lose(self, window: Window) -> None:
        """What was to be written may be, or not."""
        window.missed()

    def _turn(self, line: Line) -> Steps[None]:
        window = line.window
        if window is None or window.needs_load:
            yield from self._load(line)
            return
        progress = window.progress()
        if progress is not None:
            yield from self._somewhile()
            was_written = self._transact(line, lambda entry: self._record(line, entry, progress))
            yield from self._somewhile()
            if was_written:
                window.recorded(progress)
            else:
                self._watch.happened["missed"] += 1
                window.missed()
                return
        if window.wants_look or self._random.random() < 0.2:
            yield from self._somewhile()
            standing, rows, way = self._transact(line, self._rows_of)
            yield from self._somewhile()
            window.look(standing, rows)
            line.is_active, line.way = standing.is_active, way
        if window.unread:
            yield from self._read_rows(line, window)
        elif opened := window.opened:
            yield from self._reread(line, window, opened)

    def _rows_of(self, entry: Entry) -> Any:
        standing = Standing(entry.cursor, entry.noted, entry.is_active, entry.revision)
        way = {one for one, row in entry.rows.items() if row.state is not State.DEAD}
        keys = {one: entry.rows[one].key for one in way if entry.rows[one].key}
        return standing, replace(entry.due(LOOKED_AT), keys=keys), way

    def _reread(self, line: Line, window: Window, opened: Sequence[Held]) -> Steps[None]:
        """As `subscribers_app.pulling.archive.reread`."""
        generation = window.place.generation
        yield from self._somewhile()
        try:
            found, looked = self._channel.reread(opened[0].above, max(one.upto for one in opened))
        except Away:
            return
        page = [(one["position"], one["_id"].binary, line.key_below(one, generation)) for one in found]
        yield from self._somewhile()
        expired = self._channel.expired  # After what was read, never before.
        yield from self._somewhile()
        self._watch.happened["has waited"] += window.reread(
            holding.matched(opened, page, looked, expired), found
        )

    def _read_rows(self, line: Line, window: Window) -> Steps[None]:
        rows = window.unread
        try:
            found = self._channel.find([row.position for row in rows])
        except Away:
            return
        yield from self._somewhile()
        window.read({row.id: found.get(row.position) for row in rows})

    def _load(self, line: Line) -> Steps[None]:
        wants, earlier, standing, dead_upto = self._transact(line, self._look_up)
        yield from self._somewhile()
        line.wants, line.earlier = wants, earlier
        line.revision, line.is_active = standing.revision, standing.is_active
        line.read = None
        if line.window is None:
            line.window = Window(standing, line.reader.settings, line.reader.most, dead_upto)
        else:
            self._watch.happened["read anew"] += 1
            line.window.load(standing, line.reader.settings, dead_upto)

    def _look_up(self, entry: Entry) -> tuple[Wants | None, Any, Standing, str]:
        standing = Standing(entry.cursor, entry.noted, entry.is_active, entry.revision)
        dead = [one for one, row in entry.rows.items() if row.state is State.DEAD]
        above = max((one for one in dead if one > entry.cursor.position), default="")
        return entry.wants, entry.earlier, standing, above

    def _record(self, line: Line, entry: Entry, progress: Progress) -> bool:
        """In one transaction. False: it stands elsewhere."""
        if not self._is_current():
            raise Lost
        if not self._stands(entry, progress):
            return False
        self._watch.recorded_by(
            line.reader, entry, progress, is_current=self._world.lease.epoch == self.epoch
        )
        entry.cursor = progress.cursor
        if progress.noted is not None:
            entry.noted = progress.noted
        for missed in progress.missed:
            entry.record("retention", missed.after, missed.upto, missed.at_most)
        for aged in progress.aged:
            entry.record("age", aged.after, aged.upto, aged.messages)
        for waited in progress.waited:
            entry.record("expired", waited.after, waited.upto, waited.at_most, waited.key)
        entry.hold(progress.held, progress.free)
        entry.insert(progress.new)
        entry.update(
            [one for one in progress.changed if self._is_as_taken(entry, one.position, one.attempt - 1)]
        )
        entry.delete(
            [one.position for one in progress.done if self._is_as_taken(entry, one.position, one.attempt)]
        )
        dead = {one for one, row in entry.rows.items() if row.state is State.DEAD}
        entry.delete([one for one in progress.risen if one in dead])
        for one in progress.lost:
            if self._is_as_taken(entry, one.row.position, one.row.attempt):
                entry.delete([one.row.position])
                entry.record(one.cause, previous_position(one.row.position), one.row.position, 1)
        return True

    def _is_current(self) -> bool:
        return self._world.lease.epoch == self.epoch

    def _stands(self, entry: Entry, progress: Progress) -> bool:
        return entry.cursor.stands_as(progress.seen) and entry.revision == progress.revision

    def _is_as_taken(self, entry: Entry, position: str, attempt: int) -> bool:
        """As the conditions of the UPDATE and the DELETE."""
        row = entry.rows.get(position)
        return row is not None and row.attempt == attempt and row.state is not State.DEAD

    def _transact(self, line: Line, work: Callable[[Entry], Answered]) -> Answered:
        return self._ledger.transaction(line.reader.name, work)

    # --- trying ---------------------------------------------------------------------------------

    def _try(self, line: Line) -> Steps[None]:
        while True:
            yield
            window = line.window
            if window is None or self.is_leaving or not self._may_try(line):
                continue
            self._expire(line, window)
            item, revision = self._next(line, window), line.revision
            if item is None:
                continue
            if self._random.random() < 0.2:
                yield from self._somewhile()  # It waits for its turn at the endpoint.
                if not self._may_still_try(line, item):
                    self._watch.happened["withheld"] += 1
                    settle(window, item, self._withheld(item))
                    continue
            request = self._begin(line, window, item, revision)
            self._jobs.append(self._attempt(line, window, item, request))

    def _next(self, line: Line, window: Window) -> Item | Batch | None:
        if line.reader.batch == 1:
            return window.next()
        if window.is_lingering and self._random.random() < 0.1:
            window.hurry()
        return window.next_batch(line.reader.batch)

    def _withheld(self, item: Item | Batch) -> Outcome:
        return WITHHELD

    def _may_try(self, line: Line) -> bool:
        is_free = line.out < CONCURRENCY and line.breaker.may_try(self._ledger.now, line.out)
        return is_free and line.is_active and self.confirmed.holds(self._seconds)

    def _may_still_try(self, line: Line, item: Item | Batch) -> bool:
        """Right before it is sent."""
        return self._may_try(line) and not (item.is_let_go or self._is_too_old(line.reader, item))

    def _expire(self, line: Line, window: Window) -> None:
        if line.reader.max_age_ms is not None:
            window.expire(before_millisecond(self._world.time - line.reader.max_age_ms))

    def _is_too_old(self, reader: Reader, item: Item | Batch) -> bool:
        return reader.max_age_ms is not None and item.position < before_millisecond(
            self._world.time - reader.max_age_ms
        )

    def _begin(self, line: Line, window: Window, item: Item | Batch, revision: int) -> Request:
        generation = window.place.generation
        state = line.breaker.state(self._ledger.now)
        self._watch.alone(line.out, state)
        is_sure = self._world.lease.epoch == self.epoch
        if isinstance(item, Batch):
            self._watch.composed(line, item)
        beside = frozenset(one.position for one in items(item))
        for one in items(item):
            line.attempts[(generation, one.position)] = one.attempt
            line.ended.pop((generation, one.position), None)
            self._watch.begins(line, one, revision, is_sure=is_sure, others_out=line.out, beside=beside)
        line.out += 1
        request = Request([one.position for one in items(item)], generation)
        self._world.endpoints[line.reader.name].send(request)
        return request

    def _attempt(self, line: Line, window: Window, item: Item | Batch, request: Request) -> Steps[None]:
        generation = request.generation
        began_at, until = self._ledger.now, self._world.time + TIMEOUT_MS
        while request.answer is None and self._world.time < until:
            yield
        answer = request.answer or Answer(None, Failure.TIMEOUT)
        line.out -= 1
        verdict, now = judge(answer), self._ledger.now
        outcome = self._outcome(line, item, answer, verdict, now)
        if verdict.is_done:
            line.breaker = line.breaker.succeeded(now)
        else:
            slow = verdict is Verdict.SLOW
            line.breaker = line.breaker.failed(
                now, began_at, self._random.random(), is_slow=slow, retry_after=answer.retry_after
            )
        for one in items(item):
            place = generation, one.position
            line.trying.pop(place, None)
            line.ended[place] = one
            if verdict.is_done:
                line.done.add(place)
            elif isinstance(outcome, Failed) and outcome.due_at is None:
                line.dead.add(place)
        if isinstance(item, Batch) and isinstance(outcome, Failed) and outcome.is_apart:
            self._watch.divided(line, item)
        settle(window, item, outcome)

    def _outcome(self, line: Line, item: Item | Batch, answer: Answer, verdict: Verdict, now: int) -> Outcome:
        if verdict.is_done:
            return DONE
        schedule = Schedule(line.reader.seconds)
        wait = schedule.wait_ms(item.tries, self._random.random(), answer.retry_after)
        is_apart = isinstance(item, Batch) and is_of_content(answer)
        return Failed(None if wait is None else now + wait, f"status {answer.status}", is_apart)


def items(tried: Item | Batch) -> Sequence[Item]:
    """The messages of it."""
    return tried.items if isinstance(tried, Batch) else [tried]


def settle(window: Window, tried: Item | Batch, outcome: Outcome) -> None:
    """What came of it."""
    if isinstance(tried, Batch):
        window.settle_batch(tried, outcome)
    else:
        window.settle(tried, outcome)
