"""A cluster of real processes on clean servers, and what is stored by it."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from relayproject import keys
from relayproject.connections import mongo_collection

from .checker import Verdict, judge
from .cluster import Cluster, Wait
from .publisher import Publisher

Settle = Callable[..., Verdict]


@pytest.fixture
def cluster(
    transactional_db: None, settings: Any, relay_keys: Any, archive: Any, wait_until: Wait, tmp_path: Path
) -> Iterator[Cluster]:
    """No process runs yet."""
    settings.RELAY_LEASE_TTL_SECONDS = 1.0  # As the cluster has it, since the test reads leases as well.
    cluster = Cluster(settings, relay_keys, wait_until, tmp_path / "processes.log")
    yield cluster
    cluster.end()
    print((tmp_path / "processes.log").read_text(errors="replace")[-20_000:])


@pytest.fixture
def settled(cluster: Cluster, wait_until: Wait) -> Settle:
    """What the checker says, once everything that is on the stream is stored."""

    def settle(*publishers: Publisher, seconds: float = 30) -> Verdict:
        wait_until(lambda: is_drained(cluster.redis), seconds=seconds, what="everything stored")
        messages = mongo_collection("messages")
        stored = [row["message"] for row in messages.find({}, {"message": 1}).sort("position")]
        return judge(
            [text for publisher in publishers for text in publisher.accepted],
            [text for publisher in publishers for text in publisher.attempted],
            stored,
        )

    return settle


def is_drained(redis: Any) -> bool:
    """Whether the group has read and acknowledged all of the stream, and no listener has anything for it."""
    length = redis.xlen(keys.stream(0))
    groups = [group for group in redis.xinfo_groups(keys.stream(0)) if group["name"] == keys.GROUP.encode()]
    if not groups or groups[0]["pending"]:
        return False
    last = redis.xrevrange(keys.stream(0), count=1)
    return not length or groups[0]["last-delivered-id"] == last[0][0]
