"""How much of what is to be handed out there is room for: bytes of answers that are on their way."""

import itertools
from collections.abc import Sequence
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
        super().__init__(self._all)

    def take(self, documents: Sequence[Document | None]) -> int:
        """Take up the answer with the first ones of these; how many. 0: there is no room for the first.

        It takes half of what is free at most, if it is more than one message: so there is room for others,
        and who does not read his answers gets less and less. None stands for one that is gone.
        """
        there = [document for document in documents if document is not None]
        free = self._all.free // 2
        size = most_bytes(there) + _TOKEN_BYTES * len(there)
        if size <= free:
            count = len(documents)
        else:
            # Most pages are small. Of one that might not be somebody has to look at what is in it.
            count, size = _fitting(documents, free)
        return count if self.grow(size) else 0

    def take_first(self, documents: Sequence[Document | None]) -> tuple[int, bool]:
        """The same of what comes before what has a place already. False: it has none any more."""
        if count := self.take(documents):
            return count, True
        self.give_back()
        return self.take(documents), False


def _fitting(documents: Sequence[Document | None], most: int) -> tuple[int, int]:
    """How many of the first ones have at most so many bytes, or else one; and how many they have."""
    sizes = (0 if one is None else _TOKEN_BYTES + bytes_of(one) for one in documents)
    count = size = 0
    for size_then in itertools.accumulate(sizes):
        if size and size_then > most:
            break
        count, size = count + 1, size_then
    return count, size
