"""The lease of the leadership goes back: a copy of PostgreSQL that lagged takes over, or it is restored."""

import signal
import time
from typing import Any

import pytest
from django.db.models import F

from channels_app.models import Gap
from leases_app.models import Lease

from .cluster import Cluster, Wait
from .conftest import Settle
from .publisher import Publisher

pytestmark = pytest.mark.fault(26)

STORED_AGAIN_SECONDS = 5


@pytest.fixture
def old(cluster: Cluster) -> Cluster:
    """Thirty terms lie behind, so that there is something to go back to."""
    Lease.objects.create(role=Lease.Role.LISTENER, partition=0, epoch=30)
    cluster.start("write")
    return cluster


def go_back(terms: int) -> int:
    """The row is what it was so many terms ago; the epoch that it had."""
    rows = Lease.objects.filter(role=Lease.Role.LISTENER, partition=0)
    epoch = rows.get().epoch
    assert rows.update(epoch=F("epoch") - terms) == 1
    return epoch


@pytest.mark.parametrize("terms", [15, 21])
@pytest.mark.parametrize("dies", [True, False], ids=["the leader dies", "nobody dies"])
def test_everything_is_stored_and_the_next_term_is_above_all_that_were(
    old: Cluster, settled: Settle, archive: Any, wait_until: Wait, terms: int, dies: bool, took_over: Any
) -> None:
    old.start("listen")
    old.start("listen")
    old.wait_for(2)
    old.channel("orders", "every")
    with Publisher(old.redis_url, "orders") as publisher:
        time.sleep(1)
        leader = old.leader()
        assert leader is not None
        if dies:
            old.signal(leader, signal.SIGSTOP)  # Else it might have the lease again before it is killed.
        epoch = go_back(terms)
        if dies:
            old.signal(leader, signal.SIGKILL)
        began, before = time.monotonic(), archive.count_documents({})
        wait_until(
            lambda: old.epoch() == epoch + 1, seconds=STORED_AGAIN_SECONDS, what="the next term of all"
        )
        if dies:
            took_over(time.monotonic() - began)
        wait_until(
            lambda: archive.count_documents({}) > before + 1000,
            seconds=STORED_AGAIN_SECONDS,
            what="stored again",
        )
        assert time.monotonic() - began < STORED_AGAIN_SECONDS
        if dies:
            old.replace_listener()
        else:
            assert "PostgreSQL went back" in old.log()
        old.wait_for(2)
    verdict = settled(publisher)
    assert verdict.is_clean, str(verdict)
    assert not Gap.objects.filter(covered=False).exists()


def test_control_who_claims_the_epoch_after_that_of_the_lease_has_won_too_late_again_and_again(
    old: Cluster, archive: Any, wait_until: Wait
) -> None:
    old.start_careless("epochs")
    old.start_careless("epochs")
    old.wait_for(2)
    old.channel("orders", "every")
    with Publisher(old.redis_url, "orders"):
        time.sleep(1)
        leader = old.leader()
        assert leader is not None
        old.signal(leader, signal.SIGSTOP)
        epoch = go_back(30)
        old.signal(leader, signal.SIGKILL)
        time.sleep(1)  # What it had appended is stored.
        before = archive.count_documents({})
        assert before
        time.sleep(3)
        assert archive.count_documents({}) == before
        assert 1 < old.epoch() < epoch, "nobody has won"
