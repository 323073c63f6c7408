"""Entries of the stream, put together into one insert."""

from bisect import bisect_right
from collections import Counter
from dataclasses import dataclass, field
from typing import Final

from bson import ObjectId

from messages_app.writing.store import Outcome
from messages_app.writing.stream import Entry
from relaycore import envelope
from relaycore.errors import BadEntry
from relaycore.position import entry_prefix
from relaycore.storing.together import Contents

MOST_DELIVERIES: Final = 5
"""An entry that was delivered more often is stored one message at a time."""

_HEAVY_BYTES: Final = 8 << 10
"""So many bytes weigh as much as one message: what bounds the bytes of a batch, and so its memory."""


@dataclass(slots=True)
class Batch:
    """What is inserted, acknowledged and counted together.

    ids:       of its entries
    upto:      the highest running number of its messages; 0 if none says
    ends:      for each entry the number of `documents` up to its end
    counts:    for each entry how many of its `documents` are of which channel
    documents: with their positions, in the order of the stream
    rejected:  (position, document, reason) of messages that are not to be stored
    unread:    (entry, reason) of entries that are not in the format
    doubtful:  a writer before this one may have stored some of it
    careful:   one of its messages has probably killed its writer
    contents:  the ids of its `documents`, to be compared with those of other batches
    repeats:   a message may stand in it twice, and is to be stored where it stands first
    retried:   which of its `documents` were in quarantine, and their ids there
    """

    ids: list[str] = field(default_factory=list)
    upto: int = 0
    ends: list[int] = field(default_factory=list)
    counts: list[Counter[bytes]] = field(default_factory=list)
    documents: list[bytes] = field(default_factory=list)
    rejected: list[tuple[str, bytes, str]] = field(default_factory=list)
    unread: list[tuple[Entry, str]] = field(default_factory=list)
    doubtful: bool = False
    careful: bool = False
    contents: Contents = field(default_factory=Contents)
    repeats: bool = False
    retried: dict[int, ObjectId] = field(default_factory=dict)

    def add(self, entry: Entry) -> int:
        """Add one entry; its weight, in messages."""
        self.doubtful = self.doubtful or entry.deliveries > 1
        self.careful = self.careful or entry.deliveries > MOST_DELIVERIES
        try:
            originals, keys = envelope.read(entry.fields)
            placed = envelope.place(originals, entry_prefix(entry.id))
        except (BadEntry, ValueError) as exc:
            self.unread.append((entry, f"The entry cannot be read: {exc}."))
        else:
            self._take(entry, originals, placed, keys)
        new = self.documents[sum(self.ends[-1:]) :]
        self.counts.append(Counter(map(envelope.channel_of, new)))
        self.ids.append(entry.id)
        if (numbers := entry.numbers) is not None:
            self.upto = max(self.upto, numbers[0])
        self.ends.append(len(self.documents))
        size = sum(map(len, entry.fields.values()))
        return max(len(new), size // _HEAVY_BYTES, 1)

    def stored(self, outcome: Outcome) -> list[tuple[str, Counter[bytes]]]:
        """For each entry its id and its newly stored messages by channel, also where there are none."""
        counts = list(self.counts)
        for index in outcome.duplicates | outcome.refused.keys():
            at = bisect_right(self.ends, index)
            if counts[at] is self.counts[at]:
                counts[at] = counts[at].copy()
            counts[at][envelope.channel_of(self.documents[index])] -= 1
        return list(zip(self.ids, counts, strict=True))

    def _take(self, entry: Entry, originals: list[bytes], placed: list[bytes], keys: list[bytes]) -> None:
        reason = entry.fields.get(envelope.F_REASON)
        if reason:
            for original, document in zip(originals, placed, strict=True):
                position = envelope.position_of(document)
                self.rejected.append((position, original, reason.decode(errors="replace")))
        else:
            if len(placed) == 1 and envelope.F_RETRIES in entry.fields:
                row = entry.fields[envelope.F_RETRIES].decode(errors="replace")
                if ObjectId.is_valid(row):
                    self.retried[len(self.documents)] = ObjectId(row)
            self.documents += placed
            self.contents.add(entry.fields.get(envelope.F_SOURCE, b""), keys)
