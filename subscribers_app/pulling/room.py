"""How much of what is to be handed out there is room for: bytes of answers that are on their way."""

import itertools
from collections.abc import Iterable, Sequence
from heapq import nlargest
from typing import Final

from django.conf import settings

from messages_app.searching.rows import bytes_of, most_bytes
from relaybase.connections import one_per_loop
from relaycore.delivering.reading import Document
from relaycore.publishing.queue import Room, Share

NO_ROOM: Final = "Too many answers are on their way, and not read. Try again in a few seconds."

_TOKEN_BYTES: Final = 300
"""What stands beside a message that is leased."""


@one_per_loop
def _room() -> Room:
    return Room(settings.RELAY_FETCH_MEMORY_BYTES)


class Place(Share):
    """What one answer takes up, from before its messages are handed out until it was sent."""

    def __init__(self) -> None:
        self._all = _room()
        self._documents: Sequence[Document] = ()
        super().__init__(self._all)

    def take(self, documents: Sequence[Document]) -> int:
        """Take up the answer with the first ones of these, in place of what it had; how many.

        0: there is no room for the first. It takes half of what is free at most, if it is more than one
        message: so there is room for others, and who does not read his answers gets less and less.
        """
        self.give_back()
        size, free = _most_bytes(documents), self._all.free // 2
        count = len(documents)
        if size > free:
            # Most pages are small. Of one that might not be somebody has to look at what is in it.
            count, size = _fitting(documents, free)
        if not self.grow(size):
            return 0
        self._documents = documents[:count]
        return count

    def take_some(self, documents: Sequence[Document], most: int) -> bool:
        """The same for so many of these, whichever they are. False: there is not as much room."""
        self.give_back()
        size = sum(nlargest(most, (_most_bytes([one]) for one in documents)))
        if size > self._all.free // 2 or not self.grow(size):
            return False
        self._documents = documents
        return True

    def is_for(self, positions: Iterable[str]) -> bool:
        """Whether there is room for these."""
        return {one["position"] for one in self._documents}.issuperset(positions)

    def leave(self, documents: Sequence[Document]) -> None:
        """Give back what is not for these: nothing else is handed out."""
        if len(documents) < len(self._documents):
            self.keep(_most_bytes(documents))
            self._documents = documents

    def give_back(self) -> None:
        """All of it."""
        super().give_back()
        self._documents = ()


def _most_bytes(documents: Sequence[Document]) -> int:
    return most_bytes(documents) + _TOKEN_BYTES * len(documents)


def _fitting(documents: Sequence[Document], most: int) -> tuple[int, int]:
    """How many of the first ones have at most so many bytes, or else one; and how many they have."""
    sizes = (_TOKEN_BYTES + bytes_of(one) for one in documents)
    count = size = 0
    for size_then in itertools.accumulate(sizes):
        if count and size_then > most:
            break
        count, size = count + 1, size_then
    return count, size
