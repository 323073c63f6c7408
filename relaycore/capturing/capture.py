"""What one connection hears, in order, turned into envelopes.

A `Capture` is fed the replies of a Pub/Sub connection just as the parser gives them:
lists such as `[b"message", channel, payload]`. It answers with the messages as
documents ready for the stream, and with everything else that it heard as events in
the same order. It knows which channels are wanted; what comes on another one is let
go, since nobody asked for it (the last messages after an UNSUBSCRIBE was sent).

A message is named under the policy that is in force at its place: policies begin at ticks
(`relaycore.capturing.policies`). A tick that was published again by somebody else is none: their numbers only
grow. What a notice announces as echoes is let go (`relaycore.capturing`).

Under the policy `every` a key names the tick. What is heard in a tick that was not heard
from its beginning (the connection or the subscription is newer, or the channel is wanted
only now) gets a name that is this connection's alone. Whoever relays it must be the only
one: see `shared` of `hear`.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from relaycore import identity
from relaycore.capturing import notices
from relaycore.capturing.echoes import Echoes
from relaycore.capturing.notices import Echo, Notice
from relaycore.capturing.policies import Changes
from relaycore.capturing.ticks import Tick
from relaycore.envelope import Encoder, timestamp
from relaycore.policy import CONTENT, Policy

Push = Sequence[Any]
"""A reply of a Pub/Sub connection: its kind, and two more."""

_ENTRY_BYTES: Final = 1 << 20
"""An entry is closed at about this size: 1 MiB is past the point where larger ones cost less."""


@dataclass(frozen=True, slots=True)
class Subscribed:
    """Redis has confirmed a subscription: what is published from now on is heard."""

    channel: bytes


@dataclass(frozen=True, slots=True)
class Unsubscribed:
    """Redis has confirmed that a subscription ended."""

    channel: bytes


@dataclass(frozen=True, slots=True)
class Ticked:
    """A tick of this partition was heard."""

    tick: Tick


@dataclass(frozen=True, slots=True)
class Controlled:
    """A notice on the control channel of this partition was heard."""

    notice: Notice


@dataclass(frozen=True, slots=True)
class Refused:
    """Redis has refused a SUBSCRIBE, and says why."""

    text: str


Event = Subscribed | Unsubscribed | Ticked | Controlled | Refused

REFUSAL: Final = b"refusal"
"""The kind of a reply that stands for an error: `[REFUSAL, b"", text]`."""


@dataclass(slots=True)
class Piece:
    """What goes onto the stream as one entry.

    size:   bytes of all documents
    reason: why its only message cannot be stored; empty for messages that can
    mark:   the last tick heard before the end of this piece, None if there was none
    """

    documents: list[bytes] = field(default_factory=list)
    size: int = 0
    reason: str = ""
    mark: Tick | None = None

    @property
    def is_full(self) -> bool:
        """Whether the next document belongs into another entry."""
        return bool(self.reason) or self.size >= _ENTRY_BYTES


@dataclass(slots=True)
class Heard:
    """What one read brought: pieces for the stream, in order, and everything else, in order.

    left_out: messages that nobody else gives the same name, where that matters
    """

    pieces: list[Piece] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)
    left_out: int = 0


class _Channel:
    __slots__ = ("encode", "encoder", "key", "policy")

    def __init__(self, name: bytes, policy: Policy, key: identity.Key) -> None:
        self.policy = policy
        self.key = key
        self.encoder = Encoder(name)
        self.encode = self.encoder.encode

    def restart(self, name: bytes) -> None:
        """The channel joins in the middle of a tick."""
        if isinstance(self.key, identity.EveryKey):
            self.key.restart(name)

    @property
    def is_partial(self) -> bool:
        """Whether no other listener gives the next message the same key."""
        return isinstance(self.key, identity.EveryKey) and self.key.partial


class Capture:
    """The channels that one listener wants, and the tick in which it hears.

    `tick_channel` and `control_channel` are the partition's internal ones;
    `seal_key` is the key of genuine ticks and notices, `max_bytes` the largest payload that may be stored.
    """

    def __init__(self, tick_channel: bytes, control_channel: bytes, seal_key: bytes, max_bytes: int) -> None:
        self.tick_channel = tick_channel
        self.control_channel = control_channel
        self._seal_key = seal_key
        self._max_bytes = max_bytes
        self._channels: dict[bytes, _Channel] = {}
        self._policies: dict[bytes, Policy] = {}
        self._clock = identity.Clock(b"")
        self.echoes = Echoes()
        self._newest = 0
        self._connection = b""
        self._joined = 0

    def begin(self, connection: bytes) -> None:
        """What comes next was not heard from the beginning of its tick. `connection` names it uniquely."""
        self._connection = connection
        self._clock.tick = self._name()
        self._clock.whole = False

    def locate(self, newest: int, policies: Mapping[bytes, Policy], echoes: int) -> None:
        """What comes next comes after the tick of this number, where these policies are in force.

        And after the notice of an echo that has the number `echoes`.
        """
        self._newest = newest
        self.echoes.locate(echoes)
        self._policies = dict(policies)
        for channel in self._channels:
            self._channels[channel] = self._make(channel)

    def pass_over(self, newest: int, ticks: Iterable[Tick]) -> None:
        """What comes next comes after the tick of this number. `ticks`: what has changed policies before."""
        self._newest = max(self._newest, newest)
        for tick in ticks:
            self._change(tick.changes)

    def want(self, channel: bytes) -> None:
        """Take the messages of `channel` from now on, under the policy that is in force."""
        if channel not in self._channels:
            self._channels[channel] = self._make(channel)

    def let_go(self, channel: bytes) -> None:
        """Take the messages of `channel` no more."""
        self._channels.pop(channel, None)

    def hear(self, pushes: Iterable[Push], now_ms: int, *, shared: bool = False) -> Heard:
        """Turn the replies of one read into what they mean. `now_ms`: since 1970, UTC.

        `shared`: somebody else may have relayed the same. Then what has a name of this
        connection alone is left out and counted, as it might be stored twice.
        """
        heard = Heard()
        piece = Piece()
        channels = self._channels
        received_at = timestamp(now_ms)
        rest, is_over = self.echoes.skip(iter(pushes)), False
        while not is_over:
            is_over = True
            # One message after another: this loop is the hot path of the listener.
            for push in rest:
                kind, name, payload = push
                channel = channels.get(name) if kind == b"message" else None
                if channel is None:
                    self._take_note(push, heard)
                    if self.echoes.left:
                        rest, is_over = self.echoes.skip(rest), False
                        break
                elif shared and channel.is_partial:
                    heard.left_out += 1
                elif len(payload) <= self._max_bytes:
                    document = channel.encode(channel.key(payload), payload, received_at)
                    if piece.is_full:
                        heard.pieces.append(piece)
                        piece = Piece()
                    piece.documents.append(document)
                    piece.size += len(document)
                else:
                    if piece.documents:
                        heard.pieces.append(piece)
                    heard.pieces.append(self._refuse(channel, payload, received_at))
                    piece = Piece()
        if piece.documents:
            heard.pieces.append(piece)
        return heard

    def _take_note(self, push: Push, heard: Heard) -> None:
        event = self.read(push)
        if event is not None:
            self.follow(event)
            heard.events.append(event)

    def _refuse(self, channel: _Channel, payload: bytes, received_at: bytes) -> Piece:
        document = channel.encoder.encode_refused(channel.key(payload), payload, received_at)
        reason = f"{len(payload)} bytes, and at most {self._max_bytes} are stored (RELAY_MESSAGE_MAX_BYTES)"
        return Piece([document], len(document), reason)

    def read(self, push: Push, *, anew: bool = False) -> Event | None:
        """What a reply means that is not a message of a wanted channel. Changes nothing.

        `anew`: on a new connection, of which it is not known yet which ticks are news.
        """
        kind, name, payload = push
        if kind == b"message":
            return self._read_internal(name, payload, anew=anew)
        if kind == b"subscribe":
            return Subscribed(name)
        if kind == b"unsubscribe" and name is not None:
            return Unsubscribed(name)
        if kind == REFUSAL:
            return Refused(payload)
        return None

    def _read_internal(self, name: bytes, payload: bytes, *, anew: bool) -> Event | None:
        if name == self.tick_channel:
            tick = Tick.parse(payload, self._seal_key)
            is_news = tick is not None and (anew or tick.number > self._newest)
            return Ticked(tick) if tick is not None and is_news else None
        if name == self.control_channel:
            notice = notices.parse(payload, self._seal_key)
            return None if notice is None else Controlled(notice)
        return None

    def follow(self, event: Event) -> None:
        """What comes next comes after this."""
        if isinstance(event, Ticked):
            self._newest = event.tick.number
            self._clock.tick = event.tick.name
            self._clock.whole = True
            if event.tick.changes:
                self._change(event.tick.changes)
        elif isinstance(event, Controlled) and isinstance(event.notice, Echo):
            self.echoes.announce(event.notice)
        elif isinstance(event, Subscribed) and event.channel in self._channels:
            self._channels[event.channel].restart(self._name())

    def _change(self, changes: Changes) -> None:
        for channel, policy in changes:
            self._policies[channel] = policy
            known = self._channels.get(channel)
            if known is not None and known.policy != policy:
                self._channels[channel] = self._make(channel, whole=True)

    def _make(self, channel: bytes, *, whole: bool = False) -> _Channel:
        """`whole`: it is heard from the beginning of this tick."""
        policy = self._policies.get(channel, CONTENT)
        made = _Channel(channel, policy, identity.make_key(policy, channel, self._clock))
        if not whole:
            made.restart(self._name())
        return made

    def _name(self) -> bytes:
        """A name that nobody else gives, and this connection only once."""
        self._joined += 1
        return b"joined %s %d" % (self._connection, self._joined)
