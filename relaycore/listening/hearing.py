"""What one listener does with what it hears: relays it, or holds it.

`Hearing` joins what decides that: the election, the hold, the capture and the accounting. It is fed
the replies of the data connection and answers with pieces for the stream, in order, with events, and
with what the election asks for. `relaycore.listening.protocol` is its only user.
"""

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from relaycore.capturing.accounting import Accounting
from relaycore.capturing.capture import Capture, Controlled, Event, Heard, Push, Subscribed, Ticked
from relaycore.capturing.holding import Hold
from relaycore.capturing.notices import Echo
from relaycore.capturing.ticks import Tick
from relaycore.listening.election import Election
from relaycore.listening.transitions import Action, State
from relaycore.policy import Policy


@dataclass(slots=True)
class Step:
    """What one read led to.

    heard:    pieces for the stream and events, in order
    actions:  what the election asks for
    overflow: the hold was full, so this listener is not whole until the next tick
    """

    heard: Heard = field(default_factory=Heard)
    actions: list[Action] = field(default_factory=list)
    overflow: bool = False


class Hearing:
    """What one listener of one partition relays and holds."""

    def __init__(self, capture: Capture, interval: float, hold_bytes: int) -> None:
        self.capture = capture
        self.election = Election(interval)
        self.hold = Hold(hold_bytes)
        self.accounting = Accounting()
        self._internal = frozenset((capture.tick_channel, capture.control_channel))
        self._connection = b""
        self._covered = False
        self._begins = False
        self._confirmed = 0
        self._newest = self._newest_echo = 0
        self._changes: deque[Tick] = deque()

    @property
    def newest(self) -> int:
        """The number of the last tick that was heard, or published before this connection."""
        return self._newest

    @property
    def is_whole(self) -> bool:
        """Whether what is held has no hole since the last tick that was confirmed."""
        return self.election.last is not None and self._holds_all()

    def joined(
        self, connection: bytes, newest: int, policies: Mapping[bytes, Policy], now: float, echoes: int
    ) -> tuple[Action, ...]:
        """There is a new data connection, on which no channel is subscribed yet.

        It comes after the tick of the number `newest`, where these policies are in force, and after the
        notice of an echo that has the number `echoes`.
        """
        self._connection = connection
        self._confirmed = 0
        self._newest, self._newest_echo = newest, echoes
        self._changes.clear()
        self.hold.restart()
        self.capture.begin(connection)
        self.capture.locate(newest, policies, echoes)
        return self.election.joined(now, newest)

    def hear(self, pushes: Sequence[Push], size: int, now: float, now_ms: int, *, covered: bool) -> Step:
        """One read brought these replies, `size` bytes. `covered`: this connection hears every channel."""
        self._covered = covered
        if self.election.state is State.LEADING:
            step = Step(self.capture.hear(pushes, now_ms, shared=self._begins))
            for event in step.heard.events:
                if isinstance(event, Ticked):
                    self._tick(event.tick, now, step)
                else:
                    self._is_news(event)
            return step
        return self._hear_in_parts(pushes, size, now, now_ms)

    def lead(self, epoch: int, *, whole: bool) -> Heard:
        """A term begins: from here on this listener relays, what it held first.

        `whole`: what was held had no hole.
        """
        # Until the first own tick: a leader that is only frozen has heard the same in a tick that it knows.
        self._begins = True
        heard = self.take_back()
        # What was subscribed since the leader before has confirmed was not heard from there on.
        late = [event.channel for event in heard.events if isinstance(event, Subscribed)]
        self.accounting.lead(epoch, whole=whole, late=late)
        return heard

    def resign(self) -> None:
        """Lead no more. What is held is not whole before the next tick."""
        self._lose_track()
        self.accounting.resign()

    def take_back(self) -> Heard:
        """What was held is to be relayed."""
        heard = Heard()
        self._changes.clear()  # They are among what was held.
        for at_ms, pushes in self.hold.take():
            if pushes:
                _extend(heard, self.capture.hear(pushes, at_ms, shared=True))
        # Of what was let go it knows nothing yet.
        self.capture.echoes.pass_over(self._newest_echo)
        return heard

    # --- inside ----------------------------------------------------------------------

    def _hear_in_parts(self, pushes: Sequence[Push], size: int, now: float, now_ms: int) -> Step:
        """Tick by tick, since each may decide what becomes of what follows it."""
        step = Step()
        begin = 0
        internal = self._internal
        # A comprehension, since this is all that a standby does for each message.
        special = [i for i, push in enumerate(pushes) if push[1] in internal or push[0] != b"message"]
        for index in special:
            self._pass_on(pushes[begin:index], now_ms, step)
            begin = index + 1
            self._pass_on_one(pushes[index], now, now_ms, step)
        self._pass_on(pushes[begin:], now_ms, step)
        if not self.election.relays:
            self._hold((), size, now_ms, step)
        return step

    def _pass_on(self, pushes: Sequence[Push], now_ms: int, step: Step) -> None:
        if not pushes:
            return
        if self.election.relays:
            self._relay(pushes, now_ms, step)
        else:
            self._hold(pushes, 0, now_ms, step)

    def _hold(self, pushes: Sequence[Push], size: int, now_ms: int, step: Step) -> None:
        if not self.hold.add(now_ms, pushes, size):
            self.capture.echoes.interrupt()
            self._lose_track()
            step.overflow = True

    def _lose_track(self) -> None:
        """What is held begins in the middle of a tick."""
        if self.hold.size:
            self.capture.echoes.interrupt()
        self.hold.restart()
        self.capture.pass_over(self._newest, self._changes)
        self._changes.clear()
        self.capture.begin(self._connection)

    def _pass_on_one(self, push: Push, now: float, now_ms: int, step: Step) -> None:
        """One reply that is not a message of a channel."""
        event = self.capture.read(push)
        tick = event.tick if isinstance(event, Ticked) else None
        if tick is not None and tick.number <= self._newest:
            return  # Published again by somebody: what is relayed knows only up to what is held.
        if not self._is_news(event):
            push, event = (push[0], push[1], b""), None  # The same, but it keeps its place.
        relayed = self.election.relays
        if relayed:
            self._relay([push], now_ms, step)
        elif event is not None:
            step.heard.events.append(event)
        if tick is not None:
            self._tick(tick, now, step)
            if not self.election.relays:
                self._begin_bucket(tick, follow=not relayed)
        if not relayed or not self.election.relays:
            self._hold((push,), 0, now_ms, step)

    def _is_news(self, event: Event | None) -> bool:
        """Whether it is no notice of an echo that was heard before."""
        if isinstance(event, Controlled) and isinstance(event.notice, Echo):
            before, self._newest_echo = self._newest_echo, max(self._newest_echo, event.notice.number)
            return event.notice.number > before
        return True

    def _begin_bucket(self, tick: Tick, *, follow: bool) -> None:
        if self._covered:
            self.hold.begin(tick.number)
            self.hold.confirm(tick.confirmed)
        if tick.changes and follow:
            self._changes.append(tick)
        # Of what is let go the changes stay true.
        first = self.hold.first
        while self._changes and self._changes[0].number < first:
            dropped = self._changes.popleft()
            self.capture.pass_over(dropped.number, [dropped])

    def _relay(self, pushes: Sequence[Push], now_ms: int, step: Step) -> None:
        _extend(step.heard, self.capture.hear(pushes, now_ms, shared=self._begins))

    def _holds_all(self) -> bool:
        since = self.hold.whole_from
        return since is not None and since <= self._confirmed

    def _tick(self, tick: Tick, now: float, step: Step) -> None:
        led = self.election.state is State.LEADING
        self._newest = tick.number
        # Not before everything is subscribed: what comes in the middle of that has names of this one alone.
        self._begins = self._begins and not (self._covered and tick.epoch == self.election.epoch)
        # A new leader has not confirmed anything itself. What the one before has confirmed stays true.
        self._confirmed = max(self._confirmed, tick.confirmed)
        whole = self._holds_all()
        actions = self.election.heard(tick, now, covered=self._covered, whole=whole)
        # Each tick decides anew: the one after a leader's last may be its successor's first.
        step.actions = [earlier for earlier in step.actions if earlier is not Action.CLAIM]
        step.actions += actions
        if led and not self.election.relays:
            # The rest of this read went onto the stream as well. The hold is whole from the next tick on.
            self._lose_track()


def _extend(heard: Heard, more: Heard) -> None:
    heard.pieces += more.pieces
    heard.events += more.events
    heard.left_out += more.left_out
