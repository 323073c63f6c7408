"""Those who watch a channel, a thousand of them, while the web process that they watch at is killed.

What each of them is given is compared with what is stored, from the first message to the last, in its order.
"""

import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial

import psutil
import pytest
from django.conf import settings as django_settings

from relaybase.connections import mongo_collection
from tests.ending import ended
from tests.integration.conftest import _web
from tests.integration.live.page import Page
from tests.integration.live.test_faults import cuts
from tests.integration.publishing.killed_web import Web

from .cluster import Cluster, Wait
from .conftest import Settle
from .publisher import Publisher
from .watchers import BEFORE, NOW, Crowd, deaf

CLIENTS = 1000
CUT = 20
RATE = 5
"""Messages a second, each of which goes to a thousand."""

BACK_SECONDS = 10.0

SOCKETS = 200
POLLING = 50

DEAF = 100
LARGE = 100_000
MANY = 60

_kills = pytest.mark.parametrize(
    "kills", [2, pytest.param(12, marks=[pytest.mark.long, pytest.mark.timeout(900)])]
)


@pytest.fixture
def web(pair: Cluster) -> Iterator[Web]:
    """A web process, which is there again as soon as it was killed, and a channel that is heard."""
    pair.channel("orders", "every")
    web = Web(django_settings.SERVERS.redis_url)
    yield web
    web.stop()


def stored() -> list[str]:
    """All messages, in their order."""
    return [row["message"] for row in mongo_collection("messages").find().sort("position")]


