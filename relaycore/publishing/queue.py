"""What was published waits here for its partition's stream, in order, until it stands there.

One append is under way at a time. What is published meanwhile goes into the next one: so whoever is alone
waits for nobody, there is no timer, and the more publish the less each of them costs.

What is under way is answered by one of three events:

=========  ============================================================================================
`stood`    it stands: who published it may be told
`refused`  it does not stand: who published it is to be told that
`unknown`  the answer was lost, so it may stand or not: the same is sent again, before anything else
=========  ============================================================================================

Sending it again doubles nothing, since each message has its key by then, also one that got it by
chance. What a publisher is told of is what has stood: nothing is forgotten between the two, for there is no
event that takes something out of the queue without an answer. What was to be on a replica too has stood also
where none confirms it: only its publisher is told something else.

What is appended at once becomes one entry of about `ENTRY_BYTES` at most. A request that is larger is alone
in it, and becomes several entries, one after another: whoever reads the stream holds many of them at once.
Only a message that is larger itself makes its entry so.

Bytes are taken up before a body is read, or as it comes (`Share`), and given back when its request is
answered.
"""

import itertools
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

ENTRY_BYTES: Final = 1 << 20
"""An entry is closed before it has more than this, unless one message alone has."""

ENTRY_MESSAGES: Final = 10_000


@dataclass(frozen=True, slots=True)
class Echo:
    """What goes out on a Redis channel as well, in this order."""

    channel: bytes
    payloads: Sequence[bytes]


@dataclass(eq=False, slots=True)
class Published:
    """What one request brought to one partition.

    lengths:    how many of its messages go into each entry, if it is alone in them
    first:      which message of its entry its first one is; known once it is under way
    may_repeat: it was sent more than once, so it may stand more than once
    """

    documents: list[bytes]
    echo: Echo | None = None
    size: int = 0
    lengths: list[int] = field(default_factory=list)
    first: int = 0
    may_repeat: bool = False

    def __post_init__(self) -> None:
        self.size = sum(map(len, self.documents))
        self.lengths = _divided(self.documents)


@dataclass(frozen=True, slots=True)
class Batch:
    """What is appended at once, all or none: one entry, or those of a request that is alone."""

    parts: list[Published] = field(default_factory=list)

    @property
    def documents(self) -> list[bytes]:
        """Of all of it."""
        return [document for part in self.parts for document in part.documents]

    @property
    def entries(self) -> list[list[bytes]]:
        """The documents of each entry."""
        documents = self.documents
        if len(self.parts) != 1:
            return [documents]
        ends = list(itertools.accumulate(self.parts[0].lengths))
        return [documents[start:end] for start, end in itertools.pairwise([0, *ends])]

    @property
    def echoes(self) -> list[Echo]:
        """What goes out as well, one after another; what follows on the same channel is joined."""
        found: list[Echo] = []
        for echo in (part.echo for part in self.parts if part.echo is not None):
            if found and found[-1].channel == echo.channel:
                found[-1] = Echo(echo.channel, [*found[-1].payloads, *echo.payloads])
            else:
                found.append(echo)
        return found


class Room:
    """So many bytes may be taken up at once."""

    def __init__(self, most: int) -> None:
        self._most = most
        self.taken = 0

    def take(self, size: int, held: int = 0) -> bool:
        """Take up so many bytes; False: there is no room for them now. One request always has room.

        held: what the same request has taken up before
        """
        if self.taken > held and self.taken + size > self._most:
            return False
        self.taken += size
        return True

    @property
    def free(self) -> int:
        """So many bytes there is room for now."""
        return max(0, self._most - self.taken)

    def give(self, size: int) -> None:
        """Give them back."""
        self.taken -= size


class Share:
    """What one request takes up of a room."""

    def __init__(self, room: Room) -> None:
        self._room = room
        self.size = 0

    def grow(self, size: int) -> bool:
        """Take up so many more bytes; False: there is no room for them now."""
        has_room = self._room.take(size, self.size)
        self.size += size * has_room
        return has_room

    def keep(self, size: int) -> None:
        """Give back what is more than this."""
        if size < self.size:
            self._room.give(self.size - size)
            self.size = size

    def give_back(self) -> None:
        """All of it. Once more does nothing."""
        self.keep(0)


class Queue:
    """Of one partition. Whoever holds it sends what `next` says, and tells it what became of that."""

    def __init__(self) -> None:
        self._waiting: deque[Published] = deque()
        self._under_way: Batch | None = None
        self._is_sent = False

    @property
    def is_empty(self) -> bool:
        """Whether nothing waits and nothing is under way."""
        return not self._waiting and self._under_way is None

    @property
    def is_under_way(self) -> bool:
        """Whether something was sent that has not been answered."""
        return self._is_sent

    def add(self, published: Published) -> None:
        """One more."""
        self._waiting.append(published)

    def next(self) -> Batch | None:
        """What is to be sent now; None: nothing, or something is under way."""
        if self._is_sent:
            return None
        if self._under_way is None:
            self._under_way = self._gather()
        self._is_sent = self._under_way is not None
        return self._under_way

    def stood(self) -> list[Published]:
        """What is under way stands, whoever else has it; whom to tell."""
        return self._end()

    def refused(self) -> list[Published]:
        """What is under way does not stand, and will not be sent again; whom to tell."""
        return self._end()

    def unknown(self) -> None:
        """What is under way may stand or not."""
        self._is_sent = False
        if self._under_way is not None:
            for part in self._under_way.parts:
                part.may_repeat = True

    def give_up(self) -> list[Published]:
        """Nobody can append now: all of it, for whom to tell that it may have been appended or not."""
        given_up = [*self._end(), *self._waiting]
        self._waiting.clear()
        return given_up

    def _end(self) -> list[Published]:
        parts = self._under_way.parts if self._under_way is not None else []
        self._under_way, self._is_sent = None, False
        return parts

    def _gather(self) -> Batch | None:
        batch = Batch()
        size = messages = 0
        while self._waiting:
            part = self._waiting[0]
            is_too_much = size + part.size > ENTRY_BYTES or messages + len(part.documents) > ENTRY_MESSAGES
            if batch.parts and is_too_much:
                break
            part.first = messages
            size, messages = size + part.size, messages + len(part.documents)
            batch.parts.append(self._waiting.popleft())
        return batch if batch.parts else None


def _divided(documents: Sequence[bytes]) -> list[int]:
    """How many of them, in their order, each entry takes."""
    lengths = [0]
    size = 0
    for document in documents:
        is_too_much = size + len(document) > ENTRY_BYTES or lengths[-1] == ENTRY_MESSAGES
        if lengths[-1] and is_too_much:
            lengths.append(0)
            size = 0
        size += len(document)
        lengths[-1] += 1
    return lengths
