"""A channel gets another deduplication policy just when somebody else begins to lead.

A policy begins at one moment for everybody who hears: what was heard before it has the name that the
policy before gives it, whoever relays it. Else a message that the old leader has appended under one
name is appended by the new one under another, and stored twice.
"""

import itertools
import os
import random
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import pytest

from channels_app import registration
from channels_app.models import Gap
from relaybase import keys
from relaybase.connections import mongo_collection
from relaycore.capturing.policies import written
from relaycore.policy import CONTENT, EVERY, Policy

from .cluster import Cluster, Wait
from .conftest import Settle
from .publisher import LAST, Publisher

pytestmark = pytest.mark.fault(22)

BY_FIELD = Policy("field", "id")
EFFECT_SECONDS = 8.0
"""So long after it was asked for, a change may take to begin: nobody was there to hear the notice, the next
leader looks at the table five seconds later (`RELAY_LISTENER_REFRESH_SECONDS`), and the machine is busy."""


@pytest.fixture
def kept(cluster: Cluster) -> Cluster:
    """Two listeners, replaced as soon as they are killed, and a writer."""
    cluster.start("write")
    cluster.keep(2)
    cluster.wait_for(2)
    return cluster


@contextmanager
def another_leader(cluster: Cluster, wait_until: Wait, *, frozen: bool) -> Iterator[None]:
    """The leader is frozen or killed here, and by the end another one leads."""
    pid, epoch = cluster.wait_for_leader(), cluster.epoch()
    os.kill(pid, signal.SIGSTOP if frozen else signal.SIGKILL)
    yield
    wait_until(lambda: cluster.epoch() > epoch, what="another leader")
    if frozen:
        time.sleep(0.3)
        os.kill(pid, signal.SIGCONT)
    cluster.wait_for(2)


def strike(cluster: Cluster, wait_until: Wait, chance: random.Random, change: Callable[[], None]) -> None:
    """Change something around a take-over: before or after the leader is gone, by its death or its sleep."""
    first, frozen = chance.choice([True, False]), chance.choice([True, False])
    if first:
        change()
        time.sleep(chance.choice([0.0, 0.02, 0.1]))
    with another_leader(cluster, wait_until, frozen=frozen):
        if not first:
            time.sleep(chance.choice([0.0, 0.1, 0.3, 0.6]))
            change()


def wait_until_in_force(cluster: Cluster, wait_until: Wait, policy: Policy) -> None:
    """It stands beside the stream from the tick on that announces it."""
    wait_until(
        lambda: cluster.redis.hget(keys.policies(0), "orders") == written(policy).encode(),
        seconds=EFFECT_SECONDS,
        what="in force",
    )


@pytest.mark.parametrize("rounds", [6, pytest.param(60, marks=[pytest.mark.long, pytest.mark.timeout(900)])])
def test_what_is_published_once_is_stored_once_under_any_policy(
    kept: Cluster, settled: Settle, wait_until: Wait, chance: random.Random, rounds: int
) -> None:
    kept.channel("orders", "content")
    policies = itertools.cycle([EVERY, CONTENT])
    with Publisher(kept.redis_url, "orders") as publisher:
        for _ in range(rounds):
            time.sleep(chance.uniform(0.1, 0.4))
            strike(kept, wait_until, chance, lambda: registration.change("orders", next(policies)))
        time.sleep(0.5)
    verdict = settled(publisher)
    assert verdict.is_clean, str(verdict)
    assert not Gap.objects.filter(covered=False).exists()


@dataclass(frozen=True, slots=True)
class Phase:
    """From `at` on (seconds since 1970) a policy was asked for."""

    at: float
    policy: Policy


def runs(numbers: list[int]) -> list[tuple[int, int]]:
    """Stretches of numbers without a hole: the first and the last one of each."""
    found: list[tuple[int, int]] = []
    for number in numbers:
        if found and number == found[-1][1] + 1:
            found[-1] = (found[-1][0], number)
        else:
            found.append((number, number))
    return found


