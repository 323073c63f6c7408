"""What the loops count, kept in Redis: they live in many processes, and end one after another.

A loop adds up in its own memory, which costs nothing, and brings the sums to Redis about once
a second. So the numbers only grow, whoever adds to them, and any web process can show them
(`relayproject.observing.metrics`). A flush whose reply is lost is sent again: these are
figures for people and alerts. What must be exact is counted where it is acknowledged.
"""

import bisect
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final, cast

import redis

from relaybase import keys

BUCKETS: Final[Mapping[str, tuple[float, ...]]] = {
    "batch_messages": (1, 10, 100, 500, 1000, 2000, 5000, 10_000),
    "insert_seconds": (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
    "rule_timer_late_seconds": (0.025, 0.05, 0.1, 0.25, 0.5, 1, 2, 5, 10, 30, 60),
}
"""Histograms, and the upper bounds of their buckets; above the last one there is one more."""


class Meters:
    """Sums of one loop. For one thread."""

    def __init__(self, client: redis.Redis, partition: int) -> None:
        self._redis = client
        self._key = keys.meters(partition)
        self._sums: Counter[str] = Counter()
        self._totals: dict[str, float] = dict.fromkeys(BUCKETS, 0.0)

    def add(self, name: str, amount: int = 1) -> None:
        """Count."""
        self._sums[name] += amount

    def observe(self, name: str, value: float) -> None:
        """Count one value of a histogram."""
        self._sums[f"{name}:{bisect.bisect_left(BUCKETS[name], value)}"] += 1
        self._totals[name] += value

    def flush(self) -> None:
        """Bring the sums to Redis. What it does not take (it may be full) is brought the next time.

        Raises:
            redis.RedisError: it does not answer.
        """
        with self._redis.pipeline(transaction=True) as pipeline:
            for field, amount in self._sums.items():
                if amount:
                    pipeline.hincrby(self._key, field, amount)
            for name, total in self._totals.items():
                if total:
                    pipeline.hincrbyfloat(self._key, f"{name}:sum", total)
            try:
                pipeline.execute()
            except redis.ResponseError:
                return
        self._sums.clear()
        self._totals = dict.fromkeys(BUCKETS, 0.0)


@dataclass(frozen=True, slots=True)
class Reading:
    """What all loops of a partition have counted, over all their lives."""

    fields: Mapping[bytes, bytes]

    def count(self, name: str) -> int:
        """Of a counter."""
        return int(self.fields.get(name.encode(), 0))

    def buckets(self, name: str) -> tuple[list[tuple[str, float]], float]:
        """Of a histogram: cumulated counts by upper bound, as Prometheus has them, and the sum."""
        cumulated, found = 0, []
        for index, bound in enumerate([*map(str, BUCKETS[name]), "+Inf"]):
            cumulated += self.count(f"{name}:{index}")
            found.append((bound, float(cumulated)))
        return found, float(self.fields.get(f"{name}:sum".encode(), 0.0))


def read(client: redis.Redis, partitions: Iterable[int]) -> dict[int, Reading]:
    """The readings of these partitions.

    Raises:
        redis.RedisError: Redis does not answer.
    """
    asked = list(partitions)
    with client.pipeline(transaction=False) as pipeline:
        for partition in asked:
            pipeline.hgetall(keys.meters(partition))
        answers = cast(list[dict[bytes, bytes]], pipeline.execute())
    return {partition: Reading(answer) for partition, answer in zip(asked, answers, strict=True)}
