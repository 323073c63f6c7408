"""What is read before it is leased, within one fetch: what comes again, and what waited for its turn."""

import functools

from relaycore.delivering.giving import Unread
from relaycore.delivering.holding import Reread
from relaycore.delivering.reading import Document
from subscribers_app.pulling import archive
from subscribers_app.pulling.asked import Wanted
from subscribers_app.pulling.choosing import Choosing


class Again:
    """Of one fetch.

    most:      so many messages are leased at most: more would be too many bytes
    is_there:  by id, whether what comes again is there
    reread:    by key, what was read to go on with it
    documents: by position, what was read
    """

    def __init__(self, channel: str, choosing: Choosing, generation: int, wanted: Wanted) -> None:
        self._channel = channel
        self._key_of = functools.partial(choosing.key_below, generation=generation)
        self._most_bytes = wanted.most_bytes
        self.most = wanted.most
        self.is_there: dict[bytes, bool] = {}
        self.reread: dict[str, Reread] = {}
        self.documents: dict[str, Document] = {}

    async def read(self, unread: Unread) -> None:
        """Before it is leased: what MongoDB does not say costs no attempt.

        Raises:
            Disconnected, PyMongoError: as `archive.find` and `archive.reread`.
        """
        ids = [row.id for row in unread.rows]
        found = await archive.find(self._channel, ids, self._most_bytes) if ids else {}
        self.is_there |= {id: document is not None for id, document in found.items()}
        self.documents |= {one["position"]: one for one in found.values() if one is not None}
        if len(found) < len(ids):
            self.most = len(found)
        elif unread.open:
            room = self._most_bytes - sum(len(one["message"]) for one in self.documents.values())
            waited = await archive.reread(self._channel, unread.open, self._key_of, room)
            self.reread |= waited.reread
            self.documents |= {one["position"]: one for one in waited.documents}
