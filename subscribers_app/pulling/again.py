"""What has to be seen to before it is leased, within one fetch: that it is there, and has room.

What comes again, and what waited for its turn, is read first. Which of it is leased, and which of what was
read ahead, only the transaction says: what has no room is not written, and asked for once more, so many as
there is room for.
"""

import functools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from relaycore.delivering.giving import Handed, Unread
from relaycore.delivering.holding import Reread
from relaycore.delivering.leasing import Ahead
from relaycore.delivering.reading import Document
from relaycore.storing.expiring import Expired
from subscribers_app.pulling import archive
from subscribers_app.pulling.asked import Wanted
from subscribers_app.pulling.choosing import Choosing


@dataclass(frozen=True, slots=True)
class Page:
    """What was read ahead, and what was on record as deleted after that.

    is_short: there was more, and no room for one of it
    """

    ahead: Ahead
    documents: Sequence[Document]
    expired: Expired
    is_short: bool


@dataclass(frozen=True, slots=True)
class Unplaced:
    """Nothing is to be written: these are to be handed out, and there has to be room first."""

    positions: Sequence[str]


class Again:
    """Of one fetch.

    is_by_key: it is in order by a field
    most:      so many messages are leased at most: more would be too many bytes, or have no room
    is_short:  there is something, and no room for one of it
    is_there:  by id, whether what comes again is there
    reread:    by key, what was read to go on with it
    """

    def __init__(self, channel: str, choosing: Choosing, page: Page, wanted: Wanted) -> None:
        self._channel = channel
        self._key_of = functools.partial(choosing.key_below, generation=page.ahead.generation)
        self.is_by_key = choosing.key_of is not None
        self._most_bytes = wanted.most_bytes
        self._place = wanted.place
        self._ahead = page.documents
        self._documents: dict[str, Document] = {}
        self.most = wanted.most
        self.is_short = page.is_short
        self.is_there: dict[bytes, bool] = {}
        self.reread: dict[str, Reread] = {}

    async def read(self, unread: Unread) -> None:
        """Before it is leased: what MongoDB does not say costs no attempt.

        Raises:
            Disconnected, PyMongoError: as `archive.find` and `archive.reread`.
        """
        ids = [row.id for row in unread.rows]
        found = await archive.find(self._channel, ids, self._most_bytes) if ids else {}
        self.is_there |= {id: document is not None for id, document in found.items()}
        self._documents |= {one["position"]: one for one in found.values() if one is not None}
        if len(found) < len(ids):
            self.most = len(found)
        elif unread.open:
            left = self._most_bytes - sum(len(one["message"]) for one in self._documents.values())
            waited = await archive.reread(self._channel, unread.open, self._key_of, left)
            self.reread |= waited.reread
            self._documents |= {one["position"]: one for one in waited.documents}
        documents = [*self._documents.values(), *self._ahead]
        if self.is_by_key:
            self._place.take_some(documents, self.most)
        else:
            self._place.take(documents)

    def unplaced(self, handed: Handed) -> Unplaced | None:
        """What is to be handed out by this, unless it has room."""
        if handed.leased is None:
            return None  # All of the page was given room.
        positions = [one.position for one in (*handed.leased.again, *handed.leased.new)]
        return None if self._place.is_for(positions) else Unplaced(positions)

    def make_room(self, unplaced: Unplaced) -> None:
        """For these, or for the first ones: then no more are leased."""
        fitting = self._place.take(self.documents(unplaced.positions))
        if fitting < len(unplaced.positions):
            self.most = fitting
            self.is_short = self.is_short or not fitting

    def documents(self, positions: Iterable[str]) -> list[Document]:
        """Those that stand here."""
        by_position = {document["position"]: document for document in self._ahead} | self._documents
        return [by_position[position] for position in positions]
