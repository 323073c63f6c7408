"""What a process has read ahead of a subscription's cursor: a page or two, so that one query serves many."""

from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import islice, takewhile
from typing import Any, Final

from relaycore.delivering.cursor import Cursor
from relaycore.delivering.leasing import Ahead
from relaycore.position import next_position
from relaycore.storing.expiring import Expired

RECORD_SECONDS: Final = 1.0

Document = Mapping[str, Any]
"""A stored message, with at least `position`."""

Wants = Callable[[Document], bool]
KeyOf = Callable[[Document], str]
"""The key of a message in an order by a field (`holding`); empty: it has none."""


def is_read(entry: str, below: str) -> bool:
    """Whether who has read all that there is below this watermark has read this entry.

    It is the watermark of that read that counts. What another look has said before does not: it may have
    fallen since, with a Redis that has lost data.
    """
    return next_position(entry) <= below


class ReadAhead:
    """The messages of one channel right above some position, for one subscription, in one generation.

    Only what a reader has brought in order, without a hole, and below the watermark is added.
    """

    def __init__(self, position: str, generation: int, revision: int = 1) -> None:
        self._above = self._looked = position
        self._generation = generation
        self._revision = revision
        self._messages: deque[Document] = deque()
        self._keys: deque[str] = deque()
        self.size = 0
        """Bytes of the payloads, about."""
        self._expired: tuple[Expired, float] | None = None

    @property
    def looked(self) -> str:
        """Everything up to here was looked at."""
        return self._looked

    def __len__(self) -> int:
        return len(self._messages)

    def add(
        self, documents: Sequence[Document], wants: Wants | None = None, key_of: KeyOf | None = None
    ) -> None:
        """What comes next in the channel.

        wants:  which of it is for this subscription; None: all of it
        key_of: None: it is in no order by a field
        """
        if documents:
            wanted = documents if wants is None else [one for one in documents if wants(one)]
            self._messages.extend(wanted)
            self._keys.extend("" if key_of is None else key_of(one) for one in wanted)
            self.size += sum(len(one["message"]) for one in wanted)
            self._looked = documents[-1]["position"]
        self._expired = None

    def note(self, expired: Expired, at: float) -> None:
        """What was on record as deleted, asked after everything here was read; when, in seconds."""
        self._expired = expired, at

    def expired(self, now: float) -> Expired | None:
        """What was on record as deleted after everything here was read; None: it is to be asked.

        What is missing here was deleted before it was read, and was on record before it was deleted. So
        nothing that is deleted later matters to what is here, and each page is asked for once. Where nothing
        comes any more, since all of it is deleted first, it is asked from time to time.
        """
        if self._expired is None or not 0 <= now - self._expired[1] < RECORD_SECONDS:
            return None
        return self._expired[0]

    def fits(self, cursor: Cursor) -> bool:
        """Whether what is here is what comes above the cursor. What is below it is let go.

        If not, it has to be read anew. It may have moved forward without us: somebody else hands out, too.
        """
        if cursor.generation != self._generation or not self._above <= cursor.position <= self._looked:
            return False
        messages, position, gone = self._messages, cursor.position, 0
        while messages and messages[0]["position"] <= position:
            gone += len(messages.popleft()["message"])
            self._keys.popleft()
        self.size -= gone
        self._above = position
        return True

    def first(self, most: int, most_bytes: int, before: str | None = None) -> tuple[list[Document], str]:
        """At most so many messages and bytes, one message at least; and up to where that is everything.

        before: what stands at this position or above is not handed out yet; None: everything is
        """
        ripe: Iterable[Document] = self._messages
        if before is not None:
            ripe = takewhile(lambda document: document["position"] < before, self._messages)
        found: list[Document] = []
        for document in islice(ripe, most):
            most_bytes -= len(document["message"])
            if most_bytes < 0 and found:
                break
            found.append(document)
        if len(found) == len(self._messages) and (before is None or self._looked < before):
            return found, self._looked
        # With a delay, what was looked at and is not wanted ends where something is not ripe.
        return found, found[-1]["position"] if found else self._above

    def ahead(
        self, most: int, most_bytes: int, before: str | None = None, *, is_leased: bool = True
    ) -> tuple[Ahead, list[Document]]:
        """The same, as `giving` takes it. `is_leased`: each message by its name, for a row of its own."""
        found, upto = self.first(most, most_bytes, before)
        named = [(one["position"], one["_id"].binary) for one in found] if is_leased else []
        keys = list(islice(self._keys, len(named)))
        return Ahead(self._above, upto, named, self._generation, self._revision, keys), found
