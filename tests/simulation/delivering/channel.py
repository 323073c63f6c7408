"""One channel's archive: messages are stored late and out of order, and deleted from the bottom."""

import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from bson import ObjectId

from relaycore.position import START, entry_of, first_of, next_position
from relaycore.storing.expiring import NOTHING, Expired

Document = Mapping[str, Any]

MOST_PER_PAGE: Final = 3
MOST_REREAD: Final = 2


class Away(Exception):
    """A server does not answer."""


@dataclass
class Channel:
    """What is stored, what is on record of what was deleted, and up to where a reader may look.

    appended:  every message there ever was, by position
    stored:    those that are there
    late:      appended, and not yet stored
    deleted:   those that retention has deleted
    watermark: as readers are told; None: nobody knows
    """

    random: random.Random

    def __post_init__(self) -> None:
        self.appended: dict[str, Document] = {}
        self.stored: dict[str, Document] = {}
        self.late: dict[str, Document] = {}
        self.deleted: set[str] = set()
        self.watermark: str | None = START
        self.expired: Expired = NOTHING
        self._last = (0, 0)
        self._batch: list[str] = []

    # --- who appends and stores ---------------------------------------------------------------

    def append(self, messages: int, time: int) -> list[str]:
        """One entry; the positions of its messages."""
        milliseconds, number = self._last
        self._last = (time, 0) if time > milliseconds else (milliseconds, number + 1)
        first = first_of(f"{self._last[0]}-{self._last[1]}")
        positions = [f"{first[:-5]}{index:05d}" for index in range(messages)]
        for position in positions:
            number = len(self.appended)
            id = ObjectId(number.to_bytes(12, "big"))
            document = {"_id": id, "position": position, "message": b"x" * 10, "number": number}
            self.appended[position] = self.late[position] = document
        return positions

    def store(self) -> None:
        """Any of those that are under way, and the watermark follows, now or later."""
        if self.late:
            position = self.random.choice(list(self.late))
            self.stored[position] = self.late.pop(position)
        if self.random.random() < 0.5:
            self.rise()

    def rise(self) -> None:
        """Readers are told what holds."""
        self.watermark = self.below

    @property
    def below(self) -> str:
        """Everything below this is stored."""
        return min(self.late, default=next_position(entry_of(self.last)))

    @property
    def last(self) -> str:
        """Nothing that comes is below this."""
        return max(self.appended, default=START)

    def forget_watermark(self) -> None:
        """Redis has lost it."""
        self.watermark = None

    def drop_watermark(self, chance: int) -> None:
        """An older one is told."""
        if self.watermark and self.appended:
            self.watermark = min(self.watermark, list(self.appended)[chance % len(self.appended)])

    # --- retention --------------------------------------------------------------------------

    def retain(self, messages: int) -> Iterator[None]:
        """Delete so many from the bottom. It may be killed wherever it yields; the next one goes on."""
        if self.expired.going:
            yield from self._finish()
        self._batch = [one for one in sorted(self.stored) if one < self.below][:messages]
        if not self._batch:
            return
        self.expired = self.expired.begin(self._batch[-1], len(self._batch))
        yield
        yield from self._finish()

    def _finish(self) -> Iterator[None]:
        deleted = 0
        for position in list(self._batch):
            if self.stored.pop(position, None) is not None:
                self.deleted.add(position)
                deleted += 1
            if self.random.random() < 0.5:
                yield
        self.expired = self.expired.end(deleted)

    # --- who reads --------------------------------------------------------------------------

    def page(self, after: str) -> list[Document]:
        """The next messages above this position, below the watermark."""
        if self.watermark is None or self.random.random() < 0.03:
            raise Away
        found = sorted(one for one in self.stored if after < one < self.watermark)
        return [self.stored[one] for one in found[:MOST_PER_PAGE]]

    def find(self, positions: list[str]) -> dict[str, Document]:
        """Those of these that are there."""
        if self.random.random() < 0.03:
            raise Away
        return {one: self.stored[one] for one in positions if one in self.stored}

    def reread(self, above: str, upto: str) -> tuple[list[Document], str]:
        """The next messages above this position, and up to where that is everything."""
        if self.watermark is None or self.watermark <= upto or self.random.random() < 0.03:
            raise Away
        found = [self.stored[one] for one in sorted(self.stored) if above < one <= upto]
        if len(found) <= MOST_REREAD:
            return found, upto
        return found[:MOST_REREAD], found[MOST_REREAD - 1]["position"]