def longest(back: list[float]) -> float:
    """Of what the crowd took after each kill: the machine may stand still once."""
    return sorted(back)[len(back) * 3 // 4 - 1]


@pytest.mark.fault(30)
@_kills
def test_a_thousand_who_watch_are_back_and_miss_nothing(
    pair: Cluster,
    web: Web,
    token: str,
    settled: Settle,
    wait_until: Wait,
    chance: random.Random,
    kills: int,
) -> None:
    """Twenty of them have their connection cut as well, fifty times each, at any byte."""
    back = []
    with Crowd(web.url, token, "orders", CLIENTS, chance=chance, cut=CUT) as crowd:
        with Publisher(pair.redis_url, "orders", RATE) as publisher:
            wait_until(crowd.are_here, seconds=60, what="all of them here")
            for _ in range(kills):
                time.sleep(chance.uniform(0.5, 1.5))
                killed = time.monotonic()
                web.kill()
                wait_until(lambda killed=killed: crowd.are_here(killed), seconds=60, what="all of them back")
                back.append(crowd.back_seconds(killed))
            wait_until(crowd.are_cut, seconds=60, what="cut often enough")
        verdict = settled(publisher)
        expected = stored()
        wait_until(lambda: crowd.have(len(expected)), seconds=30, what="everything given to everybody")
        time.sleep(0.5)  # What comes twice comes now.
    assert verdict.is_clean, str(verdict)
    assert len(publisher.accepted) > kills * RATE
    assert [one.texts == expected for one in crowd.watchers] == [True] * CLIENTS
    assert all(one.connections > kills for one in crowd.watchers)
    assert all(one.connections > Crowd.CUTS // 2 for one in crowd.watchers[:CUT])
    assert not any(one.statuses for one in crowd.watchers)
    assert longest(back) <= BACK_SECONDS, back


@pytest.mark.fault(30)
def test_control_who_goes_on_elsewhere_misses_messages_or_has_them_twice(
    pair: Cluster, web: Web, token: str, settled: Settle, wait_until: Wait, chance: random.Random
) -> None:
    with (
        Crowd(web.url, token, "orders", CUT, chance=chance, goes_on=NOW) as forgetful,
        Crowd(web.url, token, "orders", CUT, chance=chance, goes_on=BEFORE) as hesitant,
    ):
        crowds = (forgetful, hesitant)
        with Publisher(pair.redis_url, "orders", 50) as publisher:
            wait_until(lambda: all(one.are_here() and one.have(10) for one in crowds), what="all here")
            killed = time.monotonic()
            web.kill()
            wait_until(lambda: all(one.are_here(killed) for one in crowds), seconds=30, what="all back")
        settled(publisher)
        expected = stored()
        watchers = [watcher for crowd in crowds for watcher in crowd.watchers]
        wait_until(lambda: all(one.texts[-1] == expected[-1] for one in watchers), seconds=30)
        time.sleep(0.5)
    for one in forgetful.watchers:
        assert set(one.texts) < set(expected)
    for one in hesitant.watchers:
        assert sorted(set(one.texts)) == sorted(expected)
        assert len(one.texts) > len(expected)


def _are_here(page: Page, seen: int) -> bool:
    """Whether each of them has had everything since it had said so much."""
    return len(set(page.all("here")[seen:])) == SOCKETS


@pytest.mark.fault(31)
@_kills
def test_a_crowd_of_sockets_is_back_and_misses_nothing(
    pair: Cluster,
    web: Web,
    token: str,
    settled: Settle,
    wait_until: Wait,
    chance: random.Random,
    kills: int,
) -> None:
    """By polling and by WebSocket, with the newest and the oldest client 4.x."""
    wanted = {"sockets": SOCKETS, "polling": POLLING, "channel": "orders"}
    with Page(web.url, token, script="crowd.mjs", **wanted) as page:
        with Publisher(pair.redis_url, "orders", RATE) as publisher:
            page.wait(partial(_are_here, page, 0), 60)
            back = []
            for _ in range(kills):
                time.sleep(chance.uniform(0.5, 1.5))
                seen, killed = len(page.all("here")), time.monotonic()
                web.kill()
                page.wait(partial(_are_here, page, seen), 60)
                back.append(time.monotonic() - killed)
        verdict = settled(publisher)
        expected = stored()
        page.wait(lambda: all(len(texts) >= len(expected) for texts in page.ask_for("texts")), 30)
        time.sleep(0.5)
        given = page.ask_for("texts")
    assert verdict.is_clean, str(verdict)
    assert [texts == expected for texts in given] == [True] * SOCKETS
    assert longest(back) <= BACK_SECONDS, back


@pytest.mark.fault(31)
def test_control_sockets_that_remember_no_position_miss_messages(
    pair: Cluster, web: Web, token: str, settled: Settle
) -> None:
    wanted = {"sockets": CUT, "polling": CUT // 2, "channel": "orders", "forgets": True}
    with Page(web.url, token, script="crowd.mjs", **wanted) as page:
        with Publisher(pair.redis_url, "orders", 50) as publisher:
            page.wait(lambda: len(set(page.all("here"))) == CUT, 30)
            page.wait(lambda: all(len(texts) >= 10 for texts in page.ask_for("texts")), 30)
            seen = len(page.all("here"))
            web.kill()
            page.wait(lambda: len(set(page.all("here")[seen:])) == CUT, 30)
        settled(publisher)
        last = stored()[-1]
        page.wait(lambda: all(texts[-1] == last for texts in page.ask_for("texts")), 30)
        given = page.ask_for("texts")
    assert all(len(texts) < len(stored()) for texts in given)


@contextmanager
def _with_deaf(
    pair: Cluster, token: str, chance: random.Random, **environment: str
) -> Iterator[tuple[str, psutil.Process, Callable[[], bool]]]:
    """A web process at which a hundred read nothing of what is published, and ten read all of it."""
    pair.channel("orders", "every")
    process, url = _web("application", environment)
    with ended(process), Crowd(url, token, "orders", 10, chance=chance) as crowd:
        while not crowd.are_here():
            time.sleep(0.05)
        # What is loaded, and kept for all, with the first ones.
        _publish(pair, MANY)
        while not crowd.have(MANY):
            time.sleep(0.05)
        with deaf(url, token, "orders", DEAF):
            yield url, psutil.Process(process.pid), lambda: crowd.have(2 * MANY)


def _publish(pair: Cluster, count: int) -> None:
    for number in range(count):
        pair.redis.publish("orders", f"{number} ".ljust(LARGE, "x"))
        time.sleep(0.05)


@pytest.mark.fault(32)
def test_a_hundred_who_read_nothing_are_cut_and_cost_no_memory(
    pair: Cluster, token: str, wait_until: Wait, chance: random.Random
) -> None:
    with _with_deaf(pair, token, chance) as (url, process, have_all):
        before, most = process.memory_info().rss, 0
        for _ in range(MANY // 5):
            _publish(pair, 5)
            most = max(most, process.memory_info().rss)
        wait_until(lambda: cuts(url, token) == DEAF, seconds=30, what="all of them cut")
        wait_until(have_all, seconds=30, what="the others given everything")
        most = max(most, process.memory_info().rss)
    # A queue for each of them would have 600 MB.
    assert most - before <= 60 << 20, (most - before) >> 20


@pytest.mark.fault(32)
def test_control_without_a_bound_they_stay(
    pair: Cluster, token: str, wait_until: Wait, chance: random.Random
) -> None:
    with _with_deaf(pair, token, chance, RELAY_LIVE_BUFFER_BYTES=str(1 << 30)) as (url, _, have_all):
        _publish(pair, MANY)
        wait_until(have_all, seconds=30, what="the others given everything")
        time.sleep(3)
        assert cuts(url, token) == 0
