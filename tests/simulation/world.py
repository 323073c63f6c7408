"""Any number of listeners, one Redis order, a stream and a lease, without servers, threads or clocks.

The listeners decide with the real `relaycore.listening.protocol`; what is played here is what the sockets,
the lease table and Redis do. One step is 20 ms for everybody. In each step a listener may read
less than there is, so that messages arrive late, and a listener may stand still.

Two channels are relayed. The first one is always there. The second one (`VISITOR`) comes and goes, at
another moment for each listener, and must not disturb it; in each of its lives what is promised for it
begins when that is heard (`table`). The policy of the first one changes, which each listener learns at
another moment.

What is posted by HTTP (`post`) stands on the stream first, and goes out as echoes, as the script of
`relaybase.redis.appending` does it. No listener may append any of it.
"""

import itertools
import random
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import NamedTuple

from relaycore import envelope
from relaycore.capturing import notices
from relaycore.capturing.accounting import Missed
from relaycore.capturing.capture import REFUSAL, Capture, Push
from relaycore.capturing.policies import Changes
from relaycore.capturing.subscribing import Command
from relaycore.capturing.ticks import Tick, missed_at_most, pack, seal
from relaycore.listening import effects
from relaycore.listening.outside import Outside, Published
from relaycore.listening.protocol import ListenerProtocol
from relaycore.listening.transitions import State
from relaycore.policy import CONTENT, Policy

from .table import Copy, Row, Table

TICKS, CONTROL, CHANNEL, VISITOR, KEY = b"ticks", b"control", b"orders", b"alerts", b"key"
STEP_SECONDS, TICK_SECONDS = 0.02, 0.1
LAPSE_STEPS = 150
DRAIN_STEPS = 250
HOLD_BYTES = 1 << 20
SERVER = "the only one"
LONGEST_STEPS = 400
"""So long everything is waited for: longer than any limit of time of a listener."""
REST_STEPS = 50
"""So long nobody has anything left to do: ten ticks of each leader."""


@dataclass(eq=False)
class Connection:
    """A Pub/Sub connection: what Redis has written and nobody has read yet.

    swallowed: Redis believes that it is there, and nothing arrives any more
    """

    name: bytes = b""
    queue: deque[Push] = field(default_factory=deque)
    channels: set[bytes] = field(default_factory=set)
    is_open: bool = True
    swallowed: bool = False

    def say(self, *push: object) -> None:
        if self.is_open and not self.swallowed:
            self.queue.append(push)


@dataclass
class Gap:
    """Between two ticks nobody heard, or nobody knows who did; at most so many messages were missed."""

    before: Tick
    after: Tick
    missed_at_most: int | None


class Note(NamedTuple):
    """What PostgreSQL is to have in the step `at`. `is_expected`: nothing is confirmed beyond it."""

    at: int
    write: Callable[[], None]
    is_expected: bool = True


