"""What one data connection subscribes, and which channels it is proved to hear.

Two listeners that hear the same channels have the same `digest`: so a leader can tell from a
standby's proof whether it hears what this one hears.

Order on a new connection: the internal channels first, each by itself. Then it is found out where the
order of ticks stands (`located` of `relaycore.listening.protocol`). Then the channels, some hundred in one
command. Once Redis has answered for each of them the connection is *covered*: what hears a tick from
then on hears everything, but for what Redis refuses.

Redis answers in order. A refused SUBSCRIBE is refused as a whole, and names no channel: it is sent
again in halves, until the refusal concerns one name. That one is kept, with what Redis says, and asked
for again every `RETRY_SECONDS`. What is not wanted any more by then is left out.

A channel is *heard* once Redis has confirmed its subscription, its policy is the one that is in force,
and a tick came after both. Only the answer to what was asked of it last confirms: one to what was asked
before says nothing of the life that it is in, and an UNSUBSCRIBE may still come after it.
"""

from collections import Counter, deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Final

from relaycore.capturing.policies import Policies
from relaycore.policy import Policy

_CHANNELS_AT_ONCE: Final = 500

RETRY_SECONDS: Final = 3.0
_RETRY_INTERNAL_SECONDS: Final = 0.5


@dataclass(frozen=True, slots=True)
class Command:
    """SUBSCRIBE, or UNSUBSCRIBE, these channels."""

    subscribes: bool
    channels: tuple[bytes, ...]


