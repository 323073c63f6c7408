"""What goes between a window and whoever drives it: what is to be tried, what came of it, what to write."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import Enum, auto
from typing import Any, Final

from relaycore.delivering.cursor import Cursor
from relaycore.delivering.holding import Held, Missed
from relaycore.delivering.leasing import Delivery
from relaycore.delivering.leasing import State as RowState
from relaycore.delivering.skipping import Noted, Skip
from relaycore.sending.batches.ids import id_of

EXPIRED: Final = "expired"
AGED: Final = "age"
"""Causes, as they stand on record: its message is gone; it is older than the subscription wants."""


class State(Enum):
    """Of a message in a window."""

    UNREAD = auto()  # Of a row that is due: its message is not here yet.
    QUEUED = auto()
    OUT = auto()
    DONE = auto()
    FAILED = auto()
    HELD = auto()  # The cursor is about to pass it, and it waits behind another one of its key.
    LOST = auto()  # Of a row: its message is gone.
    AGED = auto()


_QUEUED, _OUT, _DONE, _FAILED = State.QUEUED, State.OUT, State.DONE, State.FAILED


@dataclass(frozen=True, slots=True)
class Done:
    """The endpoint has it."""


@dataclass(frozen=True, slots=True)
class Failed:
    """The endpoint does not have it.

    due_at: when it is tried again, PostgreSQL's ms since 1970; None: never, it is dead
    why:    one short sentence
    is_apart: what it went together with may be why: it is tried by itself from then on
    """

    due_at: int | None
    why: str
    is_apart: bool = False


@dataclass(frozen=True, slots=True)
class Withheld:
    """It was not tried after all."""


Outcome = Done | Failed | Withheld

DONE: Final = Done()
WITHHELD: Final = Withheld()


class Item:
    """One message. Whoever drives the window is given it, and gives the same one back.

    document: the message as it is stored; None once it is settled, and while it is unread
    row:      it has one, and it was so when it was taken; None: it has none yet
    parked:   the row that it gets while it is out
    becomes:  failed: its row from then on
    key:      in an order by a field; empty: there is none
    batch:    with which others it is out, or was; empty: it is sent alone (`batches`)
    is_let_go: what comes of it matters no more. Whoever waits before an attempt looks here first
    """

    __slots__ = (
        *("batch", "becomes", "document", "id", "is_let_go", "key", "parked", "position", "row", "state"),
    )

    def __init__(
        self, position: str, id: bytes, document: Any, row: Delivery | None = None, key: str = ""
    ) -> None:
        self.position = position
        self.id = id
        self.document = document
        self.row = row
        self.key = key if row is None else row.key
        self.state = _QUEUED if row is None else State.UNREAD
        self.parked: Delivery | None = None
        self.becomes: Delivery | None = None
        self.is_let_go = False
        self.batch = ""

    @property
    def is_row(self) -> bool:
        """Whether it was tried before, and the cursor has passed it."""
        return self.row is not None

    @property
    def attempt(self) -> int:
        """The number of the attempt that is under way, or comes next; from 1."""
        return 1 if self.row is None else self.row.attempt + 1

    @property
    def tries(self) -> int:
        """The same, by which the schedule goes: it begins anew when a dead letter is redriven."""
        return 1 if self.row is None else self.attempt - self.row.before

    @property
    def is_taken(self) -> bool:
        """Whether it is out, or was: a repetition, should nobody hear what came of it."""
        # Enums are hashed in Python, and looked up through a descriptor: this is asked for each message.
        state = self.state
        return state is _DONE or state is _OUT or state is _FAILED

    @property
    def size(self) -> int:
        """Bytes of the message, about, as long as it is here."""
        return 0 if self.document is None else len(self.document["message"])

    def settle(self, outcome: Done | Failed) -> None:
        """What came of the attempt that was under way."""
        if isinstance(outcome, Done):
            self.state = _DONE
        else:
            self.state = _FAILED
            row = self.row or Delivery(self.position, self.id, key=self.key)
            is_dead = outcome.due_at is None
            self.becomes = replace(
                row,
                state=RowState.DEAD if is_dead else RowState.WAITING,
                attempt=self.attempt,
                due_at=outcome.due_at or 0,
                why=outcome.why,
                batch="" if is_dead else self._alone if outcome.is_apart else self.batch,
            )
        self.document = None

    @property
    def _alone(self) -> str:
        """The batch that it is by itself; where each goes by itself anyway, none."""
        return self.batch and id_of([self.id])

    @property
    def may_get_a_row(self) -> bool:
        """Whether it has none, and may need one that is on its way."""
        if self.row is not None:
            return False
        return self.state is _OUT or (self.state is _FAILED and not self.is_dead)

    @property
    def is_dead(self) -> bool:
        """Whether it was the last attempt."""
        return self.becomes is not None and self.becomes.state is RowState.DEAD


@dataclass(frozen=True, slots=True)
class Lost:
    """A row that goes though it is not done, and why: on record, if it was there to go."""

    row: Delivery
    cause: str


@dataclass(frozen=True, slots=True)
class Aged:
    """New messages that were too old to be tried: above `after`, up to `upto`, so many."""

    after: str
    upto: str
    messages: int


@dataclass(frozen=True, slots=True)
class Progress:
    """What is to be written in one step, and only if the subscription stands as it was seen.

    seen, revision: position, generation and revision that it must have
    cursor:  where it stands then
    noted:   what is known then of what retention has deleted; None: nothing new
    missed:  what goes on record with that
    new:     rows of messages that had none, waiting or dead
    changed: rows that are so from then on, each only if it has one attempt less, and is not dead
    done:    rows that go, each only if it has this attempt, and is not dead
    lost:    the same, on record
    aged:    on record
    held, free: what waits behind another message of its key from then on, and keys of which nothing does
    waited:  on record: what retention may have deleted while it waited
    risen:   positions of what is done now, and may have been dead before a seek back: dead letters that stand
             there go
    """

    seen: Cursor
    revision: int
    cursor: Cursor
    noted: Noted | None = None
    missed: Sequence[Skip] = ()
    new: Sequence[Delivery] = ()
    changed: Sequence[Delivery] = ()
    done: Sequence[Delivery] = ()
    lost: Sequence[Lost] = ()
    aged: Sequence[Aged] = ()
    risen: Sequence[str] = ()
    held: Sequence[Held] = ()
    free: Sequence[str] = ()
    waited: Sequence[Missed] = ()

    @property
    def touches_rows(self) -> bool:
        """Whether fewer or others are on their way then than PostgreSQL has said."""
        return bool(self.new or self.changed or self.done or self.lost or self.held or self.free)