class Redis:
    """One order for all: whatever is published reaches every open connection in it.

    policies, proofs: what stands beside the stream
    is_full:          nothing is appended
    refuses:          channels that nobody may subscribe
    echoes, said:     the number of the last notice of an echo, and all of them
    told:             what Relay itself has published of `calls`
    """

    def __init__(self) -> None:
        self.calls = self.counter = self.milliseconds = self.echoes = self.told = 0
        self.said: list[bytes] = []
        self.connections: list[Connection] = []
        self.stream: list[bytes] = []
        self.confirmed: Tick | None = None
        self.term = self.writes = 0
        self.policies: dict[bytes, Policy] = {}
        self.proofs: dict[bytes, tuple[int, int]] = {}
        self.is_full = False
        self.refuses: set[bytes] = set()
        self.past: list[bytes] = []

    def publish(self, channel: bytes, payload: bytes) -> None:
        self.calls += 1
        for connection in self.audience(channel):
            connection.say(b"message", channel, payload)

    def echo(self, channel: bytes, payloads: Sequence[bytes], *, refused: bool) -> None:
        """As `relaybase.redis.appending`, in one step. `refused`: the last one of them is not published."""
        before = self.calls
        self.echoes += 1
        self.said.append(notices.echo(self.echoes, channel, len(payloads), KEY))
        self.publish(CONTROL, self.said[-1])
        for payload in payloads[:-1] if refused else payloads:
            self.publish(channel, payload)
        if refused:
            self.publish(CONTROL, b"")
        self.told += self.calls - before

    def tick(
        self, epoch: int, confirmed: Tick | None, state: str, changes: Changes, writes: int
    ) -> Tick | None:
        """As the script of `channels_app.listening.ticker`; the tick that was confirmed before."""
        before, self.counter = self.confirmed, self.counter + 1
        self.writes = max(self.writes, writes)
        if epoch < self.term:
            confirmed = None
        self.term = max(self.term, epoch)
        if confirmed is not None and (before is None or before.number < confirmed.number):
            self.confirmed = confirmed
        for channel, policy in changes:
            self.policies.pop(channel, None)
            if policy != CONTENT:
                self.policies[channel] = policy
        number = confirmed.number if confirmed else 0
        body = b"%d %d %d %s %d %d run %s" % (
            *(self.counter, epoch, number, state.encode()),
            *(self.milliseconds, self.calls + 1 - self.told, pack(changes)),
        )
        self.past.append(body + b" " + seal(body, KEY))
        self.publish(TICKS, self.past[-1])
        return before

    def obey(self, connection: Connection, command: Command) -> None:
        """SUBSCRIBE or UNSUBSCRIBE."""
        if command.subscribes and self.refuses.intersection(command.channels):
            connection.say(REFUSAL, b"", "NOPERM No permissions to access one of the channels")
            return
        for channel in command.channels:
            change = connection.channels.add if command.subscribes else connection.channels.discard
            change(channel)
            connection.say(
                b"subscribe" if command.subscribes else b"unsubscribe", channel, len(connection.channels)
            )

    def audience(self, channel: bytes) -> list[Connection]:
        return [one for one in self.connections if one.is_open and channel in one.channels]


class Lease:
    """The row of the leadership: claimed by a condition on its epoch, or when it is free.

    holder:     who has it; None if it is free
    claimed_by: who has claimed it last
    known:      everything before this tick is on the stream, or on record as missed
    """

    def __init__(self) -> None:
        self.epoch = self.writes = 0
        self.holder: SimulatedListener | None = None
        self.claimed_by: SimulatedListener | None = None
        self.known: Tick | None = None
        self._idle_steps = 0

    def claim(self, listener: "SimulatedListener", beyond: int | None, above: int) -> int | None:
        if self.holder is not None and (beyond is None or self.epoch > beyond):
            return None
        if beyond is None and self.epoch < above:
            return None
        self.epoch = max(self.epoch, above) + 1
        self.writes += 1
        self.holder = self.claimed_by = listener
        self._idle_steps = 0
        return self.epoch

    def step(self) -> None:
        """A holder that is dead, stands still or does not renew any more loses it after a while."""
        holder = self.holder
        alive = holder is not None and holder.is_alive and not holder.paused and holder.renews
        self._idle_steps = 0 if alive else self._idle_steps + 1
        if self._idle_steps > LAPSE_STEPS:
            self.holder = None


def protects(protocol: ListenerProtocol) -> bool:
    """Whether nothing is lost that is published now, if everybody else ends now."""
    if not protocol.is_covered:
        return False
    if protocol.state is State.LEADING:
        accounting = protocol._accounting
        return protocol._election.last is not None and accounting.is_settled and not accounting.is_deaf
    return protocol.state is State.FOLLOWING and protocol._hearing.is_whole


