"""What there is of a topic: what was produced up to now, and how much of it is above a position."""

import asyncio
from collections.abc import Sequence
from typing import Final

import redis
from django.conf import settings
from django.db import connection

from leases_app import partitioning
from messages_app import beside
from messages_app.searching import archive, arriving
from messages_app.searching.history import collection
from messages_app.searching.primary import session_after
from relaybase.connections import async_redis, one_per_loop
from relaybase.gathering import Gathering
from relaycore.channels import partition_of
from relaycore.errors import Disconnected
from relaycore.position import NEVER

STORED_SECONDS: Final = 5.0
"""So long somebody waits for the writer."""

_MOST: Final = 1000

NOT_STORED: Final = "What was produced is not all stored yet. Try again in a few seconds."


async def last_produced(channel: str) -> str:
    """The id of the last entry that stands on the topic's stream; asked once for all who ask meanwhile.

    Raises:
        Disconnected: Redis does not answer.
    """
    return await _lasts().find(partition_of(channel, settings.RELAY_PARTITIONS)) or NEVER


async def wait_until_stored(channel: str, entry: str) -> None:
    """Returns once everything up to this entry is stored.

    Raises:
        Disconnected: that was not so within `STORED_SECONDS`.
    """
    partition = partition_of(channel, settings.RELAY_PARTITIONS)
    if entry != NEVER and await arriving.wait_until_stored(partition, entry, STORED_SECONDS) is None:
        raise Disconnected(NOT_STORED)


async def count(channel: str, above: str) -> int:
    """How many messages of the channel are stored above this position.

    Raises:
        Disconnected: Redis does not say up to where everything is stored, or MongoDB has fallen behind.
        UnfitServer: everything is divided otherwise by now.
        PyMongoError: MongoDB does not answer.
    """
    return await asyncio.to_thread(_count, channel, above)


def _count(channel: str, above: str) -> int:
    partition = partition_of(channel, settings.RELAY_PARTITIONS)
    try:
        horizon = archive.look(partition, partitioning.layout())
    finally:
        connection.close()
    messages = collection()
    with session_after(messages, horizon.operation_time) as session:
        wanted = {"channel": channel, "position": {"$gt": above}}
        return messages.count_documents(wanted, hint="channel_position", session=session)


@one_per_loop
def _lasts() -> Gathering[int, str]:
    return Gathering(_read_lasts, _MOST)


async def _read_lasts(partitions: Sequence[int]) -> dict[int, str | Exception]:
    client = async_redis()
    try:
        return {partition: await beside.last_id(client, partition) for partition in partitions}
    except redis.ResponseError as exc:
        # Such as that this server is a replica by now. The next connection may lead to another one.
        await client.connection_pool.disconnect(inuse_connections=False)
        raise Disconnected(f"Redis does not say what was produced: {exc}") from exc
    except redis.RedisError as exc:
        raise Disconnected(f"Redis does not say what was produced: {exc}") from exc
