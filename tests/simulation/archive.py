"""One partition's stream and archive, without servers: who appends, writes and reads, and what is lost.

The writers decide with the real `relaycore.storing.keeping` and `relaycore.storing.together`; what is played
here is what Redis, MongoDB and the rest of `messages_app.writing` do. A writer is a generator that yields
wherever another process may come in between, so it can be killed, or frozen and woken, at each of these
instants. What it has sent to MongoDB arrives all the same: message by message, late, and mixed with what
others have sent. Any message of an insert may arrive after those behind it, as one does that has failed for a
moment and is tried again.
"""

import random
from collections.abc import Generator, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from relaycore.following import news
from relaycore.position import NEVER, entry_prefix, first_of, order
from relaycore.publishing.standing import Awaited, Place, Seen, Stood, Stored, Unstored, judge
from relaycore.storing import known
from relaycore.storing.keeping import Hole, Keeper
from relaycore.storing.known import Beside, Kept, watermark
from relaycore.storing.together import Contents, first_copies, start

from .follower import KEY, Follower, channel_of

MOST_READ, MOST_IN_FLIGHT = 3, 2
TICK_MS: Final = 100
LISTENER, HTTP = "1.1", "http.1"

Steps = Generator[None, None, None]


@dataclass(frozen=True)
class Entry:
    """`numbers`: those of its messages, which are their names too."""

    id: str
    upto: int
    messages: tuple[str, ...]
    source: str = LISTENER


class GroupLost(Exception):
    """The group is gone."""


class BeginAgain(Exception):
    """Somebody else has what is missing here."""


class Fenced(Exception):
    """Another writer has begun, or a store has gone back meanwhile."""