class SimulatedListener:
    """What `channels_app.listening` does around the protocol, on the played Redis."""

    _names = itertools.count()

    def __init__(self, world: "World") -> None:
        self._world = world
        self._redis = world.redis
        self._chance = world.random
        self.name = b"listener %d" % next(self._names)
        self.protocol = ListenerProtocol(
            self.name,
            Capture(TICKS, CONTROL, KEY, 1 << 20),
            TICK_SECONDS,
            HOLD_BYTES,
            term=self._redis.term,
        )
        self.is_alive, self.is_stopping, self.retires, self.renews = True, False, False, False
        self.paused = self._lags = 0
        self._lag_chance = self._chance.choice([0, 0.01, 0.1])
        self.loses_reply = False
        self._known: dict[bytes, Row] = {}
        self._looks_in = 0
        self._waiting: deque[tuple[list[bytes], Tick | None]] = deque()
        self._stands: Tick | None = None
        self._refusal = ""
        self._notes: deque[Note] = deque()
        self._claim: tuple[int | None, int, int] | None = (None, world.redis.term, 0)
        self._later: deque[tuple[int, Callable[[], None]]] = deque()
        self._claimed = self._acknowledged = self._begun = self._settled = 0
        self._known_before: Tick | None = None
        self._drains = DRAIN_STEPS
        self._held = False
        self._look()
        self.protocol.commands_lead_to(SERVER)
        self._join()

    @property
    def is_leading(self) -> bool:
        return self.is_alive and self.protocol.state is State.LEADING

    @property
    def protects(self) -> bool:
        """Whether nothing is lost if all others end now."""
        if not self.is_alive or self.paused or self.is_stopping or not self.connection.is_open:
            return False
        return not self.connection.swallowed and protects(self.protocol)

    @property
    def is_at_rest(self) -> bool:
        """Whether all that it does is to tick or to hear that, and nothing is lost if all others end."""
        if not self.protects or self._waiting or self._notes or self._claim is not None:
            return False
        hands_over = self.retires and self.is_leading and len(self._world.listeners) > 1
        is_late = len(self.connection.queue) > 3  # A few ticks may lie there: now and then one is read late.
        return not hands_over and not is_late and self.hears_what_is_listened_to

    @property
    def hears_what_is_listened_to(self) -> bool:
        """Exactly that, and knows each life of it."""
        rows = self._world.table.rows
        return self._known == rows and self.connection.channels == {TICKS, CONTROL, *rows}

    def kill(self) -> None:
        self.is_alive = False
        self.connection.is_open = False

    def step(self) -> None:
        if not self.is_alive:
            return
        if self.paused:
            self.paused -= 1
            return
        now = self._world.now
        self._record()
        self._renew()
        while self._later and self._later[0][0] <= self._world.steps:
            self._later.popleft()[1]()
            self._obey()
        if not self.connection.is_open:
            self.protocol.disconnected(now)
            self._obey()
            self._join()
        self._follow_table()
        caught_up = self._read(now)
        self._append()
        self.protocol.turn(now, self._outside(), caught_up=caught_up)
        if self.is_stopping:
            self.protocol.stop(now)
        elif self.retires:
            self.protocol.retire(now)
        self._obey()
        self._settle_claim(now)
        self._world.seen.add(self.protocol.state)
        if self.protocol.state is State.ENDED:
            self._end()

    # --- what goes in ----------------------------------------------------------------

    def _outside(self) -> Outside:
        return Outside(
            is_open=True,
            stands=self._stands,
            waiting=sum(len(documents) for documents, _ in self._waiting),
            on_record=not any(note.is_expected for note in self._notes),
            refusal=self._refusal,
            writes=self._acknowledged,
        )

    def _follow_table(self) -> None:
        """Each listener looks at a moment of its own."""
        if self._known == self._world.table.rows:
            self._looks_in = self._chance.randint(0, 10)
        elif self._looks_in:
            self._looks_in -= 1
        else:
            self._look()

    def _look(self) -> None:
        rows = self._world.table.rows
        for channel in self._known.keys() - rows.keys():
            self.protocol.unwant(channel)
        for channel, (policy, life) in rows.items():
            self.protocol.want(channel, policy, life)
        self._known = dict(rows)

    def _join(self) -> None:
        self.connection = Connection(b"connection %d" % next(self._names))
        self._redis.connections.append(self.connection)
        self.protocol.connected(self.connection.name, self._world.now)
        self.protocol.data_leads_to(SERVER)

    def _read(self, now: float) -> bool:
        queue, chance = self.connection.queue, self._chance
        if not self._lags and chance.random() < self._lag_chance:
            self._lags = chance.randint(1, 10)
        count = chance.randint(0, len(queue)) if self._lags else len(queue)
        self._lags = max(0, self._lags - 1)
        pushes = [queue.popleft() for _ in range(count)]
        if pushes:
            self.protocol.hear(pushes, 100 * len(pushes), now, self._redis.milliseconds)
            self._obey()
        return not queue

    # --- what comes out --------------------------------------------------------------

    def _obey(self) -> None:
        while todo := self.protocol.take():
            for effect in todo:
                self._world.seen.add(effect if isinstance(effect, effects.Ask) else type(effect))
                self._do(effect)

    def _do(self, effect: effects.Effect) -> None:
        match effect:
            case Command():
                self._redis.obey(self.connection, effect)
            case effects.Append(pieces):
                self._waiting.extend((piece.documents, None) for piece in pieces)
            case effects.Mark(tick):
                self._mark(tick)
            case effects.Drop():
                self.connection.is_open = False
            case effects.Publish() | effects.Prove() | effects.Locate() | effects.Count():
                self._ask(effect)
            case Missed():
                self._note(effect)
            case _:
                self._do_about_the_lease(effect)

    def _ask(self, effect: effects.Publish | effects.Prove | effects.Locate | effects.Count) -> None:
        protocol, redis, number = self.protocol, self._redis, self._redis.counter
        match effect:
            case effects.Publish():
                self._publish(effect)
            case effects.Prove(proved, digest):
                redis.proofs[self.name] = proved, digest
            case effects.Locate(connection):
                policies, term, echoes = dict(redis.policies), redis.term, redis.echoes
                self._soon(
                    lambda: protocol.located(connection, number, policies, self._world.now, term, echoes)
                )
            case effects.Count(after):
                self._soon(lambda: protocol.counted(after, number, self._world.now))

    def _do_about_the_lease(self, effect: effects.Effect) -> None:
        """Beside the lease much is written into tables that are not played here."""
        match effect:
            case effects.Claim(beyond, above):
                self._claim = self._claim or (beyond, above, self._chance.randint(0, 3))
            case effects.Lead():
                self.renews = True
                if not self.protocol._accounting.is_whole:
                    self._note_hole(self._redis.confirmed)
            case effects.Settled(rows, since, first, forgotten):
                self._settle(rows, since, first, forgotten)
            case effects.Active(rows, since):
                self._later_on_record(lambda: self._world.table.hear(rows, since), is_expected=False)
            case effects.Silenced(_, row, _, since):
                self._later_on_record(lambda: self._world.table.refuse(row, since))
            case effects.Ask.END_TERM:
                self.renews = False
                self._notes.clear()

    def _soon(self, answer: Callable[[], None]) -> None:
        """Redis answers, and the answer is read a while later, each in its turn."""
        at = self._world.steps + self._chance.choice([0, 0, 0, 1, 3])
        if self._later:
            at = max(at, self._later[-1][0])
        self._later.append((at, answer))

    def _publish(self, order: effects.Publish) -> None:
        redis, counted = self._redis, (self._redis.term, self._redis.writes)
        before = redis.tick(order.epoch, order.confirmed, order.state, order.changes, order.writes)
        if not order.answered:
            return
        accounting = self.protocol._accounting
        if not accounting.is_whole and not accounting._has_begun:
            self._note_hole(before)
        number, subscribers, room = redis.counter, len(redis.audience(TICKS)), not redis.is_full
        proofs: Mapping[bytes, tuple[int, int]] = MappingProxyType(dict(redis.proofs))
        answer = Published(number, subscribers, proofs, before, room, len(redis.policies), *counted)
        self._soon(lambda: self.protocol.published(answer, self._world.now))

    def _mark(self, tick: Tick) -> None:
        if self._waiting:
            self._waiting[-1] = self._waiting[-1][0], tick
        else:
            self._stands = tick

    def _append(self) -> None:
        if not self._waiting:
            return
        if self._redis.is_full:
            self._refusal = "OOM command not allowed"
            return
        documents, tick = self._waiting[0]
        self._redis.stream += documents
        if self.loses_reply:
            self.loses_reply = False  # It stands, and is sent again.
            return
        self._waiting.popleft()
        self._refusal = ""
        self._stands = tick or self._stands

    def _settle_claim(self, now: float) -> None:
        if self._claim is None or self.protocol.state is State.ENDED:
            return
        beyond, above, delay = self._claim
        self._claim = (beyond, above, delay - 1) if delay else None
        if delay:
            return
        epoch = self._world.lease.claim(self, beyond, above)
        if epoch is None:
            self.protocol.refused(now)
        else:
            lease = self._world.lease
            self._claimed, self._acknowledged, self._known_before = epoch, lease.writes, lease.known
            self.protocol.won(epoch, now, writes=lease.writes - 1)
            if not self.protocol.leads and lease.holder is self and lease.epoch == epoch:
                lease.holder = None
        self._obey()

    def _renew(self) -> None:
        """Now and then, as the heartbeat."""
        protocol, lease = self.protocol, self._world.lease
        if not self.renews or protocol.epoch != self._claimed or self._chance.random() > 0.1:
            return
        if self._hold():
            if self._begun == protocol.epoch and protocol.known_until is not None:
                lease.known = protocol.known_until
        elif lease.epoch < self._claimed or (lease.epoch == self._claimed and lease.claimed_by is self):
            protocol.went_back(self._acknowledged)
            self._obey()

    def _hold(self) -> bool:
        """Whether the row is this term's, and knows what was written in it; a write of it, if so."""
        lease = self._world.lease
        if lease.claimed_by is not self or lease.epoch != self._claimed or lease.writes < self._acknowledged:
            return False
        lease.writes += 1
        self._acknowledged = lease.writes
        return True

    def _end(self) -> None:
        """What is heard is appended still, for a while."""
        if self._drains == DRAIN_STEPS:
            self._held = self.protocol.has_proof(self._world.now)
        self._drains -= 1
        if self._waiting and self._drains > 0:
            return
        if self._waiting and not self._held:
            self._world.given_up |= {
                envelope.payload_of(document)[0] for documents, _ in self._waiting for document in documents
            }
        if self._notes:
            return
        if self._world.lease.holder is self and self.renews:
            self._world.lease.holder = None
        self.kill()

    # --- what is found out -----------------------------------------------------------

    def _note_hole(self, confirmed: Tick | None) -> None:
        calls = self._redis.calls - self._redis.told
        self._world.holes.append((confirmed.calls if confirmed else 0, calls + 1))

    def _note(self, missed: Missed) -> None:
        if missed.channel == VISITOR:
            self._later_on_record(lambda: self._world.table.miss(missed))
        else:
            self._later_on_record(lambda: self._world.gap(missed.before, missed.after))

    def _settle(self, rows: list[int], since: Tick | None, first: Tick, forgotten: int) -> None:
        world, before, epoch = self._world, self._known_before, self._claimed
        self._settled = epoch

        def restore() -> None:
            world.gaps.append(Gap(before or Tick(0, 0, 0, "run", calls=0), first, None))
            world.lease.writes = max(world.lease.writes, forgotten)

        def begin() -> None:
            self._begun = epoch
            world.table.begin(rows, since or before)

        if forgotten:
            self._notes.appendleft(Note(world.steps, restore))
        self._later_on_record(begin)
        self._later_on_record(lambda: world.table.hear(rows, first), is_expected=False)

    def _later_on_record(self, write: Callable[[], None], *, is_expected: bool = True) -> None:
        """PostgreSQL has it a while later, if this term lasts so long."""
        # What nobody waits for has a chance of its own: it leaves everything else where it would be.
        chance = self._chance if is_expected else self._world.chance_of_statuses
        at = self._world.steps + chance.choice([0, 1, 20])
        self._notes.append(Note(at, write, is_expected))

    def _record(self) -> None:
        """In order, and under the term, once it is known where that has begun."""
        if self._settled != self._claimed:
            return
        while self._notes and self._notes[0].at <= self._world.steps and self._hold():
            self._notes.popleft().write()


