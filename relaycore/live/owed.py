"""One live client: what it is owed next, in all partitions of its channels, and the id that goes with it.

`next` says what is to be done: tell something, show messages, read a page, or nothing for now. Whoever does
it says so (`took`, `read`), and asks again. An id that is sent says that everything before it was sent: so it
is made after `took`, and what is told goes out before the messages behind it.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from relaycore.live.ids import EventId, Meaning, resume
from relaycore.live.ring import Ring
from relaycore.live.walk import Missed, Page, Read, Run, Walk, now_of
from relaycore.position import START, milliseconds_of
from relaycore.times import from_milliseconds

CAUGHT_UP: Final = "caught-up"
RESET: Final = "stream-reset"
GAP: Final = "gap"
END: Final = "end"


@dataclass(frozen=True, slots=True)
class Told:
    """Something beside messages: the name of its event, and what it says.

    gap: of a gap: up to this number it is told of all then
    """

    event: str
    data: Mapping[str, Any]
    gap: int = 0


class Owed:
    """One client.

    epoch, generation: as they stand (`relaycore.live.ids`)
    gap:   the number up to which it was told of gaps, or need not be
    walks: one for each partition of its channels
    limit: it wants so many messages, and no more; None: all that come
    """

    __slots__ = (
        *("_around", "_epoch", "_gap", "_generation", "_is_caught_up", "_left", "_told", "_turn"),
        *("is_over", "walks"),
    )

    def __init__(
        self,
        epoch: str,
        generation: int,
        gap: int,
        walks: Sequence[Walk],
        limit: int | None = None,
    ) -> None:
        self._epoch = epoch
        self._generation = generation
        self._gap = gap
        self.walks = walks
        self._left = limit
        self._told: list[Told] = []
        self._around: tuple[int, tuple[str, str]] | None = None
        self._is_caught_up = False
        self._turn = 0
        self.is_over = False
        """It has had all that it wanted."""

    @property
    def id(self) -> str:
        """Where it stands, or that it has all that it wanted."""
        return str(self._id(self._left == 0))

    @property
    def place(self) -> str:
        """Where it stands, and goes on from whatever it wanted."""
        return str(self._id(False))

    @property
    def least(self) -> str:
        """The lowest position that it stands at."""
        return min(walk.position for walk in self.walks)

    def around(self, walk: Walk) -> tuple[str, str]:
        """What stands before and after the position of this walk in the id."""
        if self._around is not None and self._around[0] == self._gap:
            return self._around[1]
        found = self._id(False)
        text = str(replace(found, positions={**found.positions, walk.partition: _MARK}))
        before, _, after = text.partition(_MARK)
        if len(self.walks) == 1:  # Then only the number of a gap changes in it.
            self._around = self._gap, (before, after)
        return before, after

    @property
    def is_told_all(self) -> bool:
        """Whether it is to be told nothing more. Before that `id` says too much: who has it misses that."""
        return not self._told

    @property
    def is_at_end(self) -> bool:
        """Whether `next` has nothing for now, told at little cost for who watches one channel.

        He asks after each message. False says nothing.
        """
        is_told_all = self._is_caught_up and not self._told and self._left is None
        return is_told_all and len(self.walks) == 1 and self.walks[0].is_at_end

    @property
    def left(self) -> int | None:
        """So many messages it still wants; None: all."""
        return self._left

    def tell(self, told: Iterable[Told]) -> None:
        """It is to be told this next."""
        self._told.extend(told)

    def tell_gap(self, number: int, data: Mapping[str, Any]) -> None:
        """It is to be told of a gap. Then it is told of all up to this number."""
        self._told.append(Told(GAP, data, number))

    def next(self, most_bytes: int) -> Told | Run | Read | None:
        """What is to be done next; None: nothing for now. After `is_over` nothing ever."""
        if self._told:
            told = self._told.pop(0)
            self._gap = max(self._gap, told.gap)
            return told
        if self._left == 0:
            end = None if self.is_over else Told(END, {"reason": "limit"})
            self.is_over = True
            return end
        for walk in self._in_turn():
            if (found := walk.next(most_bytes)) is not None:
                return reset_of(found) if isinstance(found, Missed) else found
        caught_up = None if self._is_caught_up else Told(CAUGHT_UP, {})
        self._is_caught_up = True
        return caught_up

    def read(self, walk: Walk, page: Page) -> None:
        """What it asked for has been read."""
        self.tell(map(reset_of, walk.read(page)))

    def took(self, run: Run, looked: int, shown: int) -> None:
        """It was shown so many of a run's messages, and has looked at so many, from the first one on."""
        run.walk.took(run, looked)
        if self._left is not None:
            self._left -= shown

    def cut(self, wanted: Sequence[bool]) -> int:
        """How many of these it looks at, by whether it wants each: up to the last that it may be shown."""
        if self._left is None:
            return len(wanted)
        left = self._left
        for count, is_wanted in enumerate(wanted, 1):
            left -= is_wanted
            if left == 0 and is_wanted:
                return count
        return len(wanted)

    def _id(self, is_end: bool) -> EventId:
        positions = {walk.partition: walk.position for walk in self.walks}
        return EventId(self._epoch, self._generation, self._gap, positions, is_end)

    def _in_turn(self) -> Sequence[Walk]:
        """Another one comes first each time: one that always has something keeps out none."""
        if len(self.walks) == 1:
            return self.walks
        self._turn = (self._turn + 1) % len(self.walks)
        return [*self.walks[self._turn :], *self.walks[: self._turn]]