@dataclass
class Redis:
    """One stream, and what stands beside it."""

    run: int = 1
    clock: int = 1_000_000
    last_id: str = NEVER
    entries: list[Entry] = field(default_factory=list)
    upto: int | None = None
    stored: int | None = None
    stored_id: str = NEVER
    kept: int = 0
    epoch: int = 0  # of the writer that has claimed it last
    redeliveries: int = 0
    delivered: str | None = None  # None: there is no group
    pending: list[str] = field(default_factory=list)
    moved_to: str = NEVER
    moved_after: str = NEVER
    moved_upto: int = 0  # Numbers up to here had another position before ids were raised.
    told: list[bytes] = field(default_factory=list)  # What was published to followers.

    def copy(self) -> "Redis":
        return replace(self, entries=list(self.entries), pending=list(self.pending), told=[])

    def next_id(self) -> str:
        milliseconds, number = order(self.last_id)
        return f"{self.clock}-0" if self.clock > milliseconds else f"{milliseconds}-{number + 1}"

    def append(self, messages: tuple[str, ...], known: int, source: str = LISTENER) -> int:
        """As `relaybase.redis.appending`."""
        self.upto = max(self.upto or 0, known) + len(messages)
        self._add(self.upto, messages, source)
        return self.upto

    def _add(self, upto: int, messages: tuple[str, ...], source: str) -> None:
        self.last_id = self.next_id()
        self.entries.append(Entry(self.last_id, upto, messages, source))

    def know(self, known: int) -> int:
        """As the script that ticks: what the leader knows is the least."""
        self.upto = max(self.upto or 0, known)
        return self.upto

    def prepare(self, after: str = NEVER, *, anew: bool = False) -> None:
        if self.delivered is None or anew:
            self.delivered, self.pending = after, []

    def read(self) -> list[Entry]:
        if self.delivered is None:
            raise GroupLost
        found = [e for e in self.entries if order(e.id) > order(self.delivered or NEVER)][:MOST_READ]
        for entry in found:
            self.delivered = entry.id
            if entry.id not in self.pending:
                self.pending.append(entry.id)
        return found

    def oldest_pending(self) -> Entry | None:
        """What was deleted is acknowledged."""
        for id in sorted(self.pending, key=order):
            for entry in self.entries:
                if entry.id == id:
                    return entry
            self.pending.remove(id)
        return None

    def acknowledge(self, batch: list[Entry], stored: int, stored_id: str, redeliveries: int) -> None:
        """Nothing that was stored before MongoDB has gone back."""
        if redeliveries != self.redeliveries:
            raise Fenced
        for entry in batch:
            if entry.id in self.pending:
                self.pending.remove(entry.id)
        self._say(stored, stored_id)
        channels = {channel_of(message).encode() for entry in batch for message in entry.messages}
        self.told.append(news.stored(batch[-1].id, channels, KEY))

    def keep(self, upto: int, redeliveries: int) -> None:
        if redeliveries == self.redeliveries:
            self.kept = max(self.kept, upto)

    def claim(self, epoch: int) -> tuple[int, int] | None:
        """What MongoDB has acknowledged, and the redeliveries so far; None if the term is over."""
        if epoch < self.epoch:
            return None
        self.epoch = epoch
        return self.kept, self.redeliveries

    def is_mine(self, epoch: int) -> bool:
        """Whether nobody has claimed it since, and nobody has lost that."""
        return epoch == self.epoch

    def deliver_again(self, epoch: int, after: str, stored: int, stored_id: str) -> int:
        if not self.is_mine(epoch):
            raise Fenced
        self.prepare(after, anew=True)
        self.stored, self.stored_id, self.kept = stored, stored_id, stored
        self.redeliveries += 1
        return self.redeliveries

    def say(self, stored: int, stored_id: str, redeliveries: int) -> None:
        if redeliveries != self.redeliveries:
            raise Fenced
        self._say(stored, stored_id)
        self.told.append(news.moved(stored_id, KEY))

    def _say(self, stored: int, stored_id: str) -> None:
        if self.stored is None or stored >= self.stored:
            self.stored, self.stored_id = stored, max(stored_id, self.stored_id, key=order)

    def beside(self) -> Beside:
        waiting = ""
        if self.pending:
            waiting = min(self.pending, key=order)
        else:
            behind = [e.id for e in self.entries if order(e.id) > order(self.delivered or NEVER)]
            waiting = behind[0] if behind else ""
        first = next((entry for entry in self.entries if entry.id == waiting), None)
        return Beside(
            upto=self.upto,
            stored=self.stored,
            stored_id=self.stored_id,
            kept=self.kept,
            last_id=self.last_id,
            waiting=waiting,
            delivered=bool(self.pending),
            before=first.upto - len(first.messages) if first else None,
            is_gone=bool(waiting) and first is None,
            moved_to=self.moved_to,
            moved_after=self.moved_after,
            has_group=self.delivered is not None,
            run_id=f"run {self.run}",
            at=self.clock,
        )

    def raise_to(self, epoch: int, mark: str) -> None:
        """As the script of that name: ids go on from there, and what waits is appended anew."""
        if not self.is_mine(epoch):
            raise Fenced
        self.prepare()
        first = self.beside().waiting
        if first and order(first) > order(mark):
            return  # Somebody else has done it.
        self.last_id = max(mark, self.last_id, key=order)
        waiting = [
            e for e in self.entries if e.id in self.pending or order(e.id) > order(self.delivered or NEVER)
        ]
        for entry in waiting:
            self.entries.remove(entry)
            self._add(entry.upto, entry.messages, entry.source)
        self.pending.clear()
        if waiting:
            if order(first) > order(self.moved_to):
                self.moved_after = self.stored_id
            self.moved_to = self.last_id
        self.moved_upto = self.upto or 0

    def trim(self) -> None:
        """Only below what is not acknowledged."""
        bound = min(self.pending, key=order) if self.pending else self.delivered
        if bound is not None:
            self.entries = [e for e in self.entries if order(e.id) >= order(bound)]

    def watermark(self) -> str:
        """A position."""
        return watermark(self.beside())


@dataclass
class Insert:
    """The messages of a batch that are not in MongoDB yet, with their entry ids and indices in them."""

    batch: list[Entry]
    left: list[tuple[str, str, int]]
    contents: Contents


