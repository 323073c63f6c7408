"""Any number of listeners, one Redis order, a stream and a lease, without servers, threads or clocks.

The listeners decide with the real `relaycore`; what is played here is what the sockets, the
lease table and Redis do. One step is 20 ms for everybody. In each step a listener may read
less than there is, so that messages arrive late, and a listener may stand still.

Two channels are relayed. What is promised, is promised for the first one; the second one
(`VISITOR`) comes and goes, at another moment for each listener, and must not disturb it.
"""

import itertools
import random
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from relaycore import envelope
from relaycore.accounting import Missed
from relaycore.capture import Capture, Heard, Push, Ticked
from relaycore.election import Action, State
from relaycore.hearing import Hearing
from relaycore.policy import Policy
from relaycore.ticks import LEADING, LEAVING, LEFT, Tick, missed_at_most, seal

TICKS, CONTROL, CHANNEL, VISITOR, KEY = b"ticks", b"control", b"orders", b"alerts", b"key"
STEP_SECONDS, TICK_SECONDS = 0.02, 0.1
LAPSE_STEPS = 150
DEAF_SECONDS = 0.7
HOLD_BYTES = 1 << 20
STATES: Any = {State.LEADING: LEADING, State.LEAVING: LEAVING, State.LEFT: LEFT}


@dataclass(eq=False)
class Connection:
    """A Pub/Sub connection: what Redis has written and nobody has read yet.

    swallowed: Redis believes that it is there, and nothing arrives any more
    """

    queue: deque[Push] = field(default_factory=deque)
    channels: set[bytes] = field(default_factory=set)
    is_open: bool = True
    swallowed: bool = False

    def subscribe(self, channel: bytes) -> None:
        self.channels.add(channel)
        self._confirm(b"subscribe", channel)

    def unsubscribe(self, channel: bytes) -> None:
        self.channels.discard(channel)
        self._confirm(b"unsubscribe", channel)

    def _confirm(self, kind: bytes, channel: bytes) -> None:
        if self.is_open and not self.swallowed:
            self.queue.append([kind, channel, len(self.channels)])


@dataclass
class Gap:
    """Between two ticks nobody heard; at most so many messages were missed."""

    before: Tick
    after: Tick
    missed_at_most: int | None


class Redis:
    """One order for all: whatever is published reaches every open connection in it."""

    def __init__(self) -> None:
        self.calls = self.counter = self.milliseconds = 0
        self.connections: list[Connection] = []
        self.stream: list[bytes] = []
        self.confirmed: Tick | None = None

    def publish(self, channel: bytes, payload: bytes) -> None:
        self.calls += 1
        for connection in self.audience():
            if channel in connection.channels and not connection.swallowed:
                connection.queue.append([b"message", channel, payload])

    def tick(self, epoch: int, confirmed: Tick | None, state: str) -> Tick | None:
        """As the script of `channels_app.listening.ticker`; the tick that was confirmed before."""
        before, self.counter = self.confirmed, self.counter + 1
        if confirmed is not None and (before is None or before.number < confirmed.number):
            self.confirmed = confirmed
        number = confirmed.number if confirmed else 0
        body = b"%d %d %d %s %d %d run" % (
            *(self.counter, epoch, number, state.encode()),
            *(self.milliseconds, self.calls + 1),
        )
        self.publish(TICKS, body + b" " + seal(body, KEY))
        return before

    def connect(self, channels: Iterable[bytes]) -> Connection:
        connection = Connection()
        for channel in channels:
            connection.subscribe(channel)
        self.connections.append(connection)
        return connection

    def audience(self) -> list[Connection]:
        return [connection for connection in self.connections if connection.is_open]


class Lease:
    """The row of the leadership: claimed by a condition on its epoch, or when it is free."""

    def __init__(self) -> None:
        self.epoch = 0
        self.holder: SimulatedListener | None = None
        self._idle_steps = 0

    def claim(self, listener: "SimulatedListener", beyond: int | None) -> int | None:
        if self.holder is not None and self.epoch != beyond:
            return None
        self.epoch += 1
        self.holder, self._idle_steps = listener, 0
        return self.epoch

    def step(self) -> None:
        """A holder that is dead, stands still or does not renew any more loses it after a while."""
        holder = self.holder
        alive = holder is not None and holder.is_alive and not holder.paused and holder.renews
        self._idle_steps = 0 if alive else self._idle_steps + 1
        if self._idle_steps > LAPSE_STEPS:
            self.holder = None


