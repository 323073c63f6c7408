"""Published by HTTP and by PUBLISH at once, on the same channels, while listeners and web are killed.

What comes in by both doors is numbered by each door, and some texts (or ids) come in by both.
"""

import json
import os
import random
import signal
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from django.conf import settings as django_settings

from channels_app.models import Gap
from leases_app.models import Lease
from relaybase.connections import mongo_collection
from relaycore.policy import Policy
from tests.integration.publishing.killed_web import Web
from tests.proxy import Proxy

from .cluster import Cluster, Wait
from .conftest import Settle
from .door import DoorPublisher
from .publisher import LAST, Publisher

pytestmark = pytest.mark.fault(29)

POLICIES: dict[str, Any] = {
    "every": "every",
    "content": "content",
    "field": Policy("field", "id").as_json(),
}
"""Channels, by the name of their policies."""

RATE = 170
"""Messages a second on each channel by each door: about a thousand in all."""

MOST = 60_000
COMMON = 10
"""Each so many-th text comes in by both doors."""


@pytest.fixture
def proxy() -> Iterator[Proxy]:
    """Between web and Redis."""
    with Proxy.to(django_settings.SERVERS.redis_url) as proxy:
        yield proxy


@pytest.fixture
def web(cluster: Cluster, proxy: Proxy) -> Iterator[Web]:
    """A web process, which is there again as soon as it was killed."""
    web = Web(proxy.url)
    yield web
    web.stop()


def text(channel: str, door: str, number: int) -> str:
    """Under `field` those of both doors have equal ids, and differ otherwise."""
    name = f"{'both' if number % COMMON == 0 else door} {number}"
    return json.dumps({"id": name, "door": door}) if channel == "field" else name


def name(message: str) -> str:
    """What the policy goes by."""
    found: str = json.loads(message)["id"] if message.startswith("{") else message
    return found


class Doors:
    """A context manager: publishes on each channel by each door."""

    def __init__(
        self, redis_url: str, web_url: str, token: str, channels: list[str], **options: bool
    ) -> None:
        options = {"has_key": True} | options

        def texts(channel: str, door: str) -> tuple[list[str], str]:
            begin = text(channel, door, 1)
            return [text(channel, door, number) for number in range(MOST)], begin[: begin.index("1")]

        self.heard = [Publisher(redis_url, name, RATE, *texts(name, "redis")) for name in channels]
        self.sent = [
            DoorPublisher(web_url, token, name, RATE, *texts(name, "http"), **options) for name in channels
        ]
        self.all: list[Publisher] = [*self.heard, *self.sent]
        self._stack = ExitStack()

    def __enter__(self) -> "Doors":
        for publisher in self.all:
            self._stack.enter_context(publisher)
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._stack.close()

    def expected(self, channel: str) -> Counter[str]:
        """How often each name is to be stored, by the policy: each time under `every`, else once."""
        accepted = Counter(
            name(text)
            for publisher in self.all
            if publisher.channel == channel
            for text in publisher.accepted
        )
        return accepted if channel == "every" else Counter(accepted.keys())


def stored(channel: str) -> Counter[str]:
    """How often each name is stored."""
    rows = mongo_collection("messages").find({"channel": channel}, {"message": 1})
    return Counter(name(row["message"]) for row in rows if not row["message"].startswith(LAST))


def differences(doors: Doors, channel: str) -> dict[str, tuple[int, int]]:
    """Names that are not stored as often as they should be: how often they should, and are."""
    expected, found = doors.expected(channel), stored(channel)
    return {
        name: (expected[name], found[name])
        for name in expected.keys() | found.keys()
        if expected[name] != found[name]
    }


def seats() -> set[int]:
    """The processes that listen."""
    held = Lease.objects.live().filter(role=Lease.Role.SEAT, partition=0)
    return {pid for pid in held.values_list("pid", flat=True) if pid}


