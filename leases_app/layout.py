"""The layout as it stands beside the streams in Redis (`relaycore.layout`).

Who begins to hear or to write sees that it is the one that PostgreSQL has, and writes it where Redis has
none. Only `manage.py repartition` changes it: `MOVING` first, and the new one last, so that whatever ends it
halfway is seen, and nothing is appended until it was run again.
"""

from collections.abc import Iterable
from typing import Any, Final

import redis

from leases_app import partitioning
from relaybase import keys
from relaybase.connections import shared_redis
from relaycore.channels import MOST_PARTITIONS
from relaycore.errors import Disconnected, UnfitServer
from relaycore.layout import MOVING, Layout, greatest, misfit

# The id of the next entry is above it, whatever the clock says; an id above it is not taken back.
_RAISE: Final = """
redis.call('PERSIST', KEYS[1])
redis.pcall('XGROUP', 'CREATE', KEYS[1], ARGV[1], '0', 'MKSTREAM')
local answer = redis.pcall('XSETID', KEYS[1], ARGV[2])
if answer.err then return answer end
return redis.call('EXISTS', KEYS[1])
"""


def beside(partitions: int) -> list[str | None]:
    """What stands beside the streams of so many partitions; None where nothing does.

    Raises:
        redis.RedisError: Redis does not answer.
    """
    with shared_redis().pipeline(transaction=False) as pipeline:
        for partition in range(partitions):
            pipeline.get(keys.layout(partition))
        found: list[bytes | None] = pipeline.execute()
    return [None if text is None else text.decode(errors="replace") for text in found]


def require(own: Layout) -> None:
    """See that what stands in Redis is `own`, the layout of PostgreSQL, or nothing.

    Raises:
        UnfitServer: it is another one.
        Disconnected: Redis does not answer.
    """
    try:
        why = misfit(own, beside(own.partitions))
    except redis.RedisError as exc:
        raise Disconnected(f"Redis cannot be asked for its layout: {exc}") from exc
    if why is not None:
        raise UnfitServer(why)


def begin(partition: int) -> Layout:
    """The layout under which a loop of this partition appends; it stands in Redis from here on.

    Raises:
        UnfitServer: another one does, or there are streams of partitions that nobody reads.
        Disconnected: Redis does not answer.
    """
    own, client = partitioning.layout(), shared_redis()
    require(own)
    try:
        if client.get(keys.layout(partition)) is None:
            if streams() > own.partitions:
                raise UnfitServer(
                    f"Redis has streams of more than {own.partitions} partitions: it was divided otherwise. "
                    "Stop everything and run `manage.py repartition`."
                )
            _write_where_missing(client, partition, own)
    except redis.RedisError as exc:
        raise Disconnected(f"Redis cannot be asked for its layout: {exc}") from exc
    return own


def streams() -> int:
    """Of so many partitions there are streams, whoever knows of them.

    Raises:
        redis.RedisError: Redis does not answer.
    """
    with shared_redis().pipeline(transaction=False) as pipeline:
        for partition in range(MOST_PARTITIONS):
            pipeline.exists(keys.stream(partition))
        found: list[int] = pipeline.execute()
    return max((partition + 1 for partition, exists in enumerate(found) if exists), default=0)


def say_moving(partitions: Iterable[int]) -> None:
    """From here on nobody appends."""
    _say(MOVING, partitions)


def say(layout: Layout, partitions: Iterable[int]) -> None:
    """From here on only who works under this layout appends."""
    _say(str(layout), partitions)


def raise_streams(before: int, after: int, marks: Iterable[str] = ()) -> None:
    """Let the streams of `after` partitions go on above whatever those of `before` have ever had.

    So no channel that moves gets a position below one that it had. Streams that are to be deleted
    are counted too, and each that stays knows the greatest id: it is not forgotten with them.

    marks: ids up to which something may be stored. A Redis that has lost its data knows less than they say.

    Raises:
        redis.RedisError: Redis does not answer.
    """
    client = shared_redis()
    ids = list(marks)
    for partition in range(max(before, after)):
        if client.exists(keys.stream(partition)):
            info: Any = client.xinfo_stream(keys.stream(partition))
            ids.append(info["last-generated-id"].decode())
    last = greatest(ids)
    if last == "0-0":
        return
    for partition in range(after):
        client.eval(_RAISE, 1, keys.stream(partition), keys.GROUP, last)


def _write_where_missing(client: redis.Redis, partition: int, own: Layout) -> None:
    try:
        client.set(keys.layout(partition), str(own), nx=True)
    except redis.ResponseError as exc:
        if not str(exc).startswith("OOM"):
            raise
        # One that takes no writes now has it with the first entry that it takes.


def _say(text: str, partitions: Iterable[int]) -> None:
    with shared_redis().pipeline(transaction=True) as pipeline:
        for partition in partitions:
            pipeline.set(keys.layout(partition), text)
        pipeline.execute()
