"""Letting time pass in a partition where nothing comes.

Where something comes, positions say how late it is. Where nothing does, the watermark is Redis' clock, which
may be set back: then something could still come below it. So whoever needs to be sure that nothing comes
below a time any more raises the last id of the stream to it: ids are never given below that.

Nor are they after a loss of all of Redis' data, up to the mark that the writer has reserved in MongoDB
(`relaycore.storing.keeping`). So the last id is raised no further than that.
"""

from dataclasses import dataclass
from typing import Any, Final, cast

import redis

from messages_app.searching.history import collection
from relaybase import keys
from relaybase.connections import shared_redis
from relaybase.redis.scripts import MISFIT, NAMED
from relaycore.errors import Disconnected, UnfitServer, one_line
from relaycore.layout import Layout
from relaycore.position import NEVER, entry_of, milliseconds_of

_KEPT: Final = "partitions"
"""Where writers keep their marks (`messages_app.writing.kept`)."""

# KEYS: stream, layout. ARGV: the layout, since when something is due, the mark in ms.
# The first write needs no memory: a Redis that is full lets what follows it through.
_PASS: Final = (
    MISFIT
    + NAMED
    + """
local other = misfit(redis.call('GET', KEYS[2]), ARGV[1])
if other then return other end
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
if redis.call('EXISTS', KEYS[1]) == 0 then return {now, '0-0'} end
local last = named(redis.call('XINFO', 'STREAM', KEYS[1]))['last-generated-id']
local due, most = tonumber(ARGV[2]), math.min(now, tonumber(ARGV[3]))
if tonumber(string.match(last, '^%d+')) < due and due <= most then
  redis.call('PERSIST', KEYS[1])
  last = string.format('%.0f-0', most)
  redis.call('XSETID', KEYS[1], last)
end
return {now, last}
"""
)


@dataclass(frozen=True, slots=True)
class Passed:
    """now: Redis' clock, ms since 1970; last_id: the stream's; no id below it is given any more."""

    now: int
    last_id: str


def let_pass(partition: int, layout: Layout, due: int, mark: str) -> Passed:
    """Raise the last id, if Redis' clock says that it is due by now, and the mark allows it.

    due:  ms since 1970
    mark: as `mark_of` has read it

    Raises:
        Disconnected: Redis does not answer.
        UnfitServer: everything is divided otherwise by now.
    """
    client, own = shared_redis(), str(layout)
    try:
        found = client.eval(
            _PASS,
            2,
            keys.stream(partition),
            keys.layout(partition),
            own,
            str(due),
            str(milliseconds_of(mark)),
        )
    except redis.ResponseError as exc:
        if "LAYOUT " in str(exc):
            raise UnfitServer("Everything is divided otherwise by now.") from exc
        raise Disconnected(f"Redis does not let time pass: {one_line(exc)}") from exc
    except redis.RedisError as exc:
        raise Disconnected(f"Redis does not let time pass: {one_line(exc)}") from exc
    now, last = cast(list[Any], found)
    return Passed(int(now), last.decode())


def mark_of(partition: int) -> str:
    """The id up to which the writer of a partition has reserved positions; `NEVER`: none yet. It only grows.

    Raises:
        PyMongoError: MongoDB does not answer.
    """
    kept = collection().database[_KEPT].find_one({"_id": partition}, {"mark": 1}) or {}
    return entry_of(kept["mark"]) if "mark" in kept else NEVER
