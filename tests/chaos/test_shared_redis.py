"""Two deployments share a Redis, and so its one Pub/Sub space: each is as safe as if it were alone."""

import random
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from channels_app.models import Gap
from leases_app.models import Deployment

from .cluster import Cluster, Wait
from .conftest import Settle
from .neighbour import Neighbour
from .publisher import Publisher

pytestmark = pytest.mark.fault(21)

RATE = 500
DEAF_SECONDS = 0.4
"""A listener that is cut off connects anew at once. Not so one that leaves it to somebody else."""


@pytest.fixture
def neighbour(settings: Any, wait_until: Wait, tmp_path: Path, archive: Any) -> Iterator[Neighbour]:
    """Nothing of it runs yet."""
    neighbour = Neighbour(settings, wait_until, tmp_path / "neighbour.log")
    neighbour.make()
    yield neighbour
    neighbour.end()
    print((tmp_path / "neighbour.log").read_text(errors="replace")[-20_000:])


def hearing(pair: Cluster) -> list[dict[str, str]]:
    """The connections on which its listeners hear. The neighbour's have another database number."""
    return [c for c in pair.data_connections() if c["db"] == "0" and int(c["sub"]) > 0]


@pytest.mark.parametrize("cuts", [2, pytest.param(20, marks=[pytest.mark.long, pytest.mark.timeout(600)])])
def test_cut_off_it_hears_again_at_once_and_the_other_one_misses_nothing(
    neighbour: Neighbour, pair: Cluster, settled: Settle, wait_until: Wait, chance: random.Random, cuts: int
) -> None:
    pair.channel("orders", "every")
    neighbour.listen_to("orders")
    with Publisher(pair.redis_url, "orders", RATE) as publisher:
        for _ in range(cuts):
            time.sleep(1)
            neighbour.cut()
            assert pair.redis.client_kill_filter(_id=chance.choice(hearing(pair))["id"]) == 1
            wait_until(lambda: len(hearing(pair)) == 2, what="both hear again")
        time.sleep(1)
    verdict = settled(publisher)
    assert verdict.is_clean, str(verdict)
    assert not Gap.objects.filter(covered=False).exists()
    beside = neighbour.verdict_on(publisher)
    assert beside.stored, "it has heard nothing"
    assert beside.is_clean_but_for_losses, str(beside)
    assert len(beside.lost) <= neighbour.missed_at_most()
    assert len(beside.lost) <= cuts * DEAF_SECONDS * RATE, str(beside)


def test_control_two_that_cannot_be_told_apart_disturb_each_other(
    neighbour: Neighbour, pair: Cluster, archive: Any, settings: Any
) -> None:
    pair.channel("orders", "every")
    own = Deployment.objects.get()
    neighbour.take_for(own.identity, own.secret, settings.SECRET_KEY)
    neighbour.listen_to("orders")
    with Publisher(pair.redis_url, "orders", RATE) as publisher:
        time.sleep(1)
        neighbour.cut()
        time.sleep(1)
    time.sleep(2)
    assert archive.count_documents({}) < len(publisher.accepted), "nothing has disturbed it"
