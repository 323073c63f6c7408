"""How much of what is to be handed out there is room for: bytes of answers that are on their way."""

from collections.abc import Callable, Iterable, Sequence
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
        most = self._all.free // 2
        count, size = 0, 0
        # Most pages are small. Only where one might not be, somebody has to look what is in it.
        for size_of in (most_bytes, bytes_of):
            count, size = _fitting(documents, size_of, most)
            if count == len(documents):
                break
        return count if self.grow(size) else 0


def _fitting(
    documents: Iterable[Document | None], size_of: Callable[[Document], int], most: int
) -> tuple[int, int]:
    """How many of the first ones have so many bytes at most, or else the first one; and how many they have."""
    count = size = 0
    for document in documents:
        more = 0 if document is None else _TOKEN_BYTES + size_of(document)
        if size and size + more > most:
            break
        count, size = count + 1, size + more
    return count, size
