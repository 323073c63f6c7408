"""Whatever happens to listeners, in any order: what is promised holds.

Hypothesis looks for a schedule that breaks a promise and makes it as short as it can.
`SIMULATION_EXAMPLES=10000` plays a hundred times as many schedules, and others each time.
"""

import os
import random
from collections import Counter
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from relaycore.capturing.capture import Capture
from relaycore.capturing.policies import Policies
from relaycore.capturing.subscribing import Subscriptions
from relaycore.listening import effects
from relaycore.listening.candidate import Candidate
from relaycore.listening.office import Office
from relaycore.listening.outside import Outside
from relaycore.listening.protocol import ListenerProtocol
from relaycore.listening.standbys import Standbys
from relaycore.listening.transitions import TRANSITIONS, Action, Event, State
from relaycore.policy import CONTENT, EVERY, Policy

from .world import CHANNEL, CONTROL, LONGEST_STEPS, TICKS, VISITOR, Lease, SimulatedListener, World

FIELD = Policy("field", "id")
POLICIES = pytest.mark.parametrize("policy", [CONTENT, FIELD, EVERY], ids=["content", "field", "every"])

numbers = st.integers(0, 2)
calm = [
    st.tuples(st.just("publish"), st.integers(1, 8)),
    st.tuples(st.just("publish"), st.integers(1, 8)),
    st.tuples(st.just("run"), st.integers(1, 60)),
    st.tuples(st.just("run"), st.integers(1, 60)),
    st.tuples(st.just("fill"), st.integers(1, 300)),
    st.tuples(st.just("replay"), st.integers(0, 40)),
    st.tuples(st.just("retire"), numbers),
    st.just(("start",)),
    st.just(("toggle",)),
    st.just(("revive",)),
    st.just(("spectate",)),
]
faults = [
    st.tuples(st.just("kill"), numbers),
    st.tuples(st.just("pause"), numbers, st.integers(1, 300)),
    st.tuples(st.just("cut"), numbers),
    st.tuples(st.just("swallow"), numbers),
    st.tuples(st.just("stop"), numbers),
    st.tuples(st.just("lose_reply"), numbers),
    st.tuples(st.just("rewind"), st.integers(1, 30)),
    st.tuples(st.just("restore"), st.integers(1, 400)),
    st.just(("refuse",)),
]
changes = [st.tuples(st.just("policy"), st.sampled_from([CONTENT, FIELD, EVERY])), st.just(("forget",))]
operations = st.one_of(*calm, *faults)
schedules = st.lists(operations, max_size=50)
calm_schedules = st.lists(st.one_of(*calm), max_size=50)
lives = [st.just(("toggle",)), st.just(("revive",)), st.just(("refuse",))]
living_schedules = st.lists(st.one_of(*calm, *faults, *lives, *lives), max_size=50)
changing_schedules = st.lists(st.one_of(*calm, *faults, *changes, *changes), max_size=50)
seeds = st.integers(0, 2**32 - 1)


EXAMPLES = int(os.environ.get("SIMULATION_EXAMPLES", "100"))
explored = settings(
    max_examples=EXAMPLES,
    # Who changes something else is not to find what was there before: that is looked for with more examples.
    derandomize="SIMULATION_EXAMPLES" not in os.environ,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)


def play(
    schedule: list[tuple],  # type: ignore[type-arg]
    policy: Policy,
    seed: int,
    *,
    protected: bool,
    texts: int,
    patiently: bool = False,
) -> World:
    """`texts`: how many different messages there are; 0: each is another one. `patiently`: as `settle`."""
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
    world.settle(patiently=patiently)
    return world


def message(policy: Policy, identity: int, publish: int) -> bytes:
    """Equal to others of this identity, as far as the policy looks."""
    if policy is FIELD:
        return b'{"publish": %d, "id": %d}' % (publish, identity)
    return b'{"id": %d}' % identity


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