class SimulatedListener:
    """What `channels_app.listening` does around `Hearing`, on the played Redis."""

    _names = itertools.count()

    def __init__(self, world: "World", policy: Policy) -> None:
        self._world = world
        self._redis = world.redis
        self._policy = policy
        self._wants_visitor = False
        self._looks_in = 0
        capture = Capture(TICKS, CONTROL, KEY, 1 << 20)
        capture.want(CHANNEL, policy)
        self.hearing = Hearing(capture, TICK_SECONDS, HOLD_BYTES)
        self.election, self.accounting = self.hearing.election, self.hearing.accounting
        self.is_alive, self.is_stopping, self.renews = True, False, False
        self.paused = self._lags = 0
        self._lag_chance = world.random.choice([0, 0.01, 0.1])
        self.loses_reply = False
        self._waiting: deque[tuple[list[bytes], Tick | None]] = deque()
        self._confirmed: Tick | None = None
        self._notes: deque[tuple[int, Tick, Tick]] = deque()
        self._next_tick = 0.0
        self._standbys = 0
        self._claim: tuple[int | None, int] | None = (None, 0)
        self._ticked = False
        self._join()

    @property
    def protects(self) -> bool:
        """Whether nothing is lost if all others end now."""
        if not self.is_alive or self.paused or self.is_stopping or not self.connection.is_open:
            return False
        if self.connection.swallowed:
            return False
        if self.election.state is State.LEADING:
            accounting = self.accounting
            return self.election.last is not None and accounting.is_settled and not accounting.is_deaf
        return self.election.state is State.FOLLOWING and self.hearing.is_whole

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
        if not self.connection.is_open:
            self._deaf(now)
            self._join()
        self._follow_table()
        caught_up = self._read(now)
        if self.election.ticks and now - self._sounded_at > DEAF_SECONDS:
            self.connection.is_open = False
        self._append()
        if self.election.ticks:
            if self._confirmed is not None:
                self.election.appended(self._confirmed.number)
            self._tick(now)
        if self.is_stopping:
            self._do(self.election.leave(now, standbys=self._standbys), now)
        self._do(self.election.turn(now, caught_up=caught_up, whole=self.hearing.is_whole), now)
        self._settle_claim(now)
        if self.election.state is State.ENDED and not self._waiting and not self._notes:
            if self._world.lease.holder is self and self.renews:
                self._world.lease.holder = None
            self.kill()

    # --- hearing ---------------------------------------------------------------------

    def _follow_table(self) -> None:
        """As `Coverage.follow`: each listener looks at a moment of its own."""
        if self._wants_visitor == self._world.relays_visitor:
            self._looks_in = self._world.random.randint(0, 10)
        elif self._looks_in:
            self._looks_in -= 1
        elif self._wants_visitor:
            self._wants_visitor = False
            self.hearing.capture.let_go(VISITOR)
            self.connection.unsubscribe(VISITOR)
        else:
            self._wants_visitor = True
            self.hearing.capture.want(VISITOR, self._policy)
            self.connection.subscribe(VISITOR)

    def _join(self) -> None:
        visitor = [VISITOR] if self._wants_visitor else []
        self.connection = self._redis.connect([CHANNEL, *visitor, TICKS])
        self._sounded_at = self._world.now
        self.hearing.joined(b"connection %d" % next(self._names), self._world.now)

    def _read(self, now: float) -> bool:
        queue, chance = self.connection.queue, self._world.random
        if not self._lags and chance.random() < self._lag_chance:
            self._lags = chance.randint(1, 10)
        count = chance.randint(0, len(queue)) if self._lags else len(queue)
        self._lags = max(0, self._lags - 1)
        pushes = [queue.popleft() for _ in range(count)]
        if pushes:
            self._sounded_at = now
            step = self.hearing.hear(pushes, 100 * len(pushes), now, self._redis.milliseconds)
            self._relay(step.heard)
            for action in step.actions:
                self._do(action, now)
        return not queue

    def _relay(self, heard: Heard) -> None:
        self._waiting.extend((piece.documents, None) for piece in heard.pieces)
        for event in heard.events:
            if isinstance(event, Ticked) and self.election.confirms(event.tick):
                self._mark(event.tick)
                for missed in self.accounting.heard(event.tick):
                    self._note(missed)

    def _mark(self, tick: Tick) -> None:
        if self._waiting:
            self._waiting[-1] = self._waiting[-1][0], tick
        else:
            self._confirmed = tick

    def _append(self) -> None:
        if not self._waiting:
            return
        documents, tick = self._waiting[0]
        self._redis.stream += documents
        if self.loses_reply:
            self.loses_reply = False  # It stands, and is sent again.
            return
        self._waiting.popleft()
        self._confirmed = tick or self._confirmed

    def _deaf(self, now: float) -> None:
        if not self.election.ticks:
            return
        confirmed = self._confirm()
        if self.election.last is not None:
            self.accounting.deafened(self.election.last)
        if self._standbys:
            self._redis.tick(self.election.epoch, confirmed, LEFT)
            self._resign(now)
        else:
            self._do(self.election.deafened(), now)

    # --- leading ---------------------------------------------------------------------

    def _tick(self, now: float) -> None:
        if now < self._next_tick:
            return
        self._next_tick = now + TICK_SECONDS
        before = self._redis.tick(self.election.epoch, self._confirm(), STATES[self.election.state])
        if not self._ticked:
            self._ticked = True
            self.accounting.begun(before)
            if not self.accounting.is_whole:
                self._note_hole(before)
        mine = self.connection.is_open
        self._standbys = len(self._redis.audience()) - mine

    def _do(self, action: Action | None, now: float) -> None:
        self._world.seen |= {action, self.election.state}
        match action:
            case Action.ASK:
                self._do(self.election.answered(self._redis.counter, now), now)
            case Action.REJOIN:
                self.connection.is_open = False
            case Action.CLAIM:
                self._claim = self._claim or (self.election.seen or None, self._world.random.randint(0, 3))
            case Action.STEP_DOWN:
                self.renews = False
            case Action.TAKE_BACK:
                self._relay(self.hearing.take_back())

    def _settle_claim(self, now: float) -> None:
        if self._claim is None or self.election.state is State.ENDED:
            return
        beyond, delay = self._claim
        self._claim = (beyond, delay - 1) if delay else None
        if delay:
            return
        epoch = self._world.lease.claim(self, beyond)
        heard = None if epoch is None else self.hearing.take_over(epoch)
        if epoch is None:
            self.election.refused(now)
        elif heard is not None:
            self._lead(heard)

    def _lead(self, heard: Heard) -> None:
        self._ticked, self._next_tick = False, 0.0
        self._standbys = 1
        self._sounded_at = self._world.now
        self.renews = True
        self._waiting.extend((piece.documents, None) for piece in heard.pieces)
        if not self.accounting.is_whole:
            self._note_hole(self._redis.confirmed)
        if self.election.last is not None:
            self._mark(self.election.last)

    def _note_hole(self, confirmed: Tick | None) -> None:
        self._world.holes.append((confirmed.calls if confirmed else 0, self._redis.calls + 1))

    def _resign(self, now: float) -> None:
        self.renews = False
        self.hearing.resign(now)

    def _confirm(self) -> Tick | None:
        return self.accounting.confirm(self._confirmed, on_record=not self._notes)

    def _note(self, missed: Missed) -> None:
        """PostgreSQL has it a while later, if this process lasts so long."""
        if missed.channel != VISITOR:  # It is promised nothing.
            later = self._world.random.choice([0, 1, 20])
            self._notes.append((self._world.steps + later, missed.before, missed.after))

    def _record(self) -> None:
        while self._notes and self._notes[0][0] <= self._world.steps:
            _, before, after = self._notes.popleft()
            self._world.gap(before, after)