def end_a_listener(cluster: Cluster, wait_until: Wait, number: signal.Signals, *, leads: bool) -> None:
    """By this signal, the one that leads or the one that stands by. Until there are two again."""
    leader = cluster.wait_for_leader()
    pid = leader if leads else next(iter(seats() - {leader}))
    os.kill(pid, number)
    wait_until(lambda: len(seats() - {pid}) == 2, seconds=20, what="another one in its place")
    wait_until(lambda: cluster.leader_pid() not in {None, pid}, seconds=20, what="a leader")
    cluster.wait_for(2)


def kill_web_unanswered(web: Web, proxy: Proxy) -> None:
    """What it has appended by now stands on the stream, and nobody was told."""
    with proxy.hole(b"relay-publisher", up=False):
        time.sleep(0.2)
        web.kill()


@pytest.mark.parametrize("rounds", [4, pytest.param(40, marks=[pytest.mark.long, pytest.mark.timeout(900)])])
def test_what_comes_in_by_both_doors_is_stored_as_its_policy_says(
    cluster: Cluster,
    web: Web,
    proxy: Proxy,
    token: str,
    settled: Settle,
    wait_until: Wait,
    chance: random.Random,
    rounds: int,
) -> None:
    """Each round: both listeners killed one after another, web killed, and a hand-over."""
    cluster.start("write")
    cluster.keep(2)
    cluster.wait_for(2)
    for channel, policy in POLICIES.items():
        cluster.channel(channel, policy)
    began = time.monotonic()
    with Doors(cluster.redis_url, web.url, token, list(POLICIES)) as doors:
        for number in range(rounds):
            time.sleep(chance.uniform(0.1, 0.6))
            end_a_listener(cluster, wait_until, signal.SIGKILL, leads=True)
            if number % 2:
                web.kill()
            else:
                kill_web_unanswered(web, proxy)
            end_a_listener(cluster, wait_until, signal.SIGKILL, leads=False)
            end_a_listener(cluster, wait_until, signal.SIGTERM, leads=True)
        time.sleep(0.5)
    seconds = time.monotonic() - began
    verdict = settled(*doors.all)
    assert verdict.is_clean, str(verdict)
    assert verdict.published > sum(len(publisher.accepted) for publisher in doors.all) * 0.85
    assert {channel: differences(doors, channel) for channel in POLICIES} == {
        channel: {} for channel in POLICIES
    }
    for publisher in doors.all:
        assert publisher.accepted == publisher.attempted
        assert not publisher.unheard
        assert len(publisher.accepted) > RATE * seconds / 3, "hardly anything was published"
    assert any(publisher.again for publisher in doors.sent), "no request was left unanswered"
    assert not Gap.objects.filter(covered=False).exists()


def test_control_who_ignores_what_is_announced_stores_twice(
    cluster: Cluster, web: Web, token: str, settled: Settle
) -> None:
    cluster.start("write")
    cluster.keep(2, "echoes")
    cluster.wait_for(2)
    cluster.channel("every", "every")
    with Doors(cluster.redis_url, web.url, token, ["every"]) as doors:
        time.sleep(2)
    verdict = settled(*doors.all)
    own = [text for text in doors.sent[0].accepted if doors.sent[0].owns(text)]
    assert len(own) > RATE / 2
    assert sorted(verdict.twice) == sorted(own)
    assert not verdict.lost


def test_control_who_sends_again_without_a_key_stores_twice(
    cluster: Cluster, web: Web, proxy: Proxy, token: str, settled: Settle
) -> None:
    cluster.start("write")
    cluster.keep(2)
    cluster.wait_for(2)
    cluster.channel("every", "every")
    with Doors(cluster.redis_url, web.url, token, ["every"], has_key=False) as doors:
        time.sleep(0.5)
        kill_web_unanswered(web, proxy)
        time.sleep(0.5)
    verdict = settled(*doors.all)
    assert verdict.twice
    assert all(doors.sent[0].owns(text) for text in verdict.twice)
    assert not verdict.lost
