"""The main loop: read, append, tick, and follow the channel table."""

import logging
import select
import time
from collections.abc import Callable, Iterable

from django.conf import settings

from channels_app.listening.appender import Appender
from channels_app.listening.outlet import Outlet, Reply
from channels_app.listening.roster import Roster, Wanted
from channels_app.listening.subscription import Subscription
from channels_app.listening.ticker import DEAF_SECONDS, Ticker
from leases_app.heartbeat import Heartbeat
from leases_app.leasing import Contender
from leases_app.models import Lease
from relaycore import legacy
from relaycore.capture import Capture, Controlled, Event, Subscribed, Ticked
from relayproject import fitness, keys
from relayproject.connections import shared_redis

log = logging.getLogger(__name__)

_PATIENCE_SECONDS = 0.003
_BUSY_MESSAGES = 16
"""A read that brought so many means load: resting before the next makes larger, cheaper entries."""

_FULL_READ_BYTES = 64 << 10
"""A read that brought so much was not thin: more is waiting, and resting would only let it grow."""

_SILENCE_SECONDS = 10.0
"""A command connection on which Redis does not answer for so long is given up."""

_DRAIN_SECONDS = 5.0
_DATA, _COMMANDS, _ROSTER = "data", "commands", "roster"


def listen(partition: int, stopping: Callable[[], bool], task_id: str = "") -> bool:
    """Lead one partition until `stopping()`; False at once if somebody else leads it.

    Raises:
        UnfitServer: Redis is set up so that it would lose what it was given.
        Disconnected: Redis does not answer, so nothing can be heard.
    """
    fitness.require_redis(shared_redis())
    term = Contender(task_id).claim(Lease.Role.LISTENER, partition)
    if term is None:
        return False
    log.info("partition %d: listening, epoch %d", partition, term.epoch)
    with Heartbeat(term) as heartbeat, Roster(term) as roster:
        listener = Listener(partition, term.epoch, roster, heartbeat.give_up)
        try:
            listener.run(lambda: stopping() or heartbeat.lost)
        finally:
            listener.close()
    log.info(
        "partition %d: stopped, epoch %d, %d messages appended", partition, term.epoch, listener.appended
    )
    return True