_Backup = tuple[int, int, SimulatedListener | None, Tick | None, int, set[bytes], Copy]


class World:
    """What a schedule of operations plays on. `protected`: no fault that would leave nobody who protects.

    published: the number of its PUBLISH and the payload, of the first channel
    posted:    what was published by HTTP on the first channel, as it stands on the stream
    visits:    as `published`, of the channel that comes and goes
    table:     which channels are relayed, under which policy, in which life
    gaps:      what is on record
    given_up:  what was heard and could not be appended: on record as well
    holes:     between these numbers the new leader has heard nothing. Who has is frozen, and may be late
    """

    def __init__(self, policy: Policy, *, seed: int, protected: bool) -> None:
        self.random, self.chance_of_statuses = random.Random(seed), random.Random(seed)
        self.redis, self.lease = Redis(), Lease()
        self.gaps: list[Gap] = []
        self.holes: list[tuple[int, int]] = []
        self.published: list[tuple[int, bytes]] = []
        self.posted: list[bytes] = []
        self._door = itertools.count()
        self.visits: list[tuple[int, bytes]] = []
        self.given_up: set[bytes] = set()
        self.table = Table()
        self.table.turn_on(CHANNEL, policy, 0)
        self._policy = policy
        self._protected = protected
        self.steps = self.faults = 0
        self._backups: list[
            tuple[int, int, SimulatedListener | None, Tick | None, int, set[bytes], Copy]
        ] = []
        self.seen: set[object] = set()
        self.listeners = [SimulatedListener(self)]
        self.run(30)
        self.start()
        self.run(30)

    @property
    def now(self) -> float:
        return self.steps * STEP_SECONDS

    def run(self, steps: int) -> None:
        for _ in range(steps):
            self.steps += 1
            self.redis.milliseconds = round(self.now * 1000)
            self.lease.step()
            self._back_up()
            for listener in self.listeners:
                listener.step()
            self.listeners = [listener for listener in self.listeners if listener.is_alive]

    def publish(self, payload: bytes) -> None:
        self.redis.publish(CHANNEL, payload)
        self.published.append((self._place, payload))

    def post(self, channel: bytes, payloads: Sequence[bytes], *, refused: bool = False) -> None:
        """Somebody publishes these by HTTP. `refused`: Redis refuses the last PUBLISH of it."""
        if self.redis.is_full:
            return
        encode = envelope.Encoder(channel).encode
        for payload in payloads:
            key = b"http%08d" % next(self._door)
            document = encode(key, payload, envelope.timestamp(self.redis.milliseconds))
            self.redis.stream.append(document)
            if channel == CHANNEL:
                self.posted.append(document)
        self.redis.echo(channel, payloads, refused=refused)

    def say_again(self, number: int) -> None:
        """Somebody who has recorded the notice of an echo publishes it again."""
        said = self.redis.said or [b""]
        self.redis.publish(CONTROL, said[-1 - number % min(len(said), 40)])

    def forge(self, count: int) -> None:
        """Somebody who does not know the key says that so many echoes of the first channel come."""
        self.redis.publish(CONTROL, notices.echo(10**18, CHANNEL, count, b"a guess"))

    def visit(self, payload: bytes) -> None:
        """Publish on the channel that comes and goes."""
        self.redis.publish(VISITOR, payload)
        self.visits.append((self._place, payload))

    def toggle(self) -> None:
        """Listening to the other channel is turned on, in another life, or off."""
        if self.relays_visitor:
            self.table.turn_off(VISITOR, self.redis.confirmed, self._place)
        else:
            self.table.turn_on(VISITOR, self._policy, self.redis.counter)

    def revive(self) -> None:
        """It is turned off and on again before anybody looks, if it is on."""
        if self.relays_visitor:
            self.toggle()
            self.toggle()

    @property
    def relays_visitor(self) -> bool:
        return VISITOR in self.table.rows

    @property
    def _place(self) -> int:
        return self.redis.calls - self.redis.told

    def policy(self, policy: Policy) -> None:
        """Somebody changes the policy of the first channel."""
        self.table.change(CHANNEL, policy)

    def fill(self, steps: int) -> None:
        """Redis takes nothing, and everything else goes on."""
        self.redis.is_full = True
        self.run(steps)
        self.redis.is_full = False

    def replay(self, number: int) -> None:
        """Somebody publishes a genuine tick again."""
        if self.redis.past:
            self.redis.publish(TICKS, self.redis.past[-1 - number % min(len(self.redis.past), 40)])

    def spectate(self) -> None:
        """Somebody who is no listener subscribes the ticks."""
        self.redis.connections.append(Connection(channels={TICKS}))

    def rewind(self, terms: int) -> None:
        """PostgreSQL goes back by so many terms: a copy that lagged takes over, or it is restored."""
        self.lease.epoch = max(0, self.lease.epoch - terms)

    def restore(self, steps: int) -> None:
        """PostgreSQL is what it was so many steps ago: the lease, and what is on record."""
        epoch, writes, claimed_by, known, gaps, given_up, table = self._backups[
            -min(steps, len(self._backups))
        ]
        lease = self.lease
        lease.epoch, lease.writes, lease.known = epoch, writes, known
        lease.holder = lease.claimed_by = claimed_by
        del self.gaps[gaps:]
        self.given_up = given_up
        self.table.restore(table)

    def _back_up(self) -> None:
        lease = self.lease
        row = (lease.epoch, lease.writes, lease.claimed_by, lease.known)
        self._backups.append((*row, len(self.gaps), set(self.given_up), self.table.copy()))

    def refuse(self) -> None:
        """Redis refuses the second channel to whoever subscribes it, or does so no more."""
        self.redis.refuses ^= {VISITOR}

    def forget(self) -> None:
        """Somebody deletes the policies that stand beside the stream."""
        self.redis.policies.clear()

    def retire(self, number: int) -> None:
        """The life of a listener is over; another one is started when it has ended."""
        if self.listeners:
            self.listeners[number % len(self.listeners)].retires = True

    def start(self) -> None:
        if len(self.listeners) < 3:
            self.listeners.append(SimulatedListener(self))

    def kill(self, number: int) -> None:
        if listener := self._victim(number):
            listener.kill()

    def pause(self, number: int, steps: int) -> None:
        if listener := self._victim(number):
            listener.paused = steps

    def cut(self, number: int) -> None:
        if listener := self._victim(number):
            listener.connection.is_open = False

    def swallow(self, number: int) -> None:
        if listener := self._victim(number):
            listener.connection.swallowed = True

    def stop(self, number: int) -> None:
        if listener := self._victim(number):
            listener.is_stopping = True

    def lose_reply(self, number: int) -> None:
        if self.listeners:
            self.listeners[number % len(self.listeners)].loses_reply = True

    def gap(self, before: Tick, after: Tick) -> None:
        self.gaps.append(Gap(before, after, missed_at_most(before, after)))

    def settle(self, *, patiently: bool = False) -> None:
        """Everybody recovers, and there is time enough for everything.

        Nobody waits on while all are at rest. `patiently`: they do, to see whether the rest lasts.
        """
        for listener in self.listeners:
            listener.paused = 0
        self.redis.refuses.clear()
        self._rest(patiently)
        self.start()
        self._rest(patiently)

    def _rest(self, patiently: bool) -> None:
        rested = 0
        for _ in range(LONGEST_STEPS):
            self.run(1)
            rested = rested + 1 if not patiently and self.is_at_rest else 0
            if rested > REST_STEPS:
                return

    @property
    def is_at_rest(self) -> bool:
        """Whether one leads, under its lease, and is heard, and so is whatever is listened to."""
        leaders = [listener for listener in self.listeners if listener.is_leading]
        return (
            all(listener.is_at_rest for listener in self.listeners)
            and leaders == [self.lease.holder]
            and all(listener.renews for listener in leaders)
            and all(self.table.found(row.life).is_active for row in self.table.rows.values())
        )

    def unaccounted(self) -> list[bytes]:
        """What of the other channel, while that was said to be heard, is neither stored nor in a gap."""
        kept, table = {*self.stored(VISITOR)} | self.given_up, self.table
        return [
            payload
            for channel, since, upto in table.promises
            for at, payload in self.visits
            if channel == VISITOR and since < at and (upto is None or at < upto) and payload not in kept
            if not table.is_missed(VISITOR, at)
            if not any(gap.before.calls < at < gap.after.calls for gap in self.gaps)
        ]

    def stored_in_time(self) -> list[bytes]:
        """`stored`, without what fell into a hole: it may come after what was published later."""
        late = {text for at, text in self.published if any(a < at < b for a, b in self.holes)}
        return [text for text in self.stored() if text not in late]

    @property
    def echoed(self) -> list[bytes]:
        """What was posted, and a listener has appended as well."""
        return [
            envelope.payload_of(document)[0]
            for document in self.redis.stream
            if not _is_posted(document) and envelope.payload_of(document)[0].startswith(b'{"post"')
        ]

    def stored(self, channel: bytes = CHANNEL) -> list[bytes]:
        """The payloads that were heard, each key once, in the order of their first positions."""
        first: dict[bytes, bytes] = {}
        for document in self.redis.stream:
            if envelope.channel_of(document) == channel and not _is_posted(document):
                first.setdefault(envelope.key_of(document), envelope.payload_of(document)[0])
        return list(first.values())

    def _victim(self, number: int) -> SimulatedListener | None:
        alive = [listener for listener in self.listeners if listener.is_alive]
        if not alive:
            return None
        victim = alive[number % len(alive)]
        if self._protected and not any(other.protects for other in alive if other is not victim):
            return None
        self.faults += 1
        return victim


def _is_posted(document: bytes) -> bool:
    return envelope.key_of(document).startswith(b"http")
