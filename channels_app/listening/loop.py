"""The main loop of a listener: it does what `relaycore.listening.protocol` says, and says what came of it."""

import logging
import random
import time
import uuid
from collections.abc import Callable

from django.conf import settings

from channels_app.listening.line import Line
from channels_app.listening.polling import poll
from channels_app.listening.recording.record import Record
from channels_app.listening.recording.roster import Wanted
from channels_app.listening.recording.statuses import Began
from channels_app.listening.subscription import Subscription
from channels_app.listening.tenure import Tenure
from leases_app.leasing import Condition, Contender
from relaybase.redis.wire import READ_BYTES
from relaycore.capturing.capture import Capture
from relaycore.capturing.subscribing import Command
from relaycore.layout import Layout
from relaycore.listening import effects
from relaycore.listening.outside import Outside
from relaycore.listening.protocol import ListenerProtocol
from relaycore.listening.transitions import State
from relaycore.times import from_milliseconds

log = logging.getLogger(__name__)

_PATIENCE_SECONDS = 0.003
_BUSY_MESSAGES = 16
"""A read that brought so many means load: resting before the next makes larger, cheaper entries."""

_FULL_READ_BYTES = 64 << 10
"""A read that brought so much was not thin: more is waiting, and resting would only let it grow."""

_STANDBY_REST_SECONDS = 0.08
"""A standby is in no hurry: fewer, larger reads are what makes it cheap. Less than a tick, so that the
silence of a leader is noticed in time."""

_LONGEST_SECONDS = 0.1
_LONGEST_LEADING_SECONDS = 0.5
"""A leader watches nobody's silence, and what it waits for wakes it, but for the request to end."""

_DRAIN_SECONDS = 5.0
_DATA, _COMMANDS, _ROSTER = "data", "commands", "roster"