class Listener:
    """One listener in one term. `step` does whatever can be done now."""

    def __init__(self, partition: int, epoch: int, roster: Roster, give_up: Callable[[int], None]) -> None:
        self._epoch = epoch
        self._partition = partition
        self._roster = roster
        tick, control = keys.tick_channel(partition).encode(), keys.control_channel(partition).encode()
        self._capture = Capture(tick, control, settings.RELAY_MESSAGE_MAX_BYTES)
        self._subscription = Subscription(f"relay-listener-{partition}", (tick, control))
        self._outlet = Outlet(f"relay-appender-{partition}")
        self._ticker = Ticker(self._outlet, partition, epoch, settings.RELAY_LISTENER_TICK_SECONDS)
        self._appender = Appender(
            self._outlet,
            keys.stream(partition),
            epoch,
            settings.RELAY_LISTENER_MEMORY_BYTES,
            give_up,
            self._announce,
        )
        self._rows: dict[bytes, int] = {}
        self._confirmed: set[bytes] = set()
        self._heard: set[bytes] = set()
        self._superseded = False
        self._rest = False

    @property
    def appended(self) -> int:
        """Messages that stand on the stream."""
        return self._appender.appended

    def run(self, stopping: Callable[[], bool]) -> None:
        """Step until asked to stop or superseded, then append what was heard."""
        while not (stopping() or self._superseded):
            self.step(time.monotonic())
        self._drain(time.monotonic() + _DRAIN_SECONDS)

    def step(self, now: float) -> None:
        """Wait until there is something to do, at most until the next tick, and do it."""
        if self._rest:
            time.sleep(_PATIENCE_SECONDS)
        ready = self._wait(self._ticker.due_in(now))
        now = time.monotonic()
        if _DATA in ready:
            self._hear(now)
        self._exchange(now)
        if _ROSTER in ready:
            self._follow_roster()
        self._ticker.turn(now)
        self._watch(now)

    def close(self) -> None:
        """End both connections."""
        self._subscription.close()
        self._outlet.close()

    # --- hearing ---------------------------------------------------------------------

    def _wait(self, seconds: float) -> set[str]:
        poll = select.poll()
        names = {self._roster.fileno(): _ROSTER}
        if self._subscription.wire is not None:
            names[self._subscription.wire.fileno()] = _DATA
        if self._outlet.wire is not None:
            names[self._outlet.wire.fileno()] = _COMMANDS
        for number in names:
            poll.register(number, select.POLLIN)
        for wire in (self._subscription.wire, self._outlet.wire):
            if wire is not None and wire.wants_to_write:
                poll.modify(wire.fileno(), select.POLLIN | select.POLLOUT)
        return {names[number] for number, _ in poll.poll(seconds * 1000)}

    def _hear(self, now: float) -> None:
        heard = self._capture.hear(self._subscription.receive(), time.time_ns() // 1_000_000)
        self._ticker.sound()
        self._appender.add(heard.pieces, now)
        for event in heard.events:
            self._react(event, now)
        messages = sum(len(piece.documents) for piece in heard.pieces)
        size = sum(piece.size for piece in heard.pieces)
        self._rest = messages >= _BUSY_MESSAGES and size < _FULL_READ_BYTES

    def _react(self, event: Event, now: float) -> None:
        match event:
            case Ticked(tick):
                if tick.epoch > self._epoch:
                    log.warning("partition %d: epoch %d leads now", self._partition, tick.epoch)
                    self._superseded = True
                self._ticker.hear(tick, now)
                self._appender.mark(tick.number)
                self._report_heard()
            case Subscribed(channel):
                self._confirmed.add(channel)
            case Controlled(payload):
                self._roster.look([payload.decode(errors="replace")] if payload else ())
            case _:
                pass  # Unsubscribed: nothing depends on the moment.

    def _report_heard(self) -> None:
        """A tick was heard: what was confirmed before it is ACTIVE."""
        new = (self._confirmed - self._heard) & self._rows.keys()
        if new:
            self._heard |= new
            self._roster.report((self._rows[channel] for channel in new), heard=True)
        self._confirmed.clear()

    # --- the channel table -----------------------------------------------------------

    def _follow_roster(self) -> None:
        added: list[bytes] = []
        removed: list[bytes] = []
        for change in self._roster.take():
            if isinstance(change, Wanted):
                self._capture.want(change.channel, change.policy)
                if self._rows.get(change.channel) != change.row:
                    self._rows[change.channel] = change.row
                    self._heard.discard(change.channel)
                    added.append(change.channel)
            elif self._rows.pop(change.channel, None) is not None:
                if added:
                    self._flush_subscriptions(added, removed)
                self._capture.let_go(change.channel)
                self._heard.discard(change.channel)
                self._confirmed.discard(change.channel)
                removed.append(change.channel)
        self._flush_subscriptions(added, removed)

    def _flush_subscriptions(self, added: list[bytes], removed: list[bytes]) -> None:
        """Send both lists. What was removed came first: an addition ends the run of removals."""
        if removed:
            self._subscription.remove(removed)
            removed.clear()
        if added:
            self._subscription.add(added)
            added.clear()

    # --- the command connection ------------------------------------------------------

    def _exchange(self, now: float) -> None:
        self._outlet.turn(now, _SILENCE_SECONDS)
        self._appender.turn(now)
        self._ticker.confirmed = self._appender.confirmed

    def _announce(self, documents: Iterable[bytes]) -> None:
        """For consumers of the older kind, if there are any."""
        if self._ticker.legacy_consumers:
            for document in documents:
                self._outlet.call(("PUBLISH", keys.LEGACY_CHANNEL, legacy.as_json(document)), _ignore)

    # --- watching itself -------------------------------------------------------------

    def _watch(self, now: float) -> None:
        if self._ticker.is_deaf(now):
            self._subscription.drop("Redis publishes ticks that do not arrive.")
        if self._subscription.connect(now):
            self._capture.begin(self._subscription.identity)
            self._ticker.sound()
        if self._heard and now - self._ticker.heard_at > 2 * DEAF_SECONDS:
            self._roster.report((self._rows[channel] for channel in self._heard), heard=False)
            self._heard.clear()

    def _drain(self, deadline: float) -> None:
        self._hear(time.monotonic())
        while not self._appender.is_empty and time.monotonic() < deadline:
            self._wait(0.05)
            self._exchange(time.monotonic())
        abandoned = self._appender.abandon()
        if abandoned:
            log.error("partition %d: %d messages could not be appended", self._partition, abandoned)


def _ignore(reply: Reply) -> None:
    """Nobody waits for it."""
