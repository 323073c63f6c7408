"""What one connection hears, in order, turned into envelopes.

A `Capture` is fed the replies of a Pub/Sub connection just as the parser gives them:
lists such as `[b"message", channel, payload]`. It answers with the messages as
documents ready for the stream, and with everything else that it heard as events in
the same order. It knows which channels are wanted; what comes on another one is let
go, since nobody asked for it (the last messages after an UNSUBSCRIBE was sent).

Until the first tick after `begin`, the connection has joined in the middle of one:
no other listener agrees on what came before in it. Messages of that time get a name
that is this connection's alone.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from relaycore import identity
from relaycore.envelope import Encoder, timestamp
from relaycore.policy import Policy
from relaycore.ticks import Tick

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
    """A control message of this partition was heard."""

    payload: bytes


Event = Subscribed | Unsubscribed | Ticked | Controlled


@dataclass(slots=True)
class Piece:
    """What goes onto the stream as one entry.

    size:   bytes of all documents
    reason: why its only message cannot be stored; empty for messages that can
    mark:   the last tick heard before the end of this piece, 0 if there was none
    """

    documents: list[bytes] = field(default_factory=list)
    size: int = 0
    reason: str = ""
    mark: int = 0

    @property
    def is_full(self) -> bool:
        """Whether the next document belongs into another entry."""
        return bool(self.reason) or self.size >= _ENTRY_BYTES


@dataclass(slots=True)
class Heard:
    """What one read brought: pieces for the stream, in order, and everything else, in order."""

    pieces: list[Piece] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)


class _Channel:
    __slots__ = ("encode", "encoder", "key", "policy")

    def __init__(self, name: bytes, policy: Policy, key: identity.Key) -> None:
        self.policy = policy
        self.key = key
        self.encoder = Encoder(name)
        self.encode = self.encoder.encode


class Capture:
    """The channels that one listener wants, and the tick in which it hears.

    `tick_channel` and `control_channel` are the partition's internal ones;
    `max_bytes` is the largest payload that may be stored.
    """

    def __init__(self, tick_channel: bytes, control_channel: bytes, max_bytes: int) -> None:
        self._tick_channel = tick_channel
        self._control_channel = control_channel
        self._max_bytes = max_bytes
        self._channels: dict[bytes, _Channel] = {}
        self._earlier: dict[tuple[bytes, Policy], _Channel] = {}
        self._clock = identity.Clock(b"")

    def begin(self, connection: bytes) -> None:
        """A new connection, which has not heard a tick yet. `connection` names it uniquely."""
        self._roll(b"joined " + connection)

    def want(self, channel: bytes, policy: Policy) -> None:
        """Take the messages of `channel` from now on, or change its policy."""
        known = self._channels.get(channel)
        if known is not None and known.policy == policy:
            return
        self.let_go(channel)
        # What is wanted again within one tick goes on counting where it was: counting
        # from 1 again would take a new message for one that was heard before.
        self._channels[channel] = self._earlier.get((channel, policy)) or _Channel(
            channel, policy, identity.make_key(policy, channel, self._clock)
        )

    def let_go(self, channel: bytes) -> None:
        """Take the messages of `channel` no more."""
        gone = self._channels.pop(channel, None)
        if gone is not None:
            self._earlier[channel, gone.policy] = gone

    def hear(self, pushes: Iterable[Push], now_ms: int) -> Heard:
        """Turn the replies of one read into what they mean. `now_ms`: since 1970, UTC."""
        heard = Heard()
        piece = Piece()
        channels = self._channels
        received_at = timestamp(now_ms)
        # One message after another: this loop is the hot path of the listener.
        for kind, name, payload in pushes:
            channel = channels.get(name) if kind == b"message" else None
            if channel is None:
                event = self._event(kind, name, payload)
                if event is not None:
                    heard.events.append(event)
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

    def _refuse(self, channel: _Channel, payload: bytes, received_at: bytes) -> Piece:
        document = channel.encoder.encode_refused(channel.key(payload), payload, received_at)
        reason = f"{len(payload)} bytes, and at most {self._max_bytes} are stored (RELAY_MESSAGE_MAX_BYTES)"
        return Piece([document], len(document), reason)

    def _event(self, kind: bytes, name: bytes, payload: Any) -> Event | None:
        if kind == b"message" and name == self._tick_channel:
            tick = Tick.parse(payload)
            if tick is None:
                return None
            self._roll(tick.name)
            return Ticked(tick)
        if kind == b"message" and name == self._control_channel:
            return Controlled(payload)
        if kind == b"subscribe":
            return Subscribed(name)
        if kind == b"unsubscribe" and name is not None:
            return Unsubscribed(name)
        return None

    def _roll(self, tick: bytes) -> None:
        self._clock.tick = tick
        self._earlier.clear()
