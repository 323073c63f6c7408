"""The main loop of a listener: hear, append or hold, tick, and follow the channel table."""

import contextlib
import gc
import logging
import random
import time
from collections.abc import Callable, Iterable, Iterator

from django.conf import settings

from channels_app.listening.appender import Appender
from channels_app.listening.backlog import Backlog
from channels_app.listening.coverage import Coverage
from channels_app.listening.leadership import Leadership
from channels_app.listening.outlet import Outlet, Reply
from channels_app.listening.polling import poll
from channels_app.listening.roster import Roster
from channels_app.listening.subscription import Subscription
from channels_app.listening.ticker import DEAF_SECONDS, Ticker
from leases_app import deployment
from leases_app.heartbeat import Heartbeat
from leases_app.leasing import Contender, prefers_elsewhere
from relaycore import legacy
from relaycore.capture import Capture, Controlled, Event, Heard, Subscribed, Ticked
from relaycore.election import Action, State
from relaycore.hearing import Hearing
from relayproject import fitness, keys, logs
from relayproject.connections import shared_redis
from relayproject.wire import READ_BYTES

log = logging.getLogger(__name__)

_PATIENCE_SECONDS = 0.003
_BUSY_MESSAGES = 16
"""A read that brought so many means load: resting before the next makes larger, cheaper entries."""

_FULL_READ_BYTES = 64 << 10
"""A read that brought so much was not thin: more is waiting, and resting would only let it grow."""

_STANDBY_REST_SECONDS = 0.08
"""A standby is in no hurry: fewer, larger reads are what makes it cheap. Less than a tick, so that the
silence of a leader is noticed in time."""

_SILENCE_SECONDS = 10.0
"""A command connection on which Redis does not answer for so long is given up."""

_DRAIN_SECONDS = 5.0
_DATA, _COMMANDS, _ROSTER = "data", "commands", "roster"


def listen(
    partition: int, stopping: Callable[[], bool], task_id: str = "", *, elsewhere: bool = False
) -> bool:
    """Listen to one partition until `stopping()`; False at once if it has listeners enough.

    `elsewhere`: leave it to another host, if there is one and this one has a listener of it.

    Raises:
        UnfitServer: Redis is set up so that it would lose what it was given.
        Disconnected: Redis does not answer, so nothing can be heard.
    """
    with logs.about(partition=partition, task_id=task_id):
        fitness.require_redis(shared_redis())
        if elsewhere and prefers_elsewhere(partition):
            return False
        return _listen(partition, stopping, Contender(task_id))


def _listen(partition: int, stopping: Callable[[], bool], contender: Contender) -> bool:
    seat = contender.take_seat(partition, settings.RELAY_LISTENERS_PER_PARTITION)
    if seat is None:
        return False
    log.info("partition %d: listening in seat %d", partition, seat.slot)
    with Heartbeat(seat) as presence, Roster(partition) as roster, _rare_collections():
        listener = Listener(partition, contender, roster, presence.give_up)
        try:
            listener.run(lambda: stopping() or presence.lost)
        finally:
            listener.close()
    log.info("partition %d: stopped, %d messages appended", partition, listener.appended)
    return True


@contextlib.contextmanager
def _rare_collections() -> Iterator[None]:
    """Replies come as lists, which Python counts, and never in circles, which it looks for.

    Looking less often saves a standby, which keeps them for a while, 19 % of what it does for a message.
    """
    before = gc.get_threshold()
    gc.set_threshold(50_000, 20, 50)
    try:
        yield
    finally:
        gc.set_threshold(*before)


