"""Event ids: where a live client stands, as one text that it sends back when it comes again.

Clients take them as they are. What is in one::

    EPOCH.GENERATION.GAP.PARTITION_POSITION[.PARTITION_POSITION]...[.end]

Which archive it is, which division into partitions, the number up to which gaps were told, and for each
partition the position up to which everything of the client's channels was looked at. It is a position of a
message, or "now" as it was when the client began, and never a watermark (`relaycore.following.reader`).
`end`: the client had as many messages as it wanted. If it wants as many again it is told that it has them.

It has positions of partitions, not of channels: so it is as short for fifty channels as for one. What is not
exactly such a text is refused: a client that is begun somewhere else would miss or repeat messages unseen.
"""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Final

from relaycore.channels import MOST_PARTITIONS
from relaycore.errors import BadEventId
from relaycore.position import before_millisecond, milliseconds_of

_END: Final = ".end"
_EPOCH: Final = re.compile(r"[0-9a-f]{12}\Z")
_NUMBER: Final = r"(?:0|[1-9][0-9]{0,17})"
_PLACE: Final = rf"{_NUMBER}_[0-9]{{13}}-[0-9]{{10}}-[0-9]{{5}}"
_WIRE: Final = re.compile(
    rf"([0-9a-f]{{12}})\.({_NUMBER})\.({_NUMBER})\.({_PLACE}(?:\.{_PLACE})*)(\.end)?\Z", re.ASCII
)

MOST_CHARS: Final = 4096
"""Fifty channels stand in fifty partitions at most."""


@dataclass(frozen=True, slots=True)
class EventId:
    """Where a client stands.

    epoch:      of the archive: another one was made anew
    generation: of the division into partitions
    gap:        the number up to which it was told of gaps (`relaycore.live.settled`)
    positions:  by partition; at least one
    is_end:     it had all that it wanted
    """

    epoch: str
    generation: int
    gap: int
    positions: Mapping[int, str]
    is_end: bool = False

    def __str__(self) -> str:
        places = ".".join(f"{partition}_{self.positions[partition]}" for partition in sorted(self.positions))
        return f"{self.epoch}.{self.generation}.{self.gap}.{places}{_END if self.is_end else ''}"


def parse(text: str) -> EventId:
    """What stands in such a text.

    Raises:
        BadEventId: it is none.
    """
    match = _WIRE.match(text) if len(text) <= MOST_CHARS else None
    if match is None:
        raise BadEventId(_REFUSAL)
    places = [place.split("_") for place in match[4].split(".")]
    positions = {int(partition): position for partition, position in places}
    if len(positions) != len(places) or max(positions) >= MOST_PARTITIONS:
        raise BadEventId(_REFUSAL)
    return EventId(match[1], int(match[2]), int(match[3]), positions, match[5] is not None)


def is_epoch(text: str) -> bool:
    """Whether this can name an archive."""
    return _EPOCH.match(text) is not None


class Meaning(Enum):
    """What it means to go on from an id."""

    SAME = "same"
    """From its positions."""

    DIVIDED = "divided"
    """Channels have moved between partitions since: from the least of its positions. Some are repeated."""

    REMADE = "remade"
    """The archive is another one. What the client has missed of the other one is not known."""


@dataclass(frozen=True, slots=True)
class Resumed:
    """Where a client goes on, by partition, and what that means."""

    meaning: Meaning
    positions: Mapping[int, str]


def resume(id: EventId, epoch: str, generation: int, partitions: Collection[int]) -> Resumed:
    """Where who has this id goes on in these partitions, as everything stands now.

    A partition that the id does not name is one of a channel that the client had not asked for before. It
    begins at the least of its positions, as of that time.
    """
    least = min(id.positions.values())
    if id.epoch != epoch:
        # Positions begin with Redis' clock, which knows nothing of archives. All of that millisecond again.
        least = before_millisecond(milliseconds_of(least))
        return Resumed(Meaning.REMADE, dict.fromkeys(partitions, least))
    if id.generation != generation:
        return Resumed(Meaning.DIVIDED, dict.fromkeys(partitions, least))
    return Resumed(Meaning.SAME, {number: id.positions.get(number, least) for number in partitions})


_REFUSAL: Final = "That is no event id. Send the last one that you were given as it is, or none at all."
