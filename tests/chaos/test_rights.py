"""Redis takes rights away, or gives nothing to hear: what is not heard is said not to be, with the reason."""

import time
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest
from django.test import Client

from channels_app.models import Channel, Gap
from tests.proxy import Proxy

from .cluster import Cluster, Wait
from .conftest import Settle
from .publisher import Publisher
from .servers import OwnServer

pytestmark = pytest.mark.fault(24)

SAID_SECONDS = 3
BACK_SECONDS = 10
SECRET = "secret"
CHANNELS = ("orders", "alerts", "invoices")


class Rights:
    """Two users of one Redis, one for each listener: what they may do can be changed."""

    def __init__(self, server: OwnServer) -> None:
        self._server = server
        for user in ("one", "other"):
            self.grant(user)

    def url(self, user: str) -> str:
        """Of the server, as this user."""
        parts = urlsplit(self._server.url)
        return parts._replace(netloc=f"{user}:{SECRET}@{parts.netloc}").geturl()

    def grant(self, user: str, *, without: str = "", commands: str = "+@all") -> None:
        """These rights from now on, and none on the channel `without`, or on any if that is `*`."""
        channels = [] if without == "*" else [f"&{name}" for name in CHANNELS if name != without]
        internal = [] if without == "*" else ["&__relay:*", "&orchestrator_channel"]
        with self._server.redis() as client:
            client.execute_command(
                *("ACL", "SETUSER", user, "on", f">{SECRET}", "~*", "+@all", commands),
                *("resetchannels", *internal, *channels),
            )


@pytest.fixture
def rights(own_redis: OwnServer) -> Rights:
    """Everything is granted."""
    return Rights(own_redis)


@pytest.fixture
def users(rights: Rights, cluster: Cluster) -> Cluster:
    """Two listeners: the first one leads, as user `one`; the second one is `other`. And a writer."""
    cluster.start("write")
    cluster.start("listen", REDIS_URL=rights.url("one"))
    cluster.wait_for(1)
    cluster.start("listen", REDIS_URL=rights.url("other"))
    cluster.wait_for(2)
    return cluster


NOT_HERE = ("MongoDB", "sender of shard 0", "processor of shard 0")
"""The test does not lend the first, and starts none of the others."""


def why_not_ready() -> list[str]:
    """What /readyz says that does not work, of what there is."""
    checks = Client().get("/readyz").json()["checks"]
    return [str(check["detail"]) for check in checks if not check["ok"] and check["name"] not in NOT_HERE]


def test_one_channel_is_refused_and_the_others_go_on(
    rights: Rights, users: Cluster, settled: Settle, wait_until: Wait
) -> None:
    for name in CHANNELS:
        users.channel(name, "every")
    with Publisher(users.redis_url, "orders", 300) as one, Publisher(users.redis_url, "alerts", 300) as other:
        # A standby that cannot hear one of three still protects the other two.
        rights.grant("other", without="invoices")
        users.wait_for(2)
        rights.grant("one", without="invoices")
        wait_until(lambda: not users.is_active("invoices"), seconds=SAID_SECONDS, what="invoices INACTIVE")
        users.wait_for(2)
        assert users.is_active("orders")
        assert users.is_active("alerts")
        assert "NOPERM" in Channel.objects.get(channel="invoices").refusal
        assert Gap.objects.filter(channel="invoices", ended_at=None).exists()
        rights.grant("one")
        rights.grant("other")
        wait_until(lambda: users.is_active("invoices"), seconds=BACK_SECONDS, what="invoices ACTIVE again")
        assert Channel.objects.get(channel="invoices").refusal == ""
        users.wait_for(2)
    verdict = settled(one, other)
    assert verdict.is_clean, str(verdict)
    assert not Gap.objects.filter(channel="", covered=False).exists()
    assert not Gap.objects.filter(ended_at=None).exists()


TAKEN: dict[str, dict[str, str]] = {"channels": {"without": "*"}, "scripts": {"commands": "-@scripting"}}