class Listener:
    """One listener. `step` does whatever can be done now. `term`: the highest epoch that ever ticked."""

    def __init__(
        self,
        partition: int,
        layout: Layout,
        contender: Contender,
        record: Record,
        capture: Capture,
        term: int,
    ) -> None:
        self._partition, self._term = partition, term
        self._record, self._roster = record, record.roster
        memory, interval = settings.RELAY_LISTENER_MEMORY_BYTES, settings.RELAY_LISTENER_TICK_SECONDS
        name = uuid.uuid4().hex.encode()
        self._protocol = ListenerProtocol(name, capture, interval, memory, term=term)
        self._subscription = Subscription(f"relay-listener-{partition}")
        self._line = Line(partition, layout, name, self._protocol, record.give_up)
        learn = self._line.ticker.numbers.learn
        self._tenure = Tenure(partition, contender, self._protocol, self.condition, learn)
        self._is_connected, self._rest = False, 0.0
        self._shown: tuple[int, str, bool | None] = (0, "", None)

    @property
    def appended(self) -> int:
        """Messages that stand on the stream."""
        return self._line.appender.appended

    def condition(self) -> Condition:
        """How this listener is. May be asked in any thread."""
        waiting, (begun, trouble, is_protected) = self._line.appender.waiting_messages, self._shown
        if begun != self._protocol.epoch:  # What the table says is of an earlier term.
            return Condition(None, waiting, trouble)
        heard_ago, known = self._protocol.heard_seconds_ago(time.monotonic()), self._protocol.known_until
        known_until = None if known is None else from_milliseconds(known.at)
        upto = self._line.ticker.numbers.upto  # After what is known: what this does not count, comes later.
        return Condition(heard_ago, waiting, trouble, known_until, is_protected, upto)

    def run(self, stopping: Callable[[], bool]) -> None:
        """Step until asked to stop; then hand over, or append what was heard."""
        # At once: in a partition that nobody leads there is no silence to wait for.
        self._tenure.claim(None, self._term)
        # Not all at the same time: each leaves a moment with one listener less.
        retires_at = time.monotonic() + settings.RELAY_LISTENER_LIFE_SECONDS * random.uniform(0.8, 1.2)
        while self._protocol.state is not State.ENDED:
            self.step(time.monotonic())
            now = time.monotonic()
            if stopping():
                self._hear(now)
                self._protocol.stop(now)
                self._obey(now)
            elif now > retires_at:
                self._protocol.retire(now)
                self._obey(now)
        now = time.monotonic()
        # Asked now: it ticks no more, so what it knows of standbys is soon too old to be a proof.
        self._drain(now + _DRAIN_SECONDS, held=self._protocol.has_proof(now))

    def step(self, now: float) -> None:
        """Wait until there is something to do, and do it."""
        if self._rest:
            time.sleep(self._rest)
        ready = self._wait(self._due_in(now))
        now = time.monotonic()
        read = self._hear(now) if _DATA in ready else 0
        self._line.turn(now)
        if _ROSTER in ready:
            self._follow()
        self._tenure.turn(now)
        self._protocol.turn(now, self._outside(), caught_up=self._is_connected and read < READ_BYTES)
        self._obey(now)
        self._connect(now)
        self._watch(now)

    def close(self) -> None:
        """End both connections, and the leadership."""
        self._record.close()
        self._tenure.close()
        self._subscription.close()
        self._line.outlet.close()

    # --- what goes in ----------------------------------------------------------------

    def _due_in(self, now: float) -> float:
        if not self._protocol.leads:
            return _LONGEST_SECONDS
        is_calm = self._is_connected and self._line.appender.is_empty
        return min(self._protocol.due_in(now), _LONGEST_LEADING_SECONDS if is_calm else _LONGEST_SECONDS)

    def _wait(self, seconds: float) -> set[str]:
        wires = {_DATA: self._subscription.wire, _COMMANDS: self._line.outlet.wire}
        return poll(seconds, {_ROSTER: self._roster, **wires})

    def _hear(self, now: float) -> int:
        """Read once; how many bytes."""
        before = self._subscription.received_bytes
        pushes = self._subscription.receive()
        size = max(0, self._subscription.received_bytes - before)
        if self._subscription.server:
            self._protocol.data_leads_to(self._subscription.server)
        self._protocol.hear(pushes, size, now, time.time_ns() // 1_000_000)
        self._rest = self._rest_after(self._obey(now), size)
        return size

    def _rest_after(self, messages: int, size: int) -> float:
        if not self._protocol.leads:
            return 0.0 if size >= READ_BYTES or not self._protocol.is_covered else _STANDBY_REST_SECONDS
        if size >= _FULL_READ_BYTES:
            return 0.0
        return _PATIENCE_SECONDS if messages >= _BUSY_MESSAGES else 0.0

    def _follow(self) -> None:
        """Take over what has changed in the table."""
        for change in self._roster.take():
            if isinstance(change, Wanted):
                self._protocol.want(change.channel, change.policy, change.row)
            else:
                self._protocol.unwant(change.channel)

    def _outside(self) -> Outside:
        return Outside(
            is_open=self._line.outlet.is_open,
            why_shut=self._line.outlet.why_shut,
            stands=self._line.appender.confirmed,
            waiting=self._line.appender.waiting_messages,
            on_record=self._record.is_complete,
            refusal=self._line.appender.refused,
            writes=self._tenure.acknowledged,
        )

    def _connect(self, now: float) -> None:
        if self._is_connected and self._subscription.wire is None:
            self._is_connected = False
            self._protocol.disconnected(now)
            self._obey(now)
        # Not before the table was read: what is whole has heard every channel.
        if self._roster.is_read and self._subscription.connect(now):
            self._is_connected = True
            self._protocol.connected(self._subscription.identity, now)
            self._obey(now)

    # --- what comes out --------------------------------------------------------------

    def _obey(self, now: float) -> int:
        """Do what is to be done; how many messages were to be appended."""
        messages = 0
        while todo := self._protocol.take():
            for effect in todo:
                if isinstance(effect, effects.Append):
                    self._line.appender.add(effect.pieces, now)
                    messages += sum(len(piece.documents) for piece in effect.pieces)
                else:
                    self._do(effect)
        return messages

    def _do(self, effect: effects.Effect) -> None:
        match effect:
            case effects.Mark(tick):
                self._line.appender.mark(tick)
                self._record.heard(tick)
            case effects.Publish() | effects.Prove() | effects.Locate() | effects.Count():
                self._line.ticker.do(effect)
            case Command():
                self._subscription.obey(effect)
            case effects.Drop(why):
                self._subscription.drop(why)
            case effects.Ask.CONNECT:
                self._line.outlet.drop("it leads to a server that takes no writes.")
            case effects.TableChanged(notice):
                self._roster.look(notice.name)
            case effects.Overflow():
                self._warn_of_overflow()
            case _:
                self._do_as_leader(effect)

    def _do_as_leader(self, effect: effects.Effect) -> None:
        match effect:
            case effects.Claim(beyond, above):
                self._tenure.claim(beyond, above)
            case effects.Lead(epoch):
                log.info("partition %d: leads, epoch %d", self._partition, epoch)
                self._line.appender.epoch = epoch
                self._record.follow(self._tenure.heartbeat)
            case effects.Settled(rows, since, first, forgotten):
                if (term := self._tenure.term) is not None:
                    self._record.follow(self._tenure.heartbeat)
                    before = None if since is None else since.at
                    self._roster.lead(term, Began(tuple(rows), before, first.at), forgotten)
            case effects.Ask.END_TERM:
                log.info("partition %d: leads no more", self._partition)
                self._tenure.end()
                self._record.close()
                self._record.follow(None)
                self._roster.follow()
            case effects.Active(rows, since):
                self._roster.hear(rows, since.at)
            case effects.Silenced(_, row, text, since):
                self._roster.refuse(row, text, None if since is None else since.at)
            case effects.Unheard():
                known = self._protocol.known_until
                self._roster.unheard(self._tenure.term, None if known is None else known.at)
            case _:
                self._record.note(effect)

    # --- watching itself -------------------------------------------------------------

    def _watch(self, now: float) -> None:
        self._line.watching.turn(now, self._subscription.client_id)
        # Here and not in `condition`: that is another thread's, and a proof takes several looks.
        is_protected = self._protocol.has_proof(now) if self._protocol.leads else None
        shown = self._roster.begun, self._protocol.trouble or self._line.watching.trouble, is_protected
        if shown != self._shown:
            if shown[1] not in {"", self._shown[1]}:
                log.error("partition %d: %s", self._partition, shown[1])
            self._shown = shown
            # Operators are to see it at once, and a new term to prove itself before the old proof is over.
            if (heartbeat := self._tenure.heartbeat) is not None:
                heartbeat.beat_soon()

    def _warn_of_overflow(self) -> None:
        log.error(
            "partition %d: the leader confirms nothing, and a standby holds no more than "
            "RELAY_LISTENER_MEMORY_BYTES. It protects again from the next tick on.",
            self._partition,
        )

    def _drain(self, deadline: float, *, held: bool) -> None:
        """Append what waits. `held`: a standby has proved that it has all of it as well."""
        while not self._line.appender.is_empty and time.monotonic() < deadline:
            self._wait(0.05)
            self._line.turn(time.monotonic())
        abandoned = self._line.appender.abandon(held=held)
        if abandoned and held:
            log.warning("partition %d: %d messages are left to the standby", self._partition, abandoned)
        elif abandoned:
            log.error("partition %d: %d messages could not be appended", self._partition, abandoned)
