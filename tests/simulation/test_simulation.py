"""Whatever happens to listeners, in any order: what is promised holds.

Hypothesis looks for a schedule that breaks a promise and makes it as short as it can.
`SIMULATION_EXAMPLES=10000` plays a hundred times as many schedules.
"""

import os
import random
from collections import Counter

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from relaycore.election import Action, State
from relaycore.policy import CONTENT, EVERY, Policy

from .world import VISITOR, World

FIELD = Policy("field", "id")
POLICIES = pytest.mark.parametrize("policy", [CONTENT, FIELD, EVERY], ids=["content", "field", "every"])

numbers = st.integers(0, 2)
operations = st.one_of(
    st.tuples(st.just("publish"), st.integers(1, 8)),
    st.tuples(st.just("publish"), st.integers(1, 8)),
    st.tuples(st.just("run"), st.integers(1, 60)),
    st.tuples(st.just("run"), st.integers(1, 60)),
    st.tuples(st.just("kill"), numbers),
    st.tuples(st.just("pause"), numbers, st.integers(1, 300)),
    st.tuples(st.just("cut"), numbers),
    st.tuples(st.just("swallow"), numbers),
    st.tuples(st.just("stop"), numbers),
    st.tuples(st.just("lose_reply"), numbers),
    st.just(("start",)),
    st.just(("toggle",)),
)
schedules = st.lists(operations, max_size=50)
seeds = st.integers(0, 2**32 - 1)


EXAMPLES = int(os.environ.get("SIMULATION_EXAMPLES", "100"))
explored = settings(
    max_examples=EXAMPLES,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)


def play(schedule: list[tuple], policy: Policy, seed: int, *, protected: bool, texts: int) -> World:  # type: ignore[type-arg]
    """`texts`: how many different messages there are; 0: each is another one."""
    world = World(policy, seed=seed, protected=protected)
    for name, *arguments in schedule:
        if name == "publish":
            for _ in range(arguments[0]):
                number = len(world.published)
                world.publish(message(policy, number % texts if texts else number, number))
                if world.relays_visitor:
                    world.visit(b"visit %d" % number)
                world.run(world.random.randint(0, 1))
        else:
            getattr(world, name)(*arguments)
    world.settle()
    return world


def message(policy: Policy, identity: int, publish: int) -> bytes:
    """Equal to others of this identity, as far as the policy looks."""
    if policy is FIELD:
        return b'{"publish": %d, "id": %d}' % (publish, identity)
    return b"text %d" % identity


def those(published: list[bytes], stored: list[bytes]) -> list[bytes]:
    """What of the published is stored, in the order in which it was published."""
    kept = set(stored)
    return [payload for payload in published if payload in kept]


@POLICIES
@explored
@given(schedule=schedules, seed=seeds)
def test_with_one_whole_listener_at_each_instant_nothing_is_lost_and_order_is_kept(
    policy: Policy,
    schedule: list[tuple],  # type: ignore[type-arg]
    seed: int,
) -> None:
    world = play(schedule, policy, seed, protected=True, texts=0)
    assert world.stored() == [payload for _, payload in world.published]


@explored
@given(schedules, seeds)
def test_under_every_each_publish_is_stored_once(schedule: list[tuple], seed: int) -> None:  # type: ignore[type-arg]
    world = play(schedule, EVERY, seed, protected=True, texts=3)
    assert Counter(world.stored()) == Counter(payload for _, payload in world.published)


@explored
@given(schedules, seeds)
def test_under_field_a_publishers_retry_is_stored_once(schedule: list[tuple], seed: int) -> None:  # type: ignore[type-arg]
    world = play(schedule, FIELD, seed, protected=True, texts=3)
    # The first publish of each id; what comes later with the same id is a retry of it.
    assert world.stored() == [payload for _, payload in world.published][:3]


@pytest.mark.parametrize("policy", [CONTENT, FIELD], ids=["content", "field"])
@pytest.mark.parametrize("protected", [True, False], ids=["protected", "anything"])
@explored
@given(schedule=schedules, seed=seeds)
def test_a_channel_that_comes_and_goes_is_stored_once_and_in_order(
    protected: bool,
    policy: Policy,
    schedule: list[tuple],  # type: ignore[type-arg]
    seed: int,
) -> None:
    world = play(schedule, policy, seed, protected=protected, texts=0)
    stored = world.stored(VISITOR)
    assert stored == those(world.visits, stored)


@POLICIES
@explored
@given(schedule=schedules, seed=seeds)
def test_whatever_happens_nothing_is_stored_twice_and_each_loss_lies_in_a_gap(
    policy: Policy,
    schedule: list[tuple],  # type: ignore[type-arg]
    seed: int,
) -> None:
    world = play(schedule, policy, seed, protected=False, texts=0)
    stored = world.stored()
    assert len(stored) == len(set(stored))
    kept, in_time = set(stored), world.stored_in_time()
    assert in_time == those([payload for _, payload in world.published], in_time)
    lost = [at for at, payload in world.published if payload not in kept]
    for at in lost:
        assert any(gap.before.calls < at < gap.after.calls for gap in world.gaps), f"publish {at} is missing"
    for gap in world.gaps:
        in_gap = [at for at in lost if gap.before.calls < at < gap.after.calls]
        assert gap.missed_at_most is not None
        assert len(in_gap) <= gap.missed_at_most


def test_control_alone_a_killed_listener_loses_what_nobody_hears() -> None:
    schedule = [("kill", 0), ("kill", 0), ("publish", 5), ("start",), ("run", 200), ("publish", 1)]
    world = play(schedule, CONTENT, 1, protected=False, texts=0)
    assert len(world.published) - len(world.stored()) == 5
    assert [gap.missed_at_most for gap in world.gaps] == [5]


def test_control_under_content_equal_payloads_are_stored_once() -> None:
    world = play([("publish", 8), ("run", 50)], CONTENT, 1, protected=True, texts=3)
    assert len(world.stored()) == 3


def test_what_only_a_frozen_leader_has_heard_comes_late_and_once() -> None:
    late = 0
    for seed in range(20):
        frozen = [("kill", 1), ("publish", 3), ("pause", 0, 300), ("publish", 3), ("start",)]
        schedule = frozen + [("publish", 3), ("run", 3)] * 60
        world = play(schedule, EVERY, seed, protected=False, texts=0)
        stored, published = world.stored(), [payload for _, payload in world.published]
        assert sorted(stored) == sorted(published)
        in_time = world.stored_in_time()
        assert in_time == those(published, in_time)
        late += stored != published
    assert late > 5


def test_the_schedules_reach_every_state_and_every_action() -> None:
    """Else the properties above would say little."""
    chance = random.Random(1)
    seen: set[object] = set()
    faults = 0
    for seed in range(100):
        world = World(CONTENT, seed=seed, protected=seed % 2 == 0)
        for _ in range(30):
            name = chance.choice(["kill", "pause", "cut", "swallow", "stop", "start", "start", "lose_reply"])
            world.publish(b"text")
            getattr(world, name)(*{"start": (), "pause": (0, 80)}.get(name, (chance.randint(0, 2),)))
            world.run(chance.choice([1, 3, 60]))
        seen |= world.seen
        faults += world.faults
    assert faults > 500
    assert seen >= {*State, *Action}
