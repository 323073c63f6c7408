"""How much was published by HTTP, by whom and on which channel: kept in Redis, for people and metrics.

Each process adds up in memory, and brings the sums to Redis a second later. Only `MOST` pairs of a producer
and a channel are counted by name, whoever publishes where: what comes beyond them is counted together.
"""

import json
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final, cast

import redis

from relaybase import keys
from relaybase.redis.wire import Argument

MOST: Final = 500

OTHERS: Final = ("", "")
"""The pair of all that have no place of their own."""

COUNTS: Final = ("messages", "bytes", "refused")

# KEYS: the hash. ARGV: how many fields it may have, the pair of the others; then pair, count, and how many.
_ADD: Final = """
for i = 3, #ARGV, 3 do
  local pair = ARGV[i]
  if redis.call('HEXISTS', KEYS[1], ARGV[i + 1] .. ' ' .. pair) == 0
      and redis.call('HLEN', KEYS[1]) >= tonumber(ARGV[1]) then
    pair = ARGV[2]
  end
  redis.call('HINCRBY', KEYS[1], ARGV[i + 1] .. ' ' .. pair, ARGV[i + 2])
end
"""

Pair = tuple[str, str]
"""The name of a producer, and a channel."""


class Usage:
    """What one process has counted and not yet brought to Redis."""

    def __init__(self) -> None:
        self._sums: dict[Pair, list[int]] = {}

    def add(self, pair: Pair, *, messages: int = 0, size: int = 0, refused: int = 0) -> bool:
        """Count; whether it is the first since the last `command`."""
        is_first = not self._sums
        if len(self._sums) >= MOST and pair not in self._sums:
            pair = OTHERS
        sums = self._sums.setdefault(pair, [0, 0, 0])
        sums[0] += messages
        sums[1] += size
        sums[2] += refused
        return is_first

    def command(self) -> tuple[Argument, ...]:
        """What brings it to Redis. A lost answer loses or doubles it: these are figures for people."""
        counts: list[Argument] = []
        for pair, sums in self._sums.items():
            for name, count in zip(COUNTS, sums, strict=True):
                if count:
                    counts += (_written(pair), name, count)
        self._sums.clear()
        return ("EVAL", _ADD, 1, keys.PUBLISHED, MOST * len(COUNTS), _written(OTHERS), *counts)


@dataclass(frozen=True, slots=True)
class Used:
    """What a producer has published on a channel, ever. Both empty: all the others together."""

    producer: str
    channel: str
    messages: int = 0
    bytes: int = 0
    refused: int = 0


def read(client: redis.Redis) -> list[Used]:
    """All that is counted.

    Raises:
        redis.RedisError: Redis does not answer.
    """
    found: defaultdict[Pair, dict[str, int]] = defaultdict(dict)
    for field, count in cast(dict[bytes, bytes], client.hgetall(keys.PUBLISHED)).items():
        name, _, pair = field.decode(errors="replace").partition(" ")
        if name in COUNTS and (read := _read(pair)) is not None and count.isdigit():
            found[read][name] = int(count)
    return [Used(producer, channel, **counts) for (producer, channel), counts in sorted(found.items())]


def _written(pair: Iterable[str]) -> str:
    return json.dumps(list(pair))


def _read(text: str) -> Pair | None:
    try:
        found: Any = json.loads(text)
    except ValueError:
        return None
    is_pair = isinstance(found, list) and len(found) == 2 and all(isinstance(one, str) for one in found)
    return (found[0], found[1]) if is_pair else None
