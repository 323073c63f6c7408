"""Counting anew what is stored, when Redis has lost its counts."""

import logging
import uuid
from concurrent.futures import Future, wait
from typing import Any

import pymongo
from django.conf import settings
from pymongo.collection import Collection
from pymongo.errors import PyMongoError

from messages_app import expired
from messages_app.writing.stream import Stream
from relaybase.background import in_background
from relaycore.channels import partition_of
from relaycore.storing.expiring import Expired
from relaycore.storing.known import delivered_below

log = logging.getLogger(__name__)

_SECONDS = 3600.0
_PATIENCE_SECONDS = 1.0
"""So long the writer waits for the counts. Those of a small archive are there within it."""


class Recount:
    """Counts beside the writing, since it takes a second for each million messages.

    What is stored from `begin` on is counted as ever. Added to it is what was stored
    before, once that is known; the two do not overlap, as a position divides them.
    """

    def __init__(self, stream: Stream, messages: Collection[Any], partition: int) -> None:
        self._stream = stream
        self._messages = messages
        self._partition = partition
        self._below = self._token = ""
        self._counting: Future[dict[bytes, tuple[int, int]]] | None = None

    def begin(self) -> None:
        """If the counts are lost, count. Nothing may be in flight or pending."""
        if self._counting is None and not self._stream.has_counts():
            log.info("partition %d: Redis has no complete counts, counting", self._partition)
            self._stream.add_up()  # What is stored already is counted there, and must not be added later.
            self._below = delivered_below(self._stream.look())
            self._token = uuid.uuid4().hex
            self._stream.reset_counts(self._token)
            wait([self._start()], _PATIENCE_SECONDS)
            self.turn()

    def turn(self) -> None:
        """Take over the result, if it is there."""
        if self._counting is None or not self._counting.done():
            return
        try:
            counted = self._counting.result()
        except PyMongoError as exc:
            log.warning("partition %d: not counted yet: %s", self._partition, exc)
            self._start()
            return
        whole = self._stream.complete_counts(self._token, counted)
        self._counting = None
        if whole:
            stored = sum(messages for messages, _ in counted.values())
            # At the first start of all there is nothing to count, and nothing was lost.
            level = logging.WARNING if stored else logging.INFO
            log.log(level, "partition %d: counted %d messages anew", self._partition, stored)

    def _start(self) -> "Future[dict[bytes, tuple[int, int]]]":
        self._counting = in_background(count, self._messages, self._partition, self._below)
        return self._counting


def count(messages: Collection[Any], partition: int, below: str) -> dict[bytes, tuple[int, int]]:
    """By channel: how many are stored, and how many had expired without being among them.

    Retention begins no batch meanwhile, but one may be under way. So a channel of which the record has
    changed is counted by itself, above what may be deleted, until it stays.

    Raises:
        PyMongoError: MongoDB does not answer.
    """
    records = messages.database.get_collection(expired.COLLECTION)
    before = expired.read_all(records)
    stored = count_stored(messages, partition, below)
    counted = {name: (number, 0) for name, number in stored.items()}
    for channel, record in expired.read_all(records).items():
        if partition_of(channel, settings.RELAY_PARTITIONS) != partition:
            continue
        name, is_sure = channel.encode(), record == before.get(channel) and not record.going
        number = stored.get(name, 0)
        sure, number = (record, number) if is_sure else _count_kept(messages, records, channel, below)
        counted[name] = number, sure.messages
    return counted


def _count_kept(
    messages: Collection[Any], records: Collection[Any], channel: str, below: str
) -> tuple[Expired, int]:
    """How many messages stand above what may be deleted, and the record that says up to where that is."""
    record = expired.read(records, channel)
    while True:
        known, above = record, {"channel": channel, "position": {"$gt": record.upto, "$lt": below}}
        with pymongo.timeout(_SECONDS):
            number = messages.count_documents(above)
        record = expired.read(records, channel)
        if record == known:
            return record, number


def count_stored(messages: Collection[Any], partition: int, below: str) -> dict[bytes, int]:
    """Messages by channel in one partition, of those with a position below `below`.

    Scans the index (channel, position) once, and no document.

    Raises:
        PyMongoError: MongoDB does not answer.
    """
    with pymongo.timeout(_SECONDS):
        found = list(messages.aggregate(stored_below(below), hint="channel_position"))
    return {
        row["_id"].encode(): row["stored"]
        for row in found
        if partition_of(row["_id"], settings.RELAY_PARTITIONS) == partition
    }


def stored_below(position: str) -> list[dict[str, Any]]:
    """The aggregation of `count_stored`."""
    return [
        # Without a condition on the first field of the index, MongoDB looks at each document.
        {"$match": {"channel": {"$gte": ""}, "position": {"$lt": position}}},
        {"$group": {"_id": "$channel", "stored": {"$sum": 1}}},
    ]