@dataclass
class Mongo:
    """The messages with their positions (entry ids, and indices in them), and what is kept beside them.

    numbers:     the running number of each message as it is stored
    refused:     what cannot be stored, and goes into quarantine
    quarantined: what has
    """

    documents: dict[str, str] = field(default_factory=dict)
    arriving: list[Insert] = field(default_factory=list)
    kept: Kept = field(default_factory=Kept)
    indices: dict[str, int] = field(default_factory=dict)
    numbers: dict[str, int] = field(default_factory=dict)
    refused: set[str] = field(default_factory=set)
    quarantined: set[str] = field(default_factory=set)

    def copy(self) -> "Mongo":
        return Mongo(
            dict(self.documents),
            [],
            self.kept,
            dict(self.indices),
            dict(self.numbers),
            self.refused,
            set(self.quarantined),
        )

    def arrive(self, chance: random.Random) -> None:
        """Some of what is on its way: inserts overtake one another, whatever has become of who sent them."""
        for insert in self.arriving:
            if insert.left and chance.random() < 0.8:
                message, id, index = insert.left.pop(chance.randrange(len(insert.left)))
                if message in self.refused:
                    self.quarantined.add(message)
                    continue
                entry = next(entry for entry in insert.batch if entry.id == id)
                self.numbers.setdefault(message, entry.upto - len(entry.messages) + 1 + index)
                self.documents.setdefault(message, id)
                self.indices.setdefault(message, index)
        self.arriving = [insert for insert in self.arriving if insert.left]

    def claim(self, epoch: int) -> Kept | None:
        """What is kept, and from now on by nobody of an earlier term; None if the term is over."""
        if epoch < self.kept.epoch:
            return None
        self.kept = replace(self.kept, epoch=epoch)
        return self.kept

    def keep(self, kept: Kept, known: int) -> bool:
        """False if the term is over, or MongoDB has gone back meanwhile."""
        if kept.epoch != self.kept.epoch or known > self.kept.upto:
            return False
        self.kept = replace(kept, mark=max(kept.mark, self.kept.mark, key=order))
        return True


class Reader:
    """Follows the archive by position, as each cursor does."""

    def __init__(self) -> None:
        self.cursor = NEVER
        self.seen: set[str] = set()

    def read(self, redis: Redis, mongo: Mongo) -> None:
        below = redis.watermark()
        new = {
            message: id
            for message, id in mongo.documents.items()
            if order(self.cursor) < order(id) and first_of(id) < below
        }
        self.seen |= new.keys()
        self.cursor = max([self.cursor, *new.values()], key=order)