def test_a_frozen_leader_that_ticks_while_redis_is_asked_makes_no_standby_deaf() -> None:
    """The answer is older than that tick. What the standby holds, nobody else may have heard."""
    schedule = [("fill", 142), ("pause", 0, 25), ("start",), ("toggle",), ("kill", 2), ("swallow", 0)]
    world = play([*schedule, ("publish", 1), ("run", 24)], EVERY, 119, protected=True, texts=0)
    assert world.stored() == [payload for _, payload in world.published]


@POLICIES
@explored
@given(schedule=calm_schedules, seed=seeds)
def test_without_a_fault_nothing_is_lost_and_nothing_is_said_to_be(
    policy: Policy,
    schedule: list[tuple],  # type: ignore[type-arg]
    seed: int,
) -> None:
    """However often lives are over, with whomever subscribed, full or not: a hand-over is no fault."""
    world = play(schedule, policy, seed, protected=False, texts=0, patiently=True)
    assert world.stored() == [payload for _, payload in world.published]
    assert not world.gaps


@explored
@given(schedule=living_schedules, seed=seeds)
def test_who_is_at_rest_rests(schedule: list[tuple], seed: int) -> None:  # type: ignore[type-arg]
    """So nothing is left out where a world is waited for no longer than until all are."""
    world = play(schedule, EVERY, seed, protected=False, texts=0)
    if not world.is_at_rest:
        return
    before = world.stored(), world.stored(VISITOR), len(world.gaps), world.lease.epoch
    world.run(LONGEST_STEPS)
    assert world.is_at_rest
    assert (world.stored(), world.stored(VISITOR), len(world.gaps), world.lease.epoch) == before


@explored
@given(schedule=changing_schedules, seed=seeds)
def test_a_change_of_policy_stores_nothing_twice_and_loses_nothing(
    schedule: list[tuple],  # type: ignore[type-arg]
    seed: int,
) -> None:
    world = play(schedule, CONTENT, seed, protected=True, texts=0)
    assert world.stored() == [payload for _, payload in world.published]


@explored
@given(schedule=changing_schedules, seed=seeds)
def test_a_change_of_policy_stores_nothing_twice_whatever_happens(
    schedule: list[tuple],  # type: ignore[type-arg]
    seed: int,
) -> None:
    world = play(schedule, EVERY, seed, protected=False, texts=0)
    check_what_is_stored(world)


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
    assert stored == those([payload for _, payload in world.visits], stored)


@POLICIES
@pytest.mark.parametrize("protected", [True, False], ids=["protected", "anything"])
@explored
@given(schedule=living_schedules, seed=seeds)
def test_what_is_published_on_a_channel_that_is_active_is_stored_or_lies_in_a_gap(
    protected: bool,
    policy: Policy,
    schedule: list[tuple],  # type: ignore[type-arg]
    seed: int,
) -> None:
    world = play(schedule, policy, seed, protected=protected, texts=0)
    assert world.unaccounted() == []
    assert wrong_lives(world) == []


def wrong_lives(world: World) -> list[str]:
    """No life is heard by what was heard of another one, and in the end each is heard and nothing else."""
    table = world.table
    wrong = []
    for life, ticks in table.ticks.items():
        first = table.found(life).first_heard
        if first is not None and first.number <= ticks:
            wrong.append(f"{life}: from before it began")
    wrong += [f"{row.life}: never" for row in table.rows.values() if not table.found(row.life).is_active]
    for listener in world.listeners:
        # A standby whose connection is there no more finds that out by its keepalive, which is not played.
        channels = {TICKS, CONTROL, *table.rows}
        if not listener.connection.swallowed and listener.connection.channels != channels:
            wrong.append(f"{listener.name!r} hears {listener.connection.channels}")
    return wrong


@POLICIES
@explored
@given(schedule=schedules, seed=seeds)
def test_whatever_happens_nothing_is_stored_twice_and_each_loss_lies_in_a_gap(
    policy: Policy,
    schedule: list[tuple],  # type: ignore[type-arg]
    seed: int,
) -> None:
    check_what_is_stored(play(schedule, policy, seed, protected=False, texts=0))


