"""Counting anew what is stored, when Redis has lost its counts."""

from typing import Any

import pymongo
from django.conf import settings
from pymongo.collection import Collection

from relaycore.channels import partition_of

_SECONDS = 600.0


def count_stored(messages: Collection[Any], partition: int, below: str | None) -> dict[bytes, int]:
    """Messages by channel in one partition; only positions below `below`, if it is given.

    Scans the index (channel, position) once, about a second for each million messages.

    Raises:
        PyMongoError: MongoDB does not answer.
    """
    pipeline: list[dict[str, Any]] = [
        {"$match": {"position": {"$lt": below}} if below else {}},
        {"$group": {"_id": "$channel", "stored": {"$sum": 1}}},
    ]
    with pymongo.timeout(_SECONDS):
        found = list(messages.aggregate(pipeline, hint="channel_position"))
    return {
        row["_id"].encode(): row["stored"]
        for row in found
        if partition_of(row["_id"], settings.RELAY_PARTITIONS) == partition
    }