class Writer:
    """One writer in one term."""

    def __init__(self, world: "World", epoch: int) -> None:
        self._world = world
        self.epoch = epoch
        self.keeper = Keeper(epoch)
        self._in_flight: list[Insert] = []
        self._connected_to = world.redis.run
        self.is_over = False
        self.paused = 0
        self._steps = self._run()

    def step(self) -> None:
        """On to the next instant at which another process may come in between."""
        if self.paused:
            self.paused -= 1
            return
        try:
            next(self._steps)
        except StopIteration:
            self.is_over = True

    def _run(self) -> Steps:
        while not self.is_over:
            if not self._is_connected():
                self._in_flight.clear()
            self._connected_to = self._world.redis.run
            try:
                yield from self._settle_all()
                yield from self._recover()
                while self._is_connected() and not self.is_over and (yield from self._once()):
                    pass
            except (GroupLost, BeginAgain):
                pass
            except Fenced:
                self._in_flight.clear()

    def _is_connected(self) -> bool:
        return self._connected_to == self._world.redis.run

    def _recover(self) -> Steps:
        redis, mongo, keeper = self._world.redis, self._world.mongo, self.keeper
        found = redis.claim(self.epoch)
        if found is None:
            self.is_over = True
            return
        acknowledged, self._redeliveries = found
        yield
        kept = mongo.claim(self.epoch)
        if kept is None:
            self.is_over = True
            return
        yield
        beginning = keeper.begin(acknowledged, kept, redis.beside())
        yield
        if beginning.redeliver_after is not None:
            self._redeliveries = redis.deliver_again(
                self.epoch, beginning.redeliver_after, beginning.stored, beginning.stored_id
            )
            yield
        redis.say(beginning.stored, beginning.stored_id, self._redeliveries)
        redis.know(beginning.stored)
        yield
        if beginning.raise_to:
            redis.raise_to(self.epoch, beginning.raise_to)
        elif beginning.makes_group:
            redis.prepare()
        yield
        yield from self._keep()
        while self._is_connected() and not self.is_over and (entry := redis.oldest_pending()):
            yield
            yield from self._begin([entry])
            yield from self._settle_all()

    def _once(self) -> Generator[None, None, bool]:
        redis = self._world.redis
        if len(self._in_flight) >= MOST_IN_FLIGHT:
            yield from self._settle()
        if not self._is_connected():
            return False
        entries = redis.read()
        yield
        if entries:
            yield from self._begin(entries)
        else:
            yield from self._settle_all()
        if self._world.random.random() < 0.3:
            return (yield from self._tidy())
        return True

    def _begin(self, entries: list[Entry]) -> Steps:
        batch: list[Entry] = []
        keeper = self.keeper
        for entry in entries:
            if keeper.has_fallen(entry.id, entry.upto):
                raise BeginAgain
            if keeper.lacks(entry.upto, len(entry.messages)):
                yield from self._submit(batch)
                yield from self._settle_all()
                batch = []
                if not self._is_connected():
                    return
                beside = self._world.redis.beside()
                if keeper.is_elsewhere(entry.id, beside):
                    raise BeginAgain
                hole = keeper.missing_before(entry.id, entry.upto, len(entry.messages), beside)
                yield
                if hole is not None and not self._record(hole):
                    return
                yield
            keeper.read(entry.id, entry.upto)
            if not keeper.may_store(entry.id):
                yield from self._keep()
                if self.is_over:
                    return
            batch.append(entry)
        yield from self._submit(batch)

    def _submit(self, batch: list[Entry]) -> Steps:
        if not batch:
            return
        contents = Contents()
        for entry in batch:
            contents.add(entry.source.encode(), entry.messages)
        begin = start(contents, (one.contents for one in self._in_flight))
        for _ in range(begin.after):
            yield from self._settle()
            if not self._is_connected():
                return
        left = [(text, one.id, index) for one in batch for index, text in enumerate(one.messages)]
        if begin.repeats:
            # The others are duplicates when these are stored: here nothing is refused.
            left = [left[at] for at in first_copies([text for text, _, _ in left])[0]]
        insert = Insert(batch, left, contents)
        self._in_flight.append(insert)
        self._world.mongo.arriving.append(insert)

    def _settle(self) -> Steps:
        insert = self._in_flight[0]
        yield
        while insert.left:
            if not self._is_connected():
                return  # It arrives all the same.
            yield
        yield
        if not self._is_connected():
            return
        self._in_flight.pop(0)
        batch = insert.batch
        last = batch[-1]
        self.keeper.settled(last.id, last.upto)
        stored = (self.keeper.stored, self.keeper.stored_id)
        self._world.redis.acknowledge(batch, *stored, self._redeliveries)

    def _settle_all(self) -> Steps:
        while self._in_flight and self._is_connected():
            yield from self._settle()

    def _keep(self) -> Steps:
        kept = self.keeper.to_keep(self._world.redis.clock)
        yield
        if not self._world.mongo.keep(kept, self.keeper.in_mongo):
            self.is_over = True
            return
        self.keeper.kept(kept)
        yield
        if self._is_connected():
            self._world.redis.keep(kept.upto, self._redeliveries)

    def _record(self, hole: Hole) -> bool:
        """Under the term; False if it is over."""
        self.is_over = self.epoch != self._world.epoch
        if not self.is_over:
            self._world.holes[hole.first] = hole
        return not self.is_over

    def _tidy(self) -> Generator[None, None, bool]:
        yield from self._settle_all()
        if not self._is_connected():
            return False
        redis, keeper = self._world.redis, self.keeper
        beside = redis.beside()
        if keeper.is_to_begin_again(beside):
            return False
        keeper.learn(beside)
        hole = keeper.missing_at_the_end(beside)
        yield
        if hole is not None:
            if not self._record(hole):
                return False
            yield
            keeper.settled(keeper.stored_id, hole.last)
            redis.say(keeper.stored, keeper.stored_id, self._redeliveries)
        redis.trim()
        yield from self._keep()
        return True