def check_what_is_stored(world: World) -> None:
    """Nothing twice, in order but for what comes late, and what is lost lies in a gap."""
    stored = world.stored()
    assert len(stored) == len(set(stored))
    kept, in_time = set(stored), world.stored_in_time()
    assert in_time == those([payload for _, payload in world.published], in_time)
    lost = [at for at, payload in world.published if payload not in kept | world.given_up]
    for at in lost:
        assert any(gap.before.calls < at < gap.after.calls for gap in world.gaps), f"publish {at} is missing"
    for gap in world.gaps:
        in_gap = [at for at in lost if gap.before.calls < at < gap.after.calls]
        # None: of what a restore has taken out of the record nobody knows how much it was.
        assert gap.missed_at_most is None or len(in_gap) <= gap.missed_at_most


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


# --- controls: without the rule, the simulator finds the loss by itself ----------------------


MOST = 300
"""So many schedules at most until what is broken shows."""


def searched(
    found: Any, names: list[str], policy: Policy, *, protected: bool, texts: int = 0, most: int = MOST
) -> bool:
    """Whether a few hundred random schedules of these operations show it.

    Where nothing is broken all of them are played: as many as of every promise (`EXAMPLES`) are enough.
    """
    chance = random.Random(1)
    arguments: dict[str, Any] = {
        "publish": lambda: (chance.randint(1, 8),),
        "run": lambda: (chance.randint(1, 60),),
        "pause": lambda: (chance.randint(0, 2), chance.randint(1, 300)),
        "fill": lambda: (chance.randint(1, 300),),
        "rewind": lambda: (chance.randint(1, 30),),
        "restore": lambda: (chance.randint(1, 400),),
        "replay": lambda: (chance.randint(0, 40),),
        "policy": lambda: (chance.choice([CONTENT, FIELD, EVERY]),),
        **dict.fromkeys(["start", "toggle", "revive", "refuse", "spectate"], tuple),
    }
    for seed in range(most):
        drawn = [chance.choice(["publish", "run", "start", *names]) for _ in range(40)]
        schedule = [(name, *arguments.get(name, lambda: (chance.randint(0, 2),))()) for name in drawn]
        if found(play(schedule, policy, seed, protected=protected, texts=texts)):
            return True
    return False


def has_lost(world: World) -> bool:
    return {payload for _, payload in world.published} > set(world.stored())


def has_lost_one_of_equals(world: World) -> bool:
    return Counter(payload for _, payload in world.published) > Counter(world.stored())


def has_stored_twice(world: World) -> bool:
    return len(world.stored()) > len(set(world.stored()))


