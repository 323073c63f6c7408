"""What goes between `relaycore.following.reader` and whoever drives it: places, questions, pages."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Self

from relaycore.storing.known import Beside, lacks, watermark

MOST_PER_PAGE: Final = 500

ROOM: Final = 2
"""So many pages wait for one reader: one that it works on, and the next one."""

Document = dict[str, Any]
"""A stored message, with at least `channel` and `position`."""


@dataclass(frozen=True, slots=True)
class Horizon:
    """What Redis has said at one look.

    below:   the watermark
    is_sure: everything that was appended below it is stored, or on record as missing
    stored:  the id of the last entry that is acknowledged
    operation_time: as `relaycore.storing.known.Beside`
    """

    below: str
    is_sure: bool
    stored: str
    operation_time: str = ""

    @classmethod
    def of(cls, beside: Beside) -> Self:
        """What follows from what Redis says of the partition."""
        return cls(watermark(beside), not lacks(beside), beside.stored_id, beside.operation_time)


@dataclass(frozen=True, slots=True)
class Page:
    """What a cursor is handed: in the order of positions, perhaps nothing.

    is_at_tail: there was nothing more below the watermark
    is_sure:    as `Horizon`
    turn:       the number of the turn in which it was read (`Following.ask`)
    below:      the watermark of that turn
    read_at:    by MongoDB's count, of what time it is: what is asked about it must not be older
    """

    messages: Sequence[Document]
    is_at_tail: bool
    is_sure: bool
    turn: int = field(default=0, compare=False)
    below: str = field(default="", compare=False)
    read_at: str = field(default="", compare=False)


@dataclass(eq=False, slots=True)
class Cursor:
    """One reader's place. `after`: it was handed everything up to here.

    asked: it is to be handed a page of this turn or a later one, if only to say that there is nothing
    """

    channel: str | None
    after: str
    room: int = ROOM
    is_at_tail: bool = False
    is_idle: bool = False
    said: tuple[bool, bool] | None = None
    asked: int = 0


@dataclass(frozen=True, slots=True)
class Read:
    """One question: the messages of these channels between two positions, without both; the lowest first.

    channels: None: all of the partition
    limit:    at most so many
    cursors:  for whom
    """

    channels: frozenset[str] | None
    after: str
    below: str
    cursors: Sequence[Cursor]
    is_tail: bool
    limit: int

    @property
    def is_empty(self) -> bool:
        """Whether there is no need to ask."""
        return self.after >= self.below