class World:
    """What a schedule of operations plays on.

    appended:    what the leader has appended, by number
    holes:       what is on record, by first number: a writer that was killed records its hole again
    first:       by message where it stands first on the stream: entry id, and index in the entry
    overclaimed: numbers below the watermark that were neither stored nor on record at that moment
    asking:      publishers that wait until what they have published is stored
    received_at: when what was published was received, by number; each request in a millisecond of its own
    told_wrong:  what publishers were told that was not so
    told_gone:   those whose messages were lost
    """

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.redis, self.mongo = Redis(), Mongo()
        self.reader = Reader()
        self.follower = Follower(self, seed)
        self.known = 0  # to the leader
        self.appended: dict[int, str] = {}
        self._ids: dict[int, str] = {}
        self.first: dict[str, tuple[str, int]] = {}
        self._sent: list[tuple[tuple[str, ...], str]] = []
        self._listener, self._listeners = LISTENER, 1
        self.overclaimed: set[int] = set()
        self.asking: list[Awaited] = []
        self.received_at: dict[int, int] = {}
        self._received_at = 0
        self._looked = ""
        self.told_wrong: list[tuple[Awaited, Stored]] = []
        self.told_gone: list[Awaited] = []
        self.holes: dict[int, Hole] = {}
        self.epoch = 0
        self.writers: list[Writer] = []
        self._copies = [(self.redis.copy(), self.mongo.copy())]
        self.replace_writer()

    # --- what goes on -----------------------------------------------------------------------

    def run(self, steps: int) -> None:
        for _ in range(steps):
            self.redis.clock += TICK_MS // 10
            # A Redis that knows of nothing takes everything for stored until the next tick. Of inserts that
            # arrive in that moment, and overtake one another, some may be stepped over: none does here.
            knows_of_nothing = self.redis.upto is None and self.mongo.arriving
            if self.random.random() < 0.3 or knows_of_nothing:
                self.known = max(self.known, self.redis.know(self.known))
            self.mongo.arrive(self.random)
            for writer in self.writers:
                writer.step()
                self._note_ids()
                self._tell()
            self.follower.step(TICK_MS / 10 / 1000)
            self.writers = [writer for writer in self.writers if not writer.is_over]
            if not self.writers:
                self.replace_writer()
            if self.random.random() < 0.3:
                self.read()
            if self.asking and self.random.random() < 0.3:
                self.answer()

    def answer(self) -> None:
        """Tell publishers what became of theirs. MongoDB is asked after Redis, a moment later."""
        below, self._looked = self._looked, self.redis.watermark()
        asking, self.asking = self.asking, []
        for awaited in asking:
            match judge(awaited, self._see(awaited, below)):
                case Unstored.NOT_YET:
                    self.asking.append(awaited)
                case Unstored.GONE:
                    self.told_gone.append(awaited)
                case Stored() as stored if not self._is_true(awaited, stored):
                    self.told_wrong.append((awaited, stored))

    def _see(self, awaited: Awaited, below: str) -> Seen:
        places = {id: self._place_of(id.decode()) for id in awaited.ids}
        found = {id: place for id, place in places.items() if place is not None}
        return Seen(below, found, self.in_quarantine([id for id in awaited.ids if id not in found]))

    def in_quarantine(self, ids: list[bytes]) -> set[bytes]:
        """Which of these are."""
        return {id for id in ids if id.decode() in self.mongo.quarantined}

    def _place_of(self, name: str) -> Place | None:
        if name not in self.mongo.documents:
            return None
        position = f"{entry_prefix(self.mongo.documents[name])}{self.mongo.indices[name]:05d}"
        return Place(position, self.received_at.get(self.mongo.numbers[name], 0))

    def _is_true(self, awaited: Awaited, stored: Stored) -> bool:
        """Whether all of it is somewhere, and what is called a duplicate was another one's before."""
        names = [id.decode() for id in awaited.ids]
        places = [self._place_of(name) for name in names]
        duplicates = [i for i, p in enumerate(places) if p and p.received_at != awaited.received_at]
        is_kept = all(p or n in self.mongo.quarantined for n, p in zip(names, places, strict=True))
        positions = [p and p.position for p in places]
        return is_kept and (stored.positions, stored.duplicates) == (positions, duplicates)

    def read(self) -> None:
        """The reader reads. What it is told to be complete has to be."""
        self.reader.read(self.redis, self.mongo)
        if known.lacks(self.redis.beside()):
            return  # Nobody is told that anything is complete.
        below = self.redis.watermark()
        fixed = {n for n in self.unrecorded() if n > self.redis.moved_upto}
        self.overclaimed |= {n for n in fixed if first_of(self._ids[n]) < below}

    def follow(self, chance: int) -> None:
        self.follower.follow_from_a_place(chance)

    def leave(self, chance: int) -> None:
        self.follower.leave(chance)

    def forge(self, chance: int) -> None:
        self.follower.be_fooled(chance)

    def _tell(self) -> None:
        for payload in self.redis.told:
            self.follower.tell(payload)
        self.redis.told.clear()

    def _note_ids(self) -> None:
        """What was appended anew has another id."""
        for entry in self.redis.entries:
            self._ids |= dict.fromkeys(range(entry.upto - len(entry.messages) + 1, entry.upto + 1), entry.id)

    def append(self, messages: int) -> None:
        self._append(self._new(messages), self._listener)

    def publish(self, messages: int) -> None:
        """By HTTP, by somebody who waits until it is stored."""
        names = self._new(messages)
        self._append(names, HTTP)
        self._wait_for(names)

    def publish_refused(self, messages: int) -> None:
        """What cannot be stored, and something that can."""
        names = self._new(messages + 1)
        self.mongo.refused |= set(names[1:])
        self._append(names, HTTP)
        self._wait_for(names)

    def lose_an_answer(self, messages: int) -> None:
        """A request is appended a second time, since Redis' answer was lost."""
        names = self._new(messages)
        self._received_at += 1
        self._append(names, HTTP)
        self._receive(names)
        self._append(names, HTTP)
        self._receive(names)
        self._ask_for(names, may_repeat=True)

    def _wait_for(self, names: tuple[str, ...], first: int = 0) -> None:
        """A new request has these, in the last entry from there on."""
        self._received_at += 1
        self._receive(names, first)
        self._ask_for(names, first)

    def _receive(self, names: tuple[str, ...], first: int = 0) -> None:
        begin = self.known - len(self.redis.entries[-1].messages) + 1 + first
        self.received_at |= dict.fromkeys(range(begin, begin + len(names)), self._received_at)

    def _ask_for(self, names: tuple[str, ...], first: int = 0, *, may_repeat: bool = False) -> None:
        stood = Stood([self.redis.last_id], [len(names)], first)
        ids = [name.encode() for name in names]
        self.asking.append(Awaited(ids, stood, self._received_at, may_repeat))

    def repeat(self, at: int) -> None:
        """One of the last entries once more, with something new behind it.

        What was published is: the request is repeated. What was heard is: by another listener, or by the same
        one over another connection.
        """
        if self._sent:
            names, source = self._sent[-1 - at % len(self._sent[-3:])]
            if source != HTTP:
                self._listeners += 1
                source = self._listener = f"{self._listeners}.1"
            names += self._new(1)
            self._append(names, source)
            if source == HTTP:
                self._wait_for(names)

    def publish_and_repeat(self, messages: int) -> None:
        """A request and its repetition that come together, and so in one entry."""
        names = self._new(messages)
        self._append(names * 2, HTTP)
        self._wait_for(names)
        self._wait_for(names, len(names))

    def _new(self, messages: int) -> tuple[str, ...]:
        return tuple(f"message {len(self.appended) + i}" for i in range(messages))

    def _append(self, names: tuple[str, ...], source: str) -> None:
        self.known = self.redis.append(names, self.known, source)
        new = {self.known - len(names) + 1 + i: name for i, name in enumerate(names)}
        self.appended |= new
        self._ids |= dict.fromkeys(new, self.redis.last_id)
        self._sent.append((names, source))
        for index, name in enumerate(names):
            self.first.setdefault(name, (self.redis.last_id, index))

    def replace_writer(self) -> None:
        """Another writer begins; one that is only frozen goes on until it notices."""
        self.epoch += 1
        self.writers.append(Writer(self, self.epoch))

    # --- faults -----------------------------------------------------------------------------

    def kill_writer(self) -> None:
        self.writers.clear()
        self.replace_writer()

    def freeze_writer(self, steps: int) -> None:
        """Its lease lapses, and it wakes up when another one writes."""
        self.writers[-1].paused = steps
        self.replace_writer()

    def delete_stream(self) -> None:
        self.redis.entries.clear()
        self.redis.pending.clear()
        self.redis.delivered, self.redis.last_id = None, NEVER

    def trim_stream(self, keep: int) -> None:
        self.redis.entries = self.redis.entries[-keep:]

    def delete_entry(self, at: int) -> None:
        if self.redis.entries:
            del self.redis.entries[at % len(self.redis.entries)]

    def evict(self) -> None:
        """Everything, as `allkeys-lru` may."""
        self.delete_stream()
        self.redis.upto = self.redis.stored = None
        self.redis.stored_id, self.redis.kept = NEVER, 0
        self.redis.epoch = self.redis.redeliveries = 0
        self.redis.moved_to = self.redis.moved_after = NEVER

    def copy(self) -> None:
        """Somebody makes a backup of each store."""
        self._copies.append((self.redis.copy(), self.mongo.copy()))

    def restart_redis(self, at: int) -> None:
        """With an older copy of its data, or the newest, or none."""
        copies = [self.redis.copy(), Redis(), *(redis.copy() for redis, _ in self._copies[-3:])]
        clock, run = self.redis.clock, self.redis.run + 1
        self.redis = copies[at % len(copies)]
        self.redis.clock, self.redis.run = clock, run

    def set_clock_back(self, milliseconds: int) -> None:
        self.redis.clock = max(1, self.redis.clock - milliseconds)

    def restore_mongo(self) -> None:
        """The newest copy, and a writer that begins with it. Before, all had settled."""
        self.restore_mongo_under_a_writer()
        self.kill_writer()

    def restore_mongo_under_a_writer(self) -> None:
        """The newest copy, while everything runs."""
        for _ in range(50):
            self.run(10)
            if self.redis.kept == self.redis.upto and not self.redis.beside().waiting:
                break
        # What is on its way arrives at the restored one.
        self.mongo = replace(self._copies[-1][1].copy(), arriving=self.mongo.arriving)

    # --- the end ------------------------------------------------------------------------------

    def settle(self) -> None:
        for writer in self.writers:
            writer.paused = 0
        self.run(1000)
        self.read()
        self.answer()
        self.answer()

    @property
    def missing(self) -> dict[int, str]:
        """What was appended and is neither stored nor in quarantine, by number."""
        kept = self.mongo.documents.keys() | self.mongo.quarantined
        return {number: name for number, name in self.appended.items() if name not in kept}

    def unrecorded(self) -> set[int]:
        """The numbers of what is missing, and lies in no hole."""
        return self.missing.keys() - set(self._recorded())

    def recorded_for_nothing(self) -> set[int]:
        """Numbers that are on record as missing, and are stored."""
        return set(self._recorded()) & self.appended.keys() - self.missing.keys()

    def misplaced(self) -> set[str]:
        """What is not stored where it stood first on the stream."""
        found = self.mongo.documents.items()
        return {name for name, id in found if (id, self.mongo.indices[name]) != self.first[name]}

    def is_inverted(self) -> bool:
        """Whether something is stored before what stood before it, each of them where it stood first."""
        stored = {name: (id, self.mongo.indices[name]) for name, id in self.mongo.documents.items()}
        return _in_order(stored) != [name for name in _in_order(self.first) if name in stored]

    def unseen(self) -> set[str]:
        """What is stored, and the reader has stepped over.

        But for what is on record as missing: a frozen writer may store it late, when it wakes.
        """
        return self.mongo.documents.keys() - self.reader.seen - self._named_as_missing()

    def unfollowed(self) -> set[str]:
        """The same of the follower."""
        return self.follower.unseen(self.mongo.documents) - self._named_as_missing()

    def _named_as_missing(self) -> set[str]:
        return {self.appended[number] for number in self._recorded() if number in self.appended}

    def _recorded(self) -> Iterator[int]:
        for hole in self.holes.values():
            yield from range(hole.first, hole.last + 1)


def _in_order(places: Mapping[str, tuple[str, int]]) -> list[str]:
    return sorted(places, key=lambda name: (order(places[name][0]), places[name][1]))