def begin(
    after: EventId | str | None,
    rings: Mapping[int, Mapping[str, Ring]],
    epoch: str,
    generation: int,
    gap: int,
    limit: int | None = None,
) -> Owed:
    """Somebody comes.

    after: the id that it was given last, or a position from which on it wants everything; None: what comes
           from now on
    rings: of its channels, by partition and name
    gap:   the number up to which all gaps are known; of those before it who comes new is not told for this
    """
    told: list[Told] = []
    positions: Mapping[int, str] = {}
    if isinstance(after, EventId):
        found = resume(after, epoch, generation, rings)
        positions, gap, told = found.positions, after.gap, meant(found.meaning)
        if found.meaning is not Meaning.SAME:
            # The clock by which they were given may have been ahead of the one that goes now.
            positions = _not_ahead(positions, rings)
    elif after is not None:
        positions = _not_ahead(dict.fromkeys(rings, after), rings)
    walks = [Walk(partition, of_it, positions.get(partition)) for partition, of_it in sorted(rings.items())]
    owed = Owed(epoch, generation, gap, walks, limit)
    owed.tell(told)
    return owed


def _not_ahead(positions: Mapping[int, str], rings: Mapping[int, Mapping[str, Ring]]) -> Mapping[int, str]:
    """What lies ahead would pass over messages that nobody has seen yet."""
    return {number: min(positions[number], now_of(of_it)) for number, of_it in rings.items()}


def reset_of(missed: Missed) -> Told:
    """What is missing for good: retention had deleted it."""
    return Told(
        RESET,
        {
            "reason": "retention",
            "channel": missed.channel,
            "from": _time(missed.after),
            "to": _time(missed.upto),
            "at_most": missed.at_most,
        },
    )


def meant(meaning: Meaning) -> list[Told]:
    """What a client is told of going on from its id."""
    if meaning is not Meaning.REMADE:
        return []
    nothing = dict.fromkeys(("channel", "from", "to", "at_most"))
    return [Told(RESET, {"reason": "archive", **nothing})]


def _time(position: str) -> Any:
    """When that was put on the stream; None: before everything."""
    return None if position == START else from_milliseconds(milliseconds_of(position))


_MARK: Final = "\0"
