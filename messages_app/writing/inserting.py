"""What is in a batch becomes durable somewhere: in the collection of messages, or in quarantine."""

import time
from collections.abc import Callable

from messages_app.writing.batch import MOST_DELIVERIES, Batch
from messages_app.writing.quarantine import Quarantine
from messages_app.writing.store import Outcome, Store
from messages_app.writing.stream import Stream
from relaybase.connections import mongo_collection
from relaycore.envelope import key_of, position_of
from relaycore.storing.retrying import stored


class Inserting:
    """Inserts batches, in the threads in the background: several at a time, and each waits for MongoDB."""

    def __init__(self, stream: Stream, stopping: Callable[[], bool]) -> None:
        self._stream = stream
        self._store = Store(mongo_collection("messages"), stopping)
        self._quarantine = Quarantine(mongo_collection("quarantine"), stopping)
        self._suspect: str | None = None

    def learn_suspect(self) -> None:
        """Which message was tried when a writer before this one died. To be called before any insert."""
        if self._suspect is None:
            # Only what was noted before this writer began has killed one.
            self._suspect = self._stream.suspect()

    def insert(self, batch: Batch) -> Outcome:
        """Returns when everything in the batch is durable somewhere."""
        begun = time.monotonic()
        if batch.careful:
            outcome = self._insert_each(batch)
        else:
            insert = self._store.insert_in_turn if batch.repeats else self._store.insert
            outcome = insert(batch.documents, doubtful=batch.doubtful)
        for index, reason in outcome.refused.items():
            document, row = batch.documents[index], batch.retried.get(index)
            self._quarantine.put_message(document, position_of(document), reason, row)
        for position, document, reason in batch.rejected:
            self._quarantine.put_message(document, position, reason)
        for entry, reason in batch.unread:
            self._quarantine.put_entry(entry.id, entry.fields, reason)
        for index in stored(batch.retried, outcome.refused):
            self._quarantine.forget(batch.retried[index], key_of(batch.documents[index]))
        outcome.seconds = time.monotonic() - begun
        return outcome

    def _insert_each(self, batch: Batch) -> Outcome:
        """One message at a time, each noted before: if this process dies, the note says of what."""
        outcome = Outcome()
        for index, document in enumerate(batch.documents):
            position = position_of(document)
            if position == self._suspect:
                outcome.refused[index] = f"The writer died more than {MOST_DELIVERIES} times with it."
                continue
            self._stream.note_suspect(position)
            try:
                one = self._store.insert([document], doubtful=True)
            finally:
                self._stream.note_suspect("")
            if one.duplicates:
                outcome.duplicates.add(index)
            if one.refused:
                outcome.refused[index] = one.refused[0]
            outcome.operation_time = max(outcome.operation_time, one.operation_time)
        return outcome