@pytest.mark.parametrize("taken", TAKEN)
def test_the_leader_may_do_it_no_more_and_the_other_one_leads(
    rights: Rights, users: Cluster, settled: Settle, wait_until: Wait, taken: str
) -> None:
    users.channel("orders", "every")
    first = users.wait_for_leader()
    with Publisher(users.redis_url, "orders", 300) as publisher:
        time.sleep(0.5)
        rights.grant("one", **TAKEN[taken])
        wait_until(lambda: users.leader_pid() not in {None, first}, seconds=5, what="another leader")
        time.sleep(1)
        assert users.is_active("orders")
        rights.grant("one")
        users.wait_for(2)
    verdict = settled(publisher)
    assert verdict.is_clean, str(verdict)
    assert not Gap.objects.filter(covered=False).exists()


@pytest.mark.parametrize("taken", TAKEN)
def test_nobody_may_do_it_any_more_and_it_is_said(
    rights: Rights, users: Cluster, settled: Settle, wait_until: Wait, taken: str
) -> None:
    users.channel("orders", "every")
    assert not why_not_ready()
    with Publisher(users.redis_url, "orders", 300) as publisher:
        time.sleep(0.5)
        rights.grant("one", **TAKEN[taken])
        rights.grant("other", **TAKEN[taken])
        time.sleep(SAID_SECONDS)
        assert not users.is_active("orders")
        assert "NOPERM" in " ".join(why_not_ready())
        assert "NOPERM" in users.log()
        if taken == "channels":
            assert Gap.objects.filter(ended_at=None).exists()
        time.sleep(2)
        assert not users.is_active("orders")
        rights.grant("one")
        rights.grant("other")
        wait_until(lambda: users.is_active("orders"), seconds=BACK_SECONDS, what="orders ACTIVE again")
        users.wait_for(2)
        wait_until(lambda: not why_not_ready(), seconds=5, what="ready again")
    verdict = settled(publisher)
    assert verdict.is_clean_but_for_losses, str(verdict)
    assert not Gap.objects.filter(ended_at=None).exists()
    if taken == "scripts":
        assert not verdict.lost, "it has heard all of that"


@pytest.fixture
def black_hole(cluster: Cluster) -> Iterator[Proxy]:
    """A way to Redis on which nothing passes from SUBSCRIBE on; the leader that was there has gone."""
    cluster.start("write")
    before = cluster.start("listen")
    cluster.wait_for(1)
    cluster.channel("orders", "every")
    with Proxy.to(cluster.redis_url) as proxy:
        cluster.stop(before)
        yield proxy


def test_a_fresh_leader_in_front_of_a_black_hole_is_not_green(
    cluster: Cluster, black_hole: Proxy, settled: Settle, wait_until: Wait
) -> None:
    with Publisher(cluster.redis_url, "orders", 300) as publisher:
        with black_hole.hole(opening=b"SUBSCRIBE"):
            cluster.start("listen", REDIS_URL=black_hole.url)
            wait_until(cluster.leader_pid, seconds=20, what="it leads")
            time.sleep(SAID_SECONDS)
            for _ in range(20):
                assert not cluster.is_active("orders")
                assert Gap.objects.filter(ended_at=None).exists()
                assert why_not_ready()
                time.sleep(0.1)
        wait_until(lambda: cluster.is_active("orders"), seconds=BACK_SECONDS, what="orders ACTIVE again")
    verdict = settled(publisher)
    assert verdict.lost, "the fault did not happen"
    assert verdict.is_clean_but_for_losses, str(verdict)
    assert not Gap.objects.filter(ended_at=None).exists()


def test_control_a_leader_that_is_believed_without_proof_is_green_and_deaf(
    cluster: Cluster, black_hole: Proxy, wait_until: Wait
) -> None:
    with black_hole.hole(opening=b"SUBSCRIBE"):
        cluster.start_careless("proofs", REDIS_URL=black_hole.url)
        wait_until(cluster.leader_pid, seconds=20, what="it leads")
        time.sleep(SAID_SECONDS)
        assert cluster.is_active("orders")
        assert cluster.redis.publish("orders", "to nobody") == 0