class World:
    """What a schedule of operations plays on. `protected`: no fault that would leave nobody who protects.

    published: the number of its PUBLISH and the payload, of the first channel
    gaps:      what is on record
    holes:     between these numbers the new leader has heard nothing. Who has is frozen, and may be late
    """

    def __init__(self, policy: Policy, *, seed: int, protected: bool) -> None:
        self.random = random.Random(seed)
        self.redis, self.lease = Redis(), Lease()
        self.gaps: list[Gap] = []
        self.holes: list[tuple[int, int]] = []
        self.published: list[tuple[int, bytes]] = []
        self.visits: list[bytes] = []
        self.relays_visitor = False
        self._policy = policy
        self._protected = protected
        self.steps = self.faults = 0
        self.seen: set[object] = set()
        self.listeners = [SimulatedListener(self, policy)]
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
            for listener in self.listeners:
                listener.step()
            self.listeners = [listener for listener in self.listeners if listener.is_alive]

    def publish(self, payload: bytes) -> None:
        self.redis.publish(CHANNEL, payload)
        self.published.append((self.redis.calls, payload))

    def visit(self, payload: bytes) -> None:
        """Publish on the channel that comes and goes."""
        self.redis.publish(VISITOR, payload)
        self.visits.append(payload)

    def toggle(self) -> None:
        """The other channel is added, or removed."""
        self.relays_visitor = not self.relays_visitor

    def start(self) -> None:
        if len(self.listeners) < 3:
            self.listeners.append(SimulatedListener(self, self._policy))

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

    def settle(self) -> None:
        """Everybody recovers, and there is time enough for everything."""
        for listener in self.listeners:
            listener.paused = 0
        self.run(400)
        self.start()
        self.run(400)

    def stored_in_time(self) -> list[bytes]:
        """`stored`, without what fell into a hole: it may come after what was published later."""
        late = {text for at, text in self.published if any(a < at < b for a, b in self.holes)}
        return [text for text in self.stored() if text not in late]

    def stored(self, channel: bytes = CHANNEL) -> list[bytes]:
        """The payloads, each key once, in the order of their first positions."""
        first: dict[bytes, bytes] = {}
        for document in self.redis.stream:
            if envelope.channel_of(document) == channel:
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
