"""What a listener is told beside what it hears: how things stand, and what Redis answers to a tick."""

from collections.abc import Mapping
from dataclasses import dataclass

from relaycore.capturing.ticks import Tick
from relaycore.listening.standbys import Proof


@dataclass(frozen=True, slots=True)
class Outside:
    """How things stand outside.

    is_open:   commands can be given
    why_shut:  why not; empty if they can
    stands:    everything heard before this tick is on the stream, or was given up
    waiting:   messages that are not on the stream yet
    on_record: everything that was missed so far is on record for good
    writes:    so many writes of the lease PostgreSQL has acknowledged
    refusal:   what Redis said when it last refused to append; empty if it has taken it since
    """

    is_open: bool = False
    why_shut: str = ""
    stands: Tick | None = None
    waiting: int = 0
    on_record: bool = True
    refusal: str = ""
    writes: int = 0


@dataclass(frozen=True, slots=True)
class Published:
    """What Redis answers when it has published a tick.

    number:      of that tick
    subscribers: how many connections subscribe the channel of ticks
    proofs:      which standbys were whole, at which tick, with which channels
    policies:    how many stand beside the stream
    term:        the highest epoch that ever ticked
    writes:      so many writes of the lease PostgreSQL had acknowledged to whoever led until then
    before:      the last tick that was confirmed until then
    has_room:    Redis takes what is appended
    """

    number: int
    subscribers: int
    proofs: Mapping[bytes, Proof]
    before: Tick | None
    has_room: bool = True
    policies: int | None = None
    term: int = 0
    writes: int = 0