def test_control_who_takes_a_subscriber_for_a_standby_loses_at_a_routine_hand_over(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert not searched(has_lost, ["retire", "retire", "spectate"], CONTENT, protected=False, most=EXAMPLES)
    monkeypatch.setattr(Standbys, "has_proof", lambda self, digest, now: self.audience > 0)
    give_up_when_forsaken(monkeypatch)
    assert searched(has_lost, ["retire", "retire", "spectate"], CONTENT, protected=False)


def test_control_who_retires_while_redis_takes_nothing_loses_what_it_has_heard(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert not searched(has_lost, ["retire", "fill"], CONTENT, protected=False, most=EXAMPLES)
    may_retire = Office.may_retire

    def hasty(self: Office, now: float) -> bool:
        outside, has_room, self.has_room = self.outside, self.has_room, True
        self.outside = Outside(is_open=True, stands=outside.stands)
        try:
            return may_retire(self, now)
        finally:
            self.outside, self.has_room = outside, has_room

    monkeypatch.setattr(Office, "may_retire", hasty)
    monkeypatch.setattr(ListenerProtocol, "has_proof", lambda self, now: False)
    give_up_when_forsaken(monkeypatch)
    assert searched(lambda world: world.given_up, ["retire", "fill"], CONTENT, protected=False)


def give_up_when_forsaken(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who retires and finds no successor ends all the same, as it did before 0.2."""
    changed = dict(TRANSITIONS)
    for state in (State.YIELDING, State.YIELDED):
        row = dict(changed[state])
        row[Event.FORSAKEN] = (State.ENDED, (Action.TAKE_BACK,))
        changed[state] = row
    monkeypatch.setattr("relaycore.listening.election.TRANSITIONS", changed)


def test_control_a_policy_that_begins_when_each_has_heard_of_it_stores_twice(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    names = ["policy", "policy", "pause", "kill"]
    assert not searched(has_stored_twice, names, CONTENT, protected=False, most=EXAMPLES)
    want = ListenerProtocol.want

    def at_once(self: ListenerProtocol, channel: bytes, policy: Policy, row: int) -> None:
        want(self, channel, policy, row)
        capture = self._hearing.capture
        capture._policies[channel] = policy
        capture._channels[channel] = capture._make(channel)

    monkeypatch.setattr(ListenerProtocol, "want", at_once)
    monkeypatch.setattr(Capture, "_change", lambda self, changes: None)
    assert searched(has_stored_twice, names, CONTENT, protected=False)


def test_control_ticks_that_are_believed_again_lose_messages(monkeypatch: pytest.MonkeyPatch) -> None:
    names = ["replay", "replay", "replay", "cut", "kill"]
    assert not searched(has_lost_one_of_equals, names, EVERY, protected=True, texts=3, most=EXAMPLES)
    monkeypatch.setattr(
        Capture, "_newest", property(lambda self: -1, lambda self, value: None), raising=False
    )
    monkeypatch.setattr(
        "relaycore.listening.hearing.Hearing._newest",
        property(lambda self: -1, lambda self, value: None),
        raising=False,
    )
    assert searched(has_lost_one_of_equals, names, EVERY, protected=True, texts=3)


def test_control_who_takes_a_connection_for_covered_that_lacks_a_channel_loses_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    names = ["policy", "cut", "kill"]
    assert not searched(has_lost, names, CONTENT, protected=True, most=EXAMPLES)

    def look(self: Subscriptions) -> None:
        if self.is_located and not self._out and not self._asked:
            self.is_covered = not any(self.policies.waits(channel) for channel in self._rows)
            self._missing.clear()

    monkeypatch.setattr(Subscriptions, "_look_whether_covered", look)
    assert searched(has_lost, names, CONTENT, protected=True)


def test_control_who_leads_though_its_connection_has_ended_since_it_claimed_loses_what_others_hold(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    names = ["policy", "policy", "policy", "cut", "retire"]
    assert not searched(has_lost, names, CONTENT, protected=True, most=EXAMPLES)
    monkeypatch.setattr(
        Candidate, "_claimed_whole", property(lambda self: False, lambda self, value: None), raising=False
    )
    assert searched(has_lost, names, CONTENT, protected=True)


def test_control_who_claims_the_next_epoch_of_a_lease_that_went_back_stands_by_while_nobody_leads(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Sixteen seconds after the last fault what it holds is not stored yet."""
    names = ["rewind", "rewind", "kill"]
    assert not searched(has_lost, names, CONTENT, protected=True, most=EXAMPLES)

    def claim(self: Lease, listener: SimulatedListener, beyond: int | None, above: int) -> int | None:
        if self.holder is not None and self.epoch != beyond:
            return None
        self.epoch, self.writes = self.epoch + 1, self.writes + 1
        self.holder = self.claimed_by = listener
        self._idle_steps = 0
        return self.epoch

    monkeypatch.setattr(Lease, "claim", claim)
    monkeypatch.setattr(ListenerProtocol, "went_back", lambda self, writes: None)
    assert searched(has_lost, names, CONTENT, protected=True)


def test_control_who_takes_one_life_of_a_channel_for_another_says_of_it_what_was_heard_of_that(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    names = ["toggle", "revive", "kill", "run"]
    want = Subscriptions.want

    def without_lives(self: Subscriptions, channel: bytes, policy: Policy, row: int) -> bool:
        return want(self, channel, policy, self._rows.get(channel, row))

    def heard_before(self: Subscriptions, channel: bytes, policy: Policy, row: int) -> bool:
        heard = self._heard & {channel}
        is_new = want(self, channel, policy, row)
        self._heard |= heard
        return is_new

    assert not searched(wrong_lives, names, CONTENT, protected=False, most=EXAMPLES)
    for broken in (without_lives, heard_before):
        monkeypatch.setattr(Subscriptions, "want", broken)
        assert searched(wrong_lives, names, CONTENT, protected=False), broken.__name__


def test_control_who_takes_the_answer_to_an_earlier_life_for_its_own_says_too_early_that_it_hears(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    names = ["toggle", "toggle", "toggle", "revive", "run"]
    assert not searched(wrong_lives, names, CONTENT, protected=False, most=EXAMPLES)
    never = property(lambda self: Counter(), lambda self, value: None)
    monkeypatch.setattr(Subscriptions, "_unanswered", never, raising=False)
    assert searched(wrong_lives, names, CONTENT, protected=False)


def test_control_who_says_that_a_channel_is_active_before_it_is_heard_has_losses_in_no_gap(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    names = ["toggle", "revive"]
    assert not searched(World.unaccounted, names, EVERY, protected=True, most=EXAMPLES)

    def at_once(self: Subscriptions) -> list[int]:
        new = self._rows.keys() - self._heard
        self._heard |= new
        return [self._rows[channel] for channel in new]

    monkeypatch.setattr(Subscriptions, "ticked", at_once)
    assert searched(World.unaccounted, names, EVERY, protected=True)


def test_what_was_on_record_and_is_not_any_more_lies_in_a_gap_again() -> None:
    schedule = [("kill", 0), ("kill", 0), ("publish", 5), ("start",), ("run", 100)]
    world = play([*schedule, ("restore", 95)], CONTENT, 1, protected=False, texts=0)
    assert [gap.missed_at_most for gap in world.gaps] == [None]
    check_what_is_stored(world)


def test_control_who_does_not_notice_that_postgresql_went_back_has_losses_in_no_gap(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def has_unrecorded(world: World) -> bool:
        kept = set(world.stored()) | world.given_up
        lost = [at for at, payload in world.published if payload not in kept]
        return any(not any(gap.before.calls < at < gap.after.calls for gap in world.gaps) for at in lost)

    names = ["kill", "kill", "restore"]
    assert not searched(has_unrecorded, names, CONTENT, protected=False, most=EXAMPLES)
    monkeypatch.setattr(Office, "_forgotten", 0)
    assert searched(has_unrecorded, names, CONTENT, protected=False)


def test_policies_really_change() -> None:
    world = play([("policy", EVERY), ("run", 30), ("publish", 8)], CONTENT, 1, protected=True, texts=1)
    assert world.redis.policies == {CHANNEL: EVERY}
    assert len(world.stored()) == 8
    world = play(
        [("run", 30), ("policy", CONTENT), ("run", 30), ("publish", 8)], EVERY, 1, protected=True, texts=1
    )
    assert world.redis.policies == {}
    assert len(world.stored()) == 1
    assert Policies().in_force(CHANNEL) == CONTENT


def test_the_schedules_reach_every_state_and_every_action() -> None:
    """Else the properties above would say little."""
    chance = random.Random(1)
    seen: set[object] = set()
    faults = 0
    for seed in range(100):
        world = World(CONTENT, seed=seed, protected=seed % 2 == 0)
        for _ in range(30):
            name = chance.choice(
                [
                    "kill",
                    "pause",
                    "cut",
                    "swallow",
                    "stop",
                    "start",
                    "start",
                    "lose_reply",
                    "retire",
                    "toggle",
                ]
            )
            world.publish(b"text")
            given: dict[str, tuple[int, ...]] = {"start": (), "toggle": (), "pause": (0, 80)}
            getattr(world, name)(*given.get(name, (chance.randint(0, 2),)))
            world.run(chance.choice([1, 3, 60]))
        seen |= world.seen
        faults += world.faults
    assert faults > 500
    assert seen >= {*State} - {State.JOINING}
    assert seen >= {effects.Count, effects.Ask.END_TERM, effects.Drop, effects.Prove, effects.Covered}