@pytest.mark.parametrize("rounds", [2, pytest.param(20, marks=[pytest.mark.long, pytest.mark.timeout(900)])])
def test_each_policy_holds_for_one_stretch_of_what_was_published(
    kept: Cluster, settled: Settle, wait_until: Wait, chance: random.Random, rounds: int
) -> None:
    """All messages have the same id. Under `field` one of them is stored for ever, under `every` each.

    So what is stored says which policy held for which message.
    """
    kept.channel("orders", BY_FIELD.as_json())
    texts = [f'{{"id": 1, "number": {number}}}' for number in range(200_000)]
    phases = [Phase(time.time(), BY_FIELD)]

    def change(policy: Policy) -> None:
        phases.append(Phase(time.time(), policy))
        registration.change("orders", policy)

    with Publisher(kept.redis_url, "orders", texts=texts) as publisher:
        for policy in [EVERY, BY_FIELD] * rounds:
            time.sleep(chance.uniform(0.3, 0.6))
            strike(kept, wait_until, chance, lambda: change(policy))  # noqa: B023
            wait_until_in_force(kept, wait_until, policy)
        time.sleep(0.5)
    settled(publisher, scored=False)
    rows = mongo_collection("messages").find({"channel": "orders"}).sort("position")
    stored = [texts.index(row["message"]) for row in rows if not row["message"].startswith(LAST)]
    assert len(publisher.accepted) == len(publisher.attempted)
    assert stored == sorted(set(stored)), "twice, or in another order"
    # The first of all, and one stretch for each time that `every` held.
    assert stored[0] == 0
    stretches = runs(stored[1:])
    assert len(stretches) == rounds, stretches
    times = [publisher.times[text] for text in texts[: len(publisher.accepted)]]
    for (begin, end), asked, ended in zip(stretches, phases[1::2], phases[2::2], strict=True):
        assert (asked.policy, ended.policy) == (EVERY, BY_FIELD)
        assert -0.1 < times[begin] - asked.at < EFFECT_SECONDS
        assert -0.1 < times[end] - ended.at < EFFECT_SECONDS
    assert not Gap.objects.filter(covered=False).exists()


@pytest.mark.parametrize("rounds", [2, pytest.param(20, marks=[pytest.mark.long, pytest.mark.timeout(900)])])
def test_equal_texts_are_stored_as_often_as_they_were_published_from_the_change_on(
    kept: Cluster, settled: Settle, wait_until: Wait, chance: random.Random, rounds: int
) -> None:
    """Each round publishes the same six texts again and again, first under `field` and then under `every`."""
    kept.channel("orders", BY_FIELD.as_json())
    texts = [f'{{"id": {number % 6}}}' for number in range(600)]
    expected = 6
    for _ in range(rounds):
        with Publisher(kept.redis_url, "orders", texts=texts) as publisher:
            publisher.finish()
        # What the old leader has not confirmed, the standby holds: it was heard under `field`.
        with another_leader(kept, wait_until, frozen=chance.choice([True, False])):
            registration.change("orders", EVERY)
        wait_until_in_force(kept, wait_until, EVERY)
        with Publisher(kept.redis_url, "orders", texts=texts) as publisher:
            time.sleep(0.3)
            with another_leader(kept, wait_until, frozen=chance.choice([True, False])):
                publisher.finish()
        expected += len(texts)
        registration.change("orders", BY_FIELD)
        wait_until_in_force(kept, wait_until, BY_FIELD)
    settled(publisher, scored=False)
    rows = mongo_collection("messages").find({"channel": "orders"})
    assert sum(not row["message"].startswith(LAST) for row in rows) == expected
    assert not Gap.objects.filter(covered=False).exists()


def test_control_who_takes_the_new_policy_for_what_was_held_stores_twice(
    cluster: Cluster, settled: Settle, wait_until: Wait
) -> None:
    cluster.start("write")
    cluster.keep(2, "policies")
    cluster.wait_for(2)
    cluster.channel("orders", "content")
    with Publisher(cluster.redis_url, "orders") as publisher:
        for policy in [EVERY, CONTENT] * 2:
            time.sleep(0.3)
            with another_leader(cluster, wait_until, frozen=True):
                registration.change("orders", policy)
    assert settled(publisher).twice
