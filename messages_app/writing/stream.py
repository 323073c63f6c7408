"""One partition's stream, as its writer sees it."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

import redis

from relayproject import keys

log = logging.getLogger(__name__)

# Everything below `bound` is acknowledged. What Redis counts as pending decides, not what this
# process remembers, and nothing can happen between the look and the cut.
_TRIM = """
local pending = redis.call('XPENDING', KEYS[1], ARGV[1])
local bound = pending[2]
if pending[1] == 0 then
  for _, group in ipairs(redis.call('XINFO', 'GROUPS', KEYS[1])) do
    local info = {}
    for i = 1, #group, 2 do info[group[i]] = group[i + 1] end
    if info['name'] == ARGV[1] then bound = info['last-delivered-id'] end
  end
end
local now = redis.call('TIME')
local old = now[1] * 1000 + math.floor(now[2] / 1000) - ARGV[2]
local dash = string.find(bound, '-')
if tonumber(string.sub(bound, 1, dash - 1)) > old then bound = string.format('%.0f-0', math.max(0, old)) end
return redis.call('XTRIM', KEYS[1], 'MINID', '~', bound)
"""


@dataclass(frozen=True, slots=True)
class Entry:
    """An entry of the stream: `1732190000000-0` and its fields. `deliveries` counts this one."""

    id: str
    fields: Mapping[bytes, bytes]
    deliveries: int = 1


class Stream:
    """Reads, acknowledges and trims. Every method may raise `redis.RedisError`."""

    def __init__(self, client: redis.Redis, partition: int) -> None:
        self._redis = client
        self._key = keys.stream(partition)
        self._suspect_key = keys.suspect(partition)
        self._stored_key = keys.stored(partition)
        self._last_at_key = keys.last_at(partition)

    def prepare(self) -> None:
        """Make the consumer group if it is missing, from the very beginning of the stream."""
        try:
            # From 0, never from $: whatever stands there was not written yet.
            self._redis.xgroup_create(self._key, keys.GROUP, id="0", mkstream=True)
            log.info("%s: made the consumer group %s", self._key, keys.GROUP)
        except redis.ResponseError as exc:
            if not str(exc).startswith("BUSYGROUP"):
                raise

    def read(self, count: int, block_ms: int | None) -> list[Entry]:
        """The next entries that no writer has seen; waits `block_ms` for the first one."""
        try:
            return [Entry(id, fields) for id, fields in self._read(">", count, block_ms)]
        except redis.ResponseError as exc:
            if not str(exc).startswith("NOGROUP"):
                raise
            self.prepare()
            return []

    def read_pending(self) -> Entry | None:
        """The oldest entry that was delivered and not acknowledged, delivered once more."""
        pending = self._redis.xpending_range(
            self._key, keys.GROUP, min="-", max="+", count=1, consumername=keys.CONSUMER
        )
        for id, fields in self._read("0", 1, None):
            deliveries = int(pending[0]["times_delivered"]) + 1 if pending else 1
            if fields:
                return Entry(id, fields, deliveries)
            # Its entry is gone from the stream (deleted by hand): there is nothing left to store.
            log.error("%s: entry %s was deleted before it was stored", self._key, id)
            self._redis.xack(self._key, keys.GROUP, id)
            return self.read_pending()
        return None

    def claim_foreign(self, idle_seconds: float) -> int:
        """Take over what other consumers of the group left pending; how many entries."""
        claimed = 0
        for consumer in self._redis.xinfo_consumers(self._key, keys.GROUP):
            if consumer["name"] != keys.CONSUMER.encode() and consumer["pending"]:
                break
        else:
            return 0
        cursor: Any = "0-0"
        while True:
            cursor, ids, *_ = cast(
                Any,
                self._redis.xautoclaim(
                    self._key,
                    keys.GROUP,
                    keys.CONSUMER,
                    min_idle_time=int(idle_seconds * 1000),
                    start_id=cursor,
                    justid=True,
                ),
            )
            claimed += len(ids)
            if cursor in (b"0-0", "0-0"):
                return claimed

    def acknowledge(
        self, ids: Sequence[str], stored: Mapping[bytes, int], last_at: Mapping[bytes, int]
    ) -> None:
        """The entries are durable. `stored`: new messages by channel; `last_at`: ms since 1970."""
        with self._redis.pipeline(transaction=True) as pipe:
            pipe.xack(self._key, keys.GROUP, *ids)
            for channel, count in stored.items():
                pipe.hincrby(self._stored_key, channel, count)
            if last_at:
                pipe.hset(self._last_at_key, mapping=cast(Any, dict(last_at)))
            pipe.execute()

    def trim(self, keep_seconds: float) -> int:
        """Cut off what is acknowledged and old enough; how many entries."""
        return int(
            cast(int, self._redis.eval(_TRIM, 1, self._key, keys.GROUP, str(int(keep_seconds * 1000))))
        )

    def suspect(self) -> str:
        """The position of the message that is being tried by itself; empty if there is none."""
        return cast(bytes, self._redis.get(self._suspect_key) or b"").decode()

    def note_suspect(self, position: str) -> None:
        """Note a position before its message is tried by itself; empty when all is well."""
        self._redis.set(self._suspect_key, position)

    def has_counts(self) -> bool:
        """Whether the counts of stored messages are there."""
        return bool(self._redis.exists(self._stored_key))

    def set_counts(self, counts: Mapping[bytes, int]) -> None:
        """Begin with these counts of stored messages."""
        if counts:
            self._redis.hset(self._stored_key, mapping=cast(Any, dict(counts)))

    def oldest_pending(self) -> str | None:
        """The id of the oldest entry that was delivered and not acknowledged."""
        summary = self._redis.xpending(self._key, keys.GROUP)
        return summary["min"].decode() if summary["pending"] else None

    def _read(self, start: str, count: int, block_ms: int | None) -> list[tuple[str, Mapping[bytes, bytes]]]:
        answer = self._redis.xreadgroup(
            keys.GROUP, keys.CONSUMER, {self._key: start}, count=count, block=block_ms
        )
        return [
            (id.decode(), fields or {}) for _, entries in cast(Any, answer or []) for id, fields in entries
        ]