class Subscriptions:
    """The channels that one listener wants, on the connection that it has.

    `internal`: what it needs for itself. `policies`: which are wanted, and which are in force.

    is_located: the channels may be subscribed
    is_covered: Redis has answered for every channel that was wanted when the connection began
    refused:    channel → what Redis said
    """

    def __init__(self, internal: Sequence[bytes], policies: Policies) -> None:
        self._internal = tuple(internal)
        self.policies = policies
        self._rows: dict[bytes, int] = {}
        self._is_connected = False
        self.is_located = False
        self.is_covered = False
        self.refused: dict[bytes, str] = {}
        self._out: list[tuple[bool, list[bytes]]] = []
        self._asked: deque[tuple[bool, deque[bytes]]] = deque()
        self._unanswered: Counter[bytes] = Counter()
        self._subscribed: set[bytes] = set()
        self._missing: set[bytes] = set()
        self._digest = 0
        self._confirmed: set[bytes] = set()
        self._heard: set[bytes] = set()
        self._retries_at = 0.0

    @property
    def is_empty(self) -> bool:
        """Whether no channel is wanted."""
        return not self._rows

    @property
    def is_attached(self) -> bool:
        """Whether the internal channels are subscribed."""
        return self._subscribed.issuperset(self._internal)

    @property
    def is_complete(self) -> bool:
        """Whether every channel of the table is subscribed, or refused."""
        return self.is_covered and not self._missing

    @property
    def digest(self) -> int:
        """The same for all who have subscribed the same channels."""
        return self._digest

    @property
    def heard_rows(self) -> list[int]:
        """The rows of the channels that are heard."""
        return [self._rows[channel] for channel in self._heard]

    @property
    def refused_internal(self) -> str:
        """What Redis said of a channel that the listener itself needs; empty if it has refused none."""
        return next((self.refused[channel] for channel in self._internal if channel in self.refused), "")

    def row(self, channel: bytes) -> int | None:
        """The row that wants this channel."""
        return self._rows.get(channel)

    # --- the table -----------------------------------------------------------------------

    def want(self, channel: bytes, policy: Policy, row: int) -> bool:
        """The table has it; whether it is another life of it than before."""
        self.policies.want(channel, policy)
        is_new = self._rows.get(channel) != row
        if is_new:
            self._rows[channel] = row
            self._heard.discard(channel)
            self._confirmed.discard(channel)
            self.refused.pop(channel, None)
            if channel in self._subscribed:
                # It is heard, under whatever policy: only the answer is needed, for this life of it.
                self._send(True, [channel])
            else:
                self._missing.add(channel)
                self._subscribe([channel])
        return is_new

    def unwant(self, channel: bytes) -> bool:
        """The table has it no more; whether it had it."""
        self.policies.forget(channel)
        if self._rows.pop(channel, None) is None:
            return False
        self._heard.discard(channel)
        self._confirmed.discard(channel)
        self._missing.discard(channel)
        self.refused.pop(channel, None)
        self._count(channel, subscribed=False)
        if self.is_located:
            self._send(False, [channel])
        return True

    # --- the connection ------------------------------------------------------------------

    def connected(self, now: float, *, keeps: bool) -> None:
        """A new connection, which has no subscription yet. `keeps`: what was heard is not given up."""
        self.disconnected()
        self._is_connected = True
        self.refused.clear()
        self._retries_at = now + _RETRY_INTERNAL_SECONDS
        if not keeps:
            self._heard.clear()
        for channel in self._internal:
            self._ask([channel])

    def disconnected(self) -> None:
        """There is none."""
        self._is_connected = self.is_located = self.is_covered = False
        self._out.clear()
        self._asked.clear()
        self._unanswered.clear()
        self._subscribed.clear()
        self._missing = set(self._rows)
        self._digest = 0
        self._confirmed.clear()

    def located(self) -> None:
        """The channels may be subscribed now."""
        self.is_located = True
        self._subscribe(self._rows)
        self._look_whether_covered()

    def take(self) -> list[Command]:
        """What is to be sent, in order."""
        if not self._out:
            return []
        commands = []
        for subscribes, channels in self._out:
            for at in range(0, len(channels), _CHANNELS_AT_ONCE):
                part = channels[at : at + _CHANNELS_AT_ONCE]
                self._asked.append((subscribes, deque(part)))
                commands.append(Command(subscribes, tuple(part)))
        self._out.clear()
        return commands

    def answered(self, channel: bytes, *, subscribed: bool) -> None:
        """Redis has confirmed that a subscription began, or ended."""
        if self._asked and self._asked[0][0] is subscribed and self._asked[0][1][0] == channel:
            self._next_answered()
        self._count(channel, subscribed=subscribed)
        if subscribed and channel not in self._unanswered:
            self._missing.discard(channel)
            self._confirmed.add(channel)
            self.refused.pop(channel, None)
        elif not subscribed:
            self._confirmed.discard(channel)
            if channel in self._rows:
                self._missing.add(channel)
        self._look_whether_covered()

    def refuse(self, text: str) -> bytes | None:
        """Redis refuses what it has not answered yet; the channel, if it is the only one and that is news."""
        if not self._asked:
            return None
        subscribes, channels = self._asked.popleft()
        for channel in channels:
            self._answer(channel)
        found = None
        wanted = [channel for channel in channels if channel in self._rows or channel in self._internal]
        if subscribes and len(channels) > 1:
            half = len(wanted) // 2
            for part in filter(None, (wanted[:half], wanted[half:])):
                self._ask(part)
        elif subscribes and wanted and wanted[0] not in self._unanswered:
            found = wanted[0] if self.refused.get(wanted[0]) != text else None
            self.refused[wanted[0]] = text
            self._missing.discard(wanted[0])
            self._heard.discard(wanted[0])
        self._look_whether_covered()
        return found

    # --- what comes later ----------------------------------------------------------------

    def announced(self, channels: Iterable[bytes]) -> None:
        """Other policies hold for these."""
        self._subscribe([channel for channel in channels if channel not in self._subscribed])

    def ticked(self) -> list[int]:
        """A tick was heard: the rows of channels that are heard from here on."""
        if not self.is_covered or not self._confirmed:
            return []
        ready = {
            channel
            for channel in self._confirmed
            if channel in self._rows and not self.policies.is_pending(channel)
        }
        self._confirmed = {channel for channel in self._confirmed - ready if channel in self._rows}
        new = ready - self._heard
        self._heard |= new
        return [self._rows[channel] for channel in new]

    def turn(self, now: float) -> None:
        """Ask for what is missing, and again for what was refused if it is time."""
        if self._missing and not (self._asked or self._out):
            # The table may have come to agree with what is in force without anybody announcing it.
            self._subscribe(self._missing)
        if not self.is_covered:
            self._look_whether_covered()
        if not self.refused or not self._is_connected or now < self._retries_at or self._asked or self._out:
            return
        internal = [channel for channel in self._internal if channel in self.refused]
        self._retries_at = now + (_RETRY_INTERNAL_SECONDS if internal else RETRY_SECONDS)
        # Each by itself: most will be refused again.
        for channel in internal or self.refused:
            self._ask([channel])

    # --- inside --------------------------------------------------------------------------

    def _count(self, channel: bytes, *, subscribed: bool) -> None:
        if (channel in self._subscribed) is not subscribed and channel not in self._internal:
            self._digest ^= _digest(channel)
        (self._subscribed.add if subscribed else self._subscribed.discard)(channel)

    def _subscribe(self, channels: Iterable[bytes]) -> None:
        if not self.is_located:
            return
        wanted = [c for c in channels if c in self._rows and not self.policies.waits(c)]
        if wanted:
            self._send(True, wanted)

    def _send(self, subscribes: bool, channels: list[bytes]) -> None:
        if self._out and self._out[-1][0] is subscribes:
            self._out[-1][1].extend(channels)
        else:
            self._out.append((subscribes, channels))
        self._unanswered.update(channels)

    def _ask(self, channels: list[bytes]) -> None:
        """In a command of its own: it may be refused, and names no channel then."""
        self._out.append((True, channels))
        self._unanswered.update(channels)

    def _next_answered(self) -> None:
        channels = self._asked[0][1]
        self._answer(channels.popleft())
        if not channels:
            self._asked.popleft()

    def _answer(self, channel: bytes) -> None:
        self._unanswered[channel] -= 1
        if not self._unanswered[channel]:
            del self._unanswered[channel]

    def _look_whether_covered(self) -> None:
        if self.is_covered or not self.is_located or self._out or self._asked:
            return
        self.is_covered = not self._missing


def _digest(channel: bytes) -> int:
    return int.from_bytes(blake2b(channel, digest_size=6).digest())
