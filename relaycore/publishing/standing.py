"""Where what was published stands, and what may be said of it to whoever waits until it is stored.

========  ===========================================================================================
stored    the watermark has passed all of it, and each message was found in the archive or in quarantine
not yet   the watermark has not come so far, or nobody can say
gone      the watermark has passed it, and some of it is in neither: it is not on the stream any more either
========  ===========================================================================================

The watermark alone says too much: a Redis that has lost its last second has nothing that waits, and its
clock goes on. A position says too little: what waits when ids are raised (`relaycore.storing.keeping`) is
stored under a later one. What tells a message from an earlier one with its key is when it was received.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum

from relaycore.position import entry_prefix, next_position


@dataclass(frozen=True, slots=True)
class Stood:
    """Where what a request brought was appended.

    entries: the ids of its entries, in order
    lengths: how many of its messages are in each
    first:   which message of the first of them its first one is
    """

    entries: Sequence[str]
    lengths: Sequence[int]
    first: int = 0

    @property
    def last(self) -> str:
        """The id of its last entry."""
        return self.entries[-1]

    @property
    def positions(self) -> Iterator[str]:
        """Of its messages, in order."""
        first = self.first
        for entry, length in zip(self.entries, self.lengths, strict=True):
            prefix = entry_prefix(entry)
            yield from (f"{prefix}{first + index:05d}" for index in range(length))
            first = 0


@dataclass(frozen=True, slots=True)
class Awaited:
    """What somebody waits for.

    ids:         the keys of the messages, in order
    received_at: in ms since 1970
    may_repeat:  it was appended more than once
    """

    ids: Sequence[bytes]
    stood: Stood
    received_at: int
    may_repeat: bool


@dataclass(frozen=True, slots=True)
class Place:
    """Where a message is stored, and when it was received (ms since 1970)."""

    position: str
    received_at: int


@dataclass(frozen=True, slots=True)
class Seen:
    """What one look has shown, the watermark first.

    below:       the watermark; empty where nobody knows it, or what is below it
    found:       where messages are stored, by key
    quarantined: the keys of those that are in quarantine
    """

    below: str = ""
    found: Mapping[bytes, Place] = field(default_factory=dict)
    quarantined: Collection[bytes] = ()


class Unstored(Enum):
    """Why it cannot be said that all of it is stored."""

    NOT_YET = "not yet"
    GONE = "gone"


@dataclass(frozen=True, slots=True)
class Stored:
    """All of it is.

    positions:  of the messages; None: in quarantine
    duplicates: which of them, from 0, were stored before
    """

    positions: list[str | None]
    duplicates: list[int]


def judge(awaited: Awaited, seen: Seen) -> Stored | Unstored:
    """What may be said of it."""
    if seen.below < next_position(awaited.stood.last):
        return Unstored.NOT_YET
    places = [seen.found.get(id) for id in awaited.ids]
    if any(
        place is None and id not in seen.quarantined for id, place in zip(awaited.ids, places, strict=True)
    ):
        return Unstored.GONE
    own = awaited.stood.positions
    return Stored(
        [None if place is None else place.position for place in places],
        [
            index
            for index, (place, position) in enumerate(zip(places, own, strict=True))
            if place is not None and not _is_own(awaited, place, position)
        ],
    )


def _is_own(awaited: Awaited, place: Place, position: str) -> bool:
    """Whether what is stored there is what this request has brought, which was to get that position."""
    if place.position == position:
        return True
    # It was appended twice, or it got a later one when ids were raised. What came before it in the same
    # millisecond, with its key, stands below.
    is_possible = awaited.may_repeat or place.position > position
    return is_possible and place.received_at == awaited.received_at