class Listener:
    """One listener. `step` does whatever can be done now."""

    def __init__(
        self, partition: int, contender: Contender, roster: Roster, report_given_up: Callable[[int], None]
    ) -> None:
        self._partition = partition
        self._roster = roster
        tick = deployment.tick_channel(partition).encode()
        control = deployment.control_channel(partition).encode()
        interval = settings.RELAY_LISTENER_TICK_SECONDS
        memory = settings.RELAY_LISTENER_MEMORY_BYTES
        seal_key = deployment.seal_key(partition)
        capture = Capture(tick, control, seal_key, settings.RELAY_MESSAGE_MAX_BYTES)
        self._hearing = Hearing(capture, interval, memory)
        self._election = self._hearing.election
        self._subscription = Subscription(f"relay-listener-{partition}", (control, tick))
        self._coverage = Coverage(roster, self._subscription, capture)
        self._outlet = Outlet(f"relay-appender-{partition}")
        self._ticker = Ticker(self._outlet, partition, interval)
        self._backlog = Backlog(self._outlet, partition)
        self._appender = Appender(self._outlet, keys.stream(partition), memory, self._give_up, self._announce)
        self._leadership = Leadership(
            partition,
            contender,
            roster,
            self._coverage,
            self._hearing,
            self._appender,
            self._ticker,
            report_given_up,
        )
        self._is_connected = False
        self._rest = 0.0

    @property
    def appended(self) -> int:
        """Messages that stand on the stream."""
        return self._appender.appended

    def run(self, stopping: Callable[[], bool]) -> None:
        """Step until asked to stop; then hand over, or append what was heard."""
        self._leadership.stand()
        # Not all at the same time: each leaves a moment with one listener less.
        retires_at = time.monotonic() + settings.RELAY_LISTENER_LIFE_SECONDS * random.uniform(0.8, 1.2)
        while self._election.state is not State.ENDED:
            self.step(time.monotonic())
            # Only with somebody to hand over to, and never before: a leaver stays on its way out.
            retires = time.monotonic() > retires_at and self._leadership.can_hand_over
            if stopping() or retires or self._election.state in {State.LEAVING, State.LEFT}:
                now = time.monotonic()
                self._hear(now)
                self._do(self._leadership.leave(now), now)
        self._drain(time.monotonic() + _DRAIN_SECONDS)

    def step(self, now: float) -> None:
        """Wait until there is something to do, and do it."""
        if self._rest:
            time.sleep(self._rest)
        ready = self._wait(self._leadership.due_in(now, connected=self._is_connected))
        now = time.monotonic()
        read = self._hear(now) if _DATA in ready else 0
        self._exchange(now)
        if _ROSTER in ready:
            self._coverage.follow()
        caught_up = self._is_connected and read < READ_BYTES
        self._do(self._leadership.turn(now, caught_up=caught_up), now)
        self._watch(now)

    def close(self) -> None:
        """End both connections, and the leadership."""
        self._leadership.close()
        self._subscription.close()
        self._outlet.close()

    # --- hearing ---------------------------------------------------------------------

    def _wait(self, seconds: float) -> set[str]:
        wires = {_DATA: self._subscription.wire, _COMMANDS: self._outlet.wire}
        return poll(seconds, {_ROSTER: self._roster, **wires})

    def _hear(self, now: float) -> int:
        """Read once; how many bytes."""
        before = self._subscription.received_bytes
        pushes = self._subscription.receive()
        size = max(0, self._subscription.received_bytes - before)
        step = self._hearing.hear(pushes, size, now, time.time_ns() // 1_000_000)
        if size:
            self._ticker.sound()
        if step.overflow:
            log.error(
                "partition %d: the leader confirms nothing, and a standby holds no more than "
                "RELAY_LISTENER_MEMORY_BYTES. It protects again from the next tick on.",
                self._partition,
            )
        self._relay(step.heard, now)
        for action in step.actions:
            self._do(action, now)
        self._rest = self._rest_after(step.heard, size)
        return size

    def _rest_after(self, heard: Heard, size: int) -> float:
        if not self._leadership.is_held:
            return 0.0 if size >= READ_BYTES else _STANDBY_REST_SECONDS
        if size >= _FULL_READ_BYTES:
            return 0.0
        messages = sum(len(piece.documents) for piece in heard.pieces)
        return _PATIENCE_SECONDS if messages >= _BUSY_MESSAGES else 0.0

    def _relay(self, heard: Heard, now: float) -> None:
        if heard.pieces:
            self._ticker.stir()
        self._appender.add(heard.pieces, now)
        for event in heard.events:
            self._react(event, now)

    def _react(self, event: Event, now: float) -> None:
        match event:
            case Ticked(tick):
                self._ticker.hear(tick.number, now)
                self._coverage.ticked(leads=self._leadership.is_held)
                if self._election.confirms(tick):
                    self._appender.mark(tick)
                    self._leadership.heard(tick)
            case Subscribed(channel):
                self._ticker.stir()
                self._coverage.subscribed(channel)
            case Controlled(notice):
                self._roster.look(notice.name)
            case _:
                pass  # Unsubscribed: nothing depends on the moment.

    def _do(self, action: Action | None, now: float) -> None:
        match action:
            case Action.ASK:
                self._ticker.ask(self._on_counter)
            case Action.REJOIN:
                self._subscription.drop("Redis publishes ticks that do not arrive.")
            case Action.CLAIM:
                self._leadership.claim()
            case Action.STEP_DOWN:
                self._leadership.step_down()
            case Action.TAKE_BACK:
                self._relay(self._hearing.take_back(), now)

    def _on_counter(self, counter: int | None) -> None:
        now = time.monotonic()
        self._do(self._election.answered(counter, now), now)

    # --- the command connection ------------------------------------------------------

    def _exchange(self, now: float) -> None:
        self._outlet.turn(now, _SILENCE_SECONDS)
        self._appender.turn(now)

    def _give_up(self, messages: int) -> None:
        self._leadership.give_up(messages)

    def _announce(self, documents: Iterable[bytes]) -> None:
        """For consumers of the older kind, if there are any."""
        if self._ticker.legacy_consumers:
            for document in documents:
                self._outlet.call(("PUBLISH", keys.LEGACY_CHANNEL, legacy.as_json(document)), _ignore)

    # --- watching itself -------------------------------------------------------------

    def _watch(self, now: float) -> None:
        self._backlog.turn(now, self._subscription.client_id)
        leads = self._leadership.is_held
        if leads and self._ticker.is_deaf(now):
            self._subscription.drop("Redis publishes ticks that do not arrive.")
        if self._is_connected and self._subscription.wire is None:
            self._is_connected = False
            self._do(self._leadership.deaf(now), now)
        # Not before the table was read: what is whole has heard every channel.
        if self._roster.is_read and self._subscription.connect(now):
            self._is_connected = True
            self._hearing.joined(self._subscription.identity, now)
            self._ticker.sound()
            if not self._leadership.is_held:
                self._coverage.forget()
        if leads and self._coverage.hears and now - self._ticker.heard_at > 2 * DEAF_SECONDS:
            self._coverage.doubt()

    def _drain(self, deadline: float) -> None:
        while not self._appender.is_empty and time.monotonic() < deadline:
            self._wait(0.05)
            self._exchange(time.monotonic())
        abandoned = self._appender.abandon()
        if abandoned:
            log.error("partition %d: %d messages could not be appended", self._partition, abandoned)


def _ignore(reply: Reply) -> None:
    """Nobody waits for it."""
