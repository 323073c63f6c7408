"""Entries of the stream, put together into one insert."""

from collections import Counter
from dataclasses import dataclass, field

from messages_app.writing.store import Outcome
from messages_app.writing.stream import Entry
from relaycore import envelope
from relaycore.errors import BadEntry
from relaycore.position import entry_prefix, milliseconds_of

MOST_DELIVERIES = 5
"""An entry that was delivered more often is stored one message at a time."""


@dataclass(slots=True)
class Batch:
    """What is inserted, acknowledged and counted together.

    documents: with their positions, in the order of the stream
    rejected:  (position, document, reason) of messages that are not to be stored
    unread:    (entry, reason) of entries that are not in the format
    doubtful:  a writer before this one may have stored some of it
    careful:   one of its messages has probably killed its writer
    """

    ids: list[str] = field(default_factory=list)
    documents: list[bytes] = field(default_factory=list)
    rejected: list[tuple[str, bytes, str]] = field(default_factory=list)
    unread: list[tuple[Entry, str]] = field(default_factory=list)
    doubtful: bool = False
    careful: bool = False
    _last_at: dict[bytes, int] = field(default_factory=dict)

    def add(self, entry: Entry) -> int:
        """Add one entry; how many messages it has."""
        self.ids.append(entry.id)
        self.doubtful = self.doubtful or entry.deliveries > 1
        self.careful = self.careful or entry.deliveries > MOST_DELIVERIES
        try:
            documents = envelope.split(entry.fields)
            placed = envelope.place(documents, entry_prefix(entry.id))
        except (BadEntry, ValueError) as exc:
            self.unread.append((entry, f"The entry cannot be read: {exc}."))
            return 1
        reason = entry.fields.get(envelope.F_REASON)
        if reason:
            for original, document in zip(documents, placed, strict=True):
                position = envelope.position_of(document)
                self.rejected.append((position, original, reason.decode(errors="replace")))
        else:
            self.documents += placed
            at = milliseconds_of(entry.id)
            self._last_at.update(dict.fromkeys(map(envelope.channel_of, placed), at))
        return len(placed)

    def counts(self, outcome: Outcome) -> tuple[Counter[bytes], dict[bytes, int]]:
        """Newly stored messages by channel, and when the last one of a channel came (ms)."""
        stored = Counter(map(envelope.channel_of, self.documents))
        for index in (*outcome.duplicates, *outcome.refused):
            stored[envelope.channel_of(self.documents[index])] -= 1
        return +stored, self._last_at
