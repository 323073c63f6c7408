"""What a listener is told to do by `relaycore.listening.protocol`, in order."""

from dataclasses import dataclass
from enum import Enum, auto

from relaycore.capturing.accounting import Missed
from relaycore.capturing.capture import Piece
from relaycore.capturing.notices import Look
from relaycore.capturing.policies import Changes
from relaycore.capturing.subscribing import Command
from relaycore.capturing.ticks import Tick, TickState


@dataclass(frozen=True, slots=True)
class Append:
    """These pieces are to stand on the stream, in order, behind those of earlier calls."""

    pieces: list[Piece]


@dataclass(frozen=True, slots=True)
class Mark:
    """This tick came behind everything that was to be appended so far."""

    tick: Tick


@dataclass(frozen=True, slots=True)
class Locate:
    """Ask Redis for its counter of ticks, the highest epoch, policies in force, last echo; tell `located`."""

    connection: bytes


class Ask(Enum):
    """What is asked or done without more to say.

    END_TERM: renew the lease no more, but do not release it: who has heard everything takes it
    CONNECT:  the connection for commands leads to the wrong server: make it anew
    """

    END_TERM = auto()
    CONNECT = auto()


@dataclass(frozen=True, slots=True)
class Count:
    """Ask Redis for its counter of ticks; tell `counted`. `after`: the last tick that was heard by then."""

    after: int


@dataclass(frozen=True, slots=True)
class Publish:
    """Publish a tick. `answered`: tell `published` or `not_published`.

    `writes`: so many writes of the lease PostgreSQL has acknowledged; to be kept beside the stream.
    """

    epoch: int
    state: TickState
    confirmed: Tick | None
    changes: Changes = ()
    answered: bool = True
    writes: int = 0


@dataclass(frozen=True, slots=True)
class Prove:
    """Write down beside the stream that this standby is whole up to the tick of this number.

    `digest`: of the channels that it hears.
    """

    number: int
    digest: int


@dataclass(frozen=True, slots=True)
class Claim:
    """Claim the lease if it is free, or of an epoch up to `beyond`; tell `won`, `refused` or `unclaimed`.

    The new epoch is to be above `above`, whatever the lease says: it may have gone back. Without `beyond`,
    when nobody knows that its holder is gone, a lease that has gone back below `above` is to be left alone.
    """

    beyond: int | None
    above: int = 0


@dataclass(frozen=True, slots=True)
class Drop:
    """End the data connection."""

    why: str


@dataclass(frozen=True, slots=True)
class Lead:
    """A term of this epoch begins."""

    epoch: int


@dataclass(frozen=True, slots=True)
class Settled:
    """It is known where the term has begun: what is heard may be written, and under which circumstances.

    rows:      of the channels that are heard
    since:     the last tick that the leader before has confirmed, if nothing was missed since; else None
    first:     these channels are heard from this tick on at the latest
    forgotten: PostgreSQL went back, and had acknowledged so many writes of the lease before: what it had on
               record up to `first` is not known; 0: it did not
    """

    rows: list[int]
    since: Tick | None
    first: Tick
    forgotten: int = 0


@dataclass(frozen=True, slots=True)
class Active:
    """The channels of these rows are heard from this tick on."""

    rows: list[int]
    since: Tick


@dataclass(frozen=True, slots=True)
class Silenced:
    """Redis refuses this channel. `since`: the last tick before which it may have been heard."""

    channel: bytes
    row: int
    text: str
    since: Tick | None


@dataclass(frozen=True, slots=True)
class Deafened:
    """Nobody may hear the partition from this tick on: that is to be on record."""

    since: Tick


@dataclass(frozen=True, slots=True)
class Unheard:
    """This listener hears no leader, or leads and does not hear: if nobody does, that is to be on record."""


@dataclass(frozen=True, slots=True)
class Covered:
    """Nothing is missing, before this term or in it: what is said to be open was heard up to this tick."""

    first: Tick


@dataclass(frozen=True, slots=True)
class Forgotten:
    """This term began with a hole, up to this tick, and Redis does not know any more from where on."""

    first: Tick


@dataclass(frozen=True, slots=True)
class TableChanged:
    """Somebody says that the table has changed."""

    notice: Look


@dataclass(frozen=True, slots=True)
class Overflow:
    """This standby held too much, and let all of it go."""


Effect = (
    Append | Mark | Locate | Ask | Count | Publish | Prove | Claim | Drop | Lead | Settled | Active | Silenced
    | Deafened | Unheard | Covered | Forgotten | Missed | TableChanged | Overflow | Command
)  # fmt: skip
