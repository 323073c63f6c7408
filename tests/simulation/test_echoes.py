"""What is published by HTTP comes in as PUBLISH too, and is relayed by nobody, whatever happens to listeners.

And nothing else is left out for it: neither an equal text directly behind it, nor what follows a notice that
somebody has recorded or made himself.
"""

import random
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relaycore.capturing.capture import Capture
from relaycore.capturing.echoes import Echoes
from relaycore.capturing.notices import Echo
from relaycore.listening.attachment import Attachment
from relaycore.listening.hearing import Hearing
from relaycore.policy import CONTENT, EVERY, Policy

from .test_simulation import FIELD, POLICIES, calm, explored, faults, message, seeds
from .world import CHANNEL, VISITOR, Redis, World

Schedule = list[tuple[Any, ...]]

numbers = st.integers(0, 40)
counts = st.integers(1, 8)
echoed = [
    st.tuples(st.just("post"), counts),
    st.tuples(st.just("post"), counts),
    st.tuples(st.just("post_to_visitor"), counts),
    st.tuples(st.just("post_and_publish"), counts, counts),
    st.tuples(st.just("post_refused"), counts, counts),
    st.tuples(st.just("recorded"), numbers, counts),
    st.tuples(st.just("forged"), counts),
]
calm_schedules = st.lists(st.one_of(*echoed, *calm), max_size=50)
schedules = st.lists(st.one_of(*echoed, *echoed, *calm, *faults), max_size=50)


def play(schedule: Schedule, policy: Policy, seed: int, *, protected: bool, texts: int = 0) -> World:
    """`texts`: how many different genuine messages there are; 0: each is another one."""
    world = World(policy, seed=seed, protected=protected)
    for name, *arguments in schedule:
        if name in OPERATIONS:
            OPERATIONS[name](Publishers(world, policy, texts), *arguments)
            world.run(world.random.randint(0, 1))
        else:
            getattr(world, name)(*arguments)
    world.settle()
    return world


class Publishers:
    """Who publishes: by the door, on Redis directly, and on the control channel."""

    def __init__(self, world: World, policy: Policy, texts: int) -> None:
        self._world, self._policy, self._texts = world, policy, texts

    def publish(self, count: int) -> None:
        for _ in range(count):
            self._world.publish(self._next())
            if self._world.relays_visitor:
                self._world.visit(b"visit %d" % len(self._world.visits))

    def post(self, count: int) -> None:
        self._world.post(CHANNEL, self._posts(count))

    def post_to_visitor(self, count: int) -> None:
        """Whether it is relayed or not: the door learns it later."""
        self._world.post(VISITOR, self._posts(count))

    def post_and_publish(self, count: int, genuine: int) -> None:
        """The same text, directly behind its echo and not between."""
        text = self._next()
        self._world.post(CHANNEL, [text] * count)
        for _ in range(genuine if self._texts else 1):
            self._world.publish(text)

    def post_refused(self, count: int, genuine: int) -> None:
        """An echo that is announced and does not come."""
        self._world.post(CHANNEL, self._posts(count), refused=True)
        self._genuine(genuine)

    def recorded(self, number: int, genuine: int) -> None:
        """A notice is published again, directly before what somebody else publishes."""
        self._world.say_again(number)
        self._genuine(genuine)

    def forged(self, count: int) -> None:
        self._world.forge(count)
        self._genuine(count)

    def _genuine(self, count: int) -> None:
        for _ in range(count):
            self._world.publish(self._next())

    def _next(self) -> bytes:
        number = len(self._world.published)
        return message(self._policy, number % self._texts if self._texts else number, number)

    def _posts(self, count: int) -> list[bytes]:
        first = len(self._world.redis.stream)
        return [b'{"post": %d, "id": "post %d"}' % (first + n, first + n) for n in range(count)]


OPERATIONS: dict[str, Callable[..., None]] = {
    name: getattr(Publishers, name)
    for name in (
        *("publish", "post", "post_to_visitor", "post_and_publish", "post_refused", "recorded", "forged"),
    )
}


@POLICIES
@explored
@given(schedule=schedules, seed=seeds)
def test_with_one_whole_listener_at_each_instant_all_that_is_genuine_is_kept_and_no_echo_is_relayed(
    policy: Policy, schedule: Schedule, seed: int
) -> None:
    world = play(schedule, policy, seed, protected=True)
    assert world.echoed == []
    assert world.stored() == [payload for _, payload in world.published]


@POLICIES
@explored
@given(schedule=schedules, seed=seeds)
def test_whatever_happens_no_echo_is_relayed_and_each_loss_lies_in_a_gap(
    policy: Policy, schedule: Schedule, seed: int
) -> None:
    world = play(schedule, policy, seed, protected=False)
    assert world.echoed == []
    stored = world.stored()
    assert len(stored) == len(set(stored))
    lost = [at for at, payload in world.published if payload not in {*stored} | world.given_up]
    for at in lost:
        assert any(gap.before.calls < at < gap.after.calls for gap in world.gaps), f"publish {at} is missing"


@explored
@given(schedule=schedules, seed=seeds)
def test_under_every_equal_messages_beside_echoes_are_stored_as_often_as_they_were_published(
    schedule: Schedule, seed: int
) -> None:
    world = play(schedule, EVERY, seed, protected=True, texts=3)
    assert world.echoed == []
    assert Counter(world.stored()) == Counter(payload for _, payload in world.published)


@explored
@given(schedule=calm_schedules, seed=seeds)
def test_without_a_fault_nothing_is_said_to_be_missed(schedule: Schedule, seed: int) -> None:
    world = play(schedule, EVERY, seed, protected=False)
    assert world.echoed == []
    assert world.stored() == [payload for _, payload in world.published]
    assert not world.gaps


def test_echoes_are_in_no_bound_of_a_gap() -> None:
    nobody = [("kill", 0), ("kill", 0), ("publish", 5), ("post", 8), ("post", 3)]
    world = play([*nobody, ("start",), ("run", 200), ("publish", 1)], CONTENT, 1, protected=False)
    assert len(world.published) - len(world.stored()) == 5
    assert [gap.missed_at_most for gap in world.gaps] == [5]
    assert len(world.posted) == 11


# --- controls: without the rule, the simulator finds what it protects from -------------------


def searched(found: Callable[[World], object], names: list[str], policy: Policy, *, texts: int = 0) -> bool:
    """Whether some random schedules of these operations show it."""
    chance = random.Random(1)
    arguments: dict[str, Callable[[], tuple[int, ...]]] = {
        **dict.fromkeys(["publish", "post", "post_to_visitor", "forged"], lambda: (chance.randint(1, 8),)),
        **dict.fromkeys(
            ["post_and_publish", "post_refused"], lambda: (chance.randint(1, 8), chance.randint(1, 8))
        ),
        "recorded": lambda: (chance.randint(0, 40), chance.randint(1, 8)),
        "run": lambda: (chance.randint(1, 60),),
        "pause": lambda: (chance.randint(0, 2), chance.randint(1, 300)),
        **dict.fromkeys(["start", "toggle"], tuple),
    }
    for seed in range(60):
        drawn = [chance.choice(["publish", "run", "start", *names]) for _ in range(40)]
        schedule = [(name, *arguments.get(name, lambda: (chance.randint(0, 2),))()) for name in drawn]
        if found(play(schedule, policy, seed, protected=True, texts=texts)):
            return True
    return False


def has_lost(world: World) -> bool:
    return bool({payload for _, payload in world.published} - set(world.stored()))


def has_lost_one_of_equals(world: World) -> bool:
    return bool(Counter(payload for _, payload in world.published) - Counter(world.stored()))


def has_relayed_an_echo(world: World) -> bool:
    return bool(world.echoed)


def has_stored_twice(world: World) -> bool:
    return len(world.stored()) > len(set(world.stored()))


@pytest.mark.parametrize(("policy", "texts"), [(CONTENT, 0), (EVERY, 3)], ids=["content", "every"])
def test_with_all_rules_nothing_is_found(policy: Policy, texts: int) -> None:
    def found(world: World) -> bool:
        return bool(has_relayed_an_echo(world) or has_lost_one_of_equals(world))

    names = ["post", "post_and_publish", "recorded", "post_refused", "post_to_visitor", "toggle", "forged"]
    for more in (["cut", "kill", "pause", "retire"], ["kill", "retire"]):
        assert not searched(found, [*names, *more], policy, texts=texts)


@pytest.mark.parametrize("policy", [CONTENT, FIELD, EVERY], ids=["content", "field", "every"])
def test_control_who_does_not_know_notices_relays_echoes(
    policy: Policy, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert not searched(has_relayed_an_echo, ["post"], policy)
    monkeypatch.setattr(Echoes, "announce", lambda self, notice: None)
    assert searched(has_relayed_an_echo, ["post"], policy)


def test_control_who_does_not_know_notices_stores_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    assert not searched(has_stored_twice, ["post_and_publish"], EVERY)
    monkeypatch.setattr(Echoes, "announce", lambda self, notice: None)
    assert searched(has_stored_twice, ["post_and_publish"], EVERY)


def test_control_who_forgets_a_run_at_the_end_of_a_read_relays_echoes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    hear = Capture.hear

    def forgetful(self: Capture, *arguments: Any, **more: Any) -> Any:
        self.echoes.interrupt()
        return hear(self, *arguments, **more)

    assert not searched(has_relayed_an_echo, ["post"], EVERY)
    monkeypatch.setattr(Capture, "hear", forgetful)
    assert searched(has_relayed_an_echo, ["post"], EVERY)


def test_control_who_goes_by_the_count_and_not_by_what_comes_between_loses_what_is_genuine(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    names = ["post_refused"]
    assert not searched(has_lost, names, CONTENT)

    def skip(self: Echoes, replies: Iterator[Any]) -> Iterator[Any]:
        kept = []
        for reply in replies:
            if self.left and reply[0] == b"message" and reply[1] == self._channel:
                self.left -= 1
            else:
                kept.append(reply)
        return iter(kept)

    monkeypatch.setattr(Echoes, "skip", skip)
    assert searched(has_lost, names, CONTENT)


def test_control_a_run_that_comes_short_and_is_not_ended_takes_what_is_genuine(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What the script says when Redis refuses a message is needed."""
    assert not searched(has_lost, ["post_refused"], CONTENT)
    publish = Redis.publish
    monkeypatch.setattr(
        Redis, "publish", lambda self, channel, payload: payload and publish(self, channel, payload)
    )
    assert searched(has_lost, ["post_refused"], CONTENT)


def test_control_notices_that_are_believed_again_lose_messages(monkeypatch: pytest.MonkeyPatch) -> None:
    names = ["post", "recorded"]
    assert not searched(has_lost, names, CONTENT)

    def announce(self: Echoes, notice: Echo) -> None:
        self._channel, self.left = notice.channel, notice.count

    monkeypatch.setattr(Echoes, "announce", announce)
    monkeypatch.setattr(Hearing, "_is_news", lambda self, event: True)
    assert searched(has_lost, names, CONTENT)


def test_control_a_new_connection_that_reads_no_floor_loses_messages(monkeypatch: pytest.MonkeyPatch) -> None:
    names = ["post", "recorded", "cut"]
    assert not searched(has_lost, names, CONTENT)
    joined = Hearing.joined
    monkeypatch.setattr(
        Hearing,
        "joined",
        lambda self, connection, newest, policies, now, echoes: joined(
            self, connection, newest, policies, now, 0
        ),
    )
    assert searched(has_lost, names, CONTENT)


def believes_again_what_came_before_the_floor_was_known(steps: int, seed: int) -> bool:
    """Whether a notice that comes while a connection begins is believed when it is published again."""
    alone = [("kill", 1), ("run", 200), ("cut", 0), ("run", steps), ("post", 1), ("run", 60)]
    world = play([*alone, ("recorded", 0, 1)], CONTENT, seed, protected=False)
    return world.published[-1][1] not in world.stored()


def test_control_what_was_heard_before_the_floor_was_known_is_to_be_known(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    moments = [(steps, seed) for steps in range(1, 9) for seed in range(6)]
    assert not any(believes_again_what_came_before_the_floor_was_known(*moment) for moment in moments)
    monkeypatch.setattr(
        Attachment, "newest_echo", property(lambda self: 0, lambda self, value: None), raising=False
    )
    assert any(believes_again_what_came_before_the_floor_was_known(*moment) for moment in moments)


def test_control_a_standby_that_judges_only_what_it_relays_loses_messages(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It has let go a notice, and holds it again when somebody publishes it again."""
    names = ["post", "recorded", "kill", "retire"]
    assert not searched(has_lost, names, CONTENT)
    monkeypatch.setattr(Hearing, "_is_news", lambda self, event: True)
    assert searched(has_lost, names, CONTENT)


def test_control_a_new_leader_that_does_not_know_what_it_has_let_go_loses_messages(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    names = ["post", "recorded", "kill", "retire"]
    assert not searched(has_lost, names, CONTENT)
    monkeypatch.setattr(Echoes, "pass_over", lambda self, newest: None)
    assert searched(has_lost, names, CONTENT)


def test_control_a_seal_that_is_not_looked_at_loses_messages(monkeypatch: pytest.MonkeyPatch) -> None:
    assert not searched(has_lost, ["post", "forged"], CONTENT)
    monkeypatch.setattr("relaycore.capturing.notices.hmac.compare_digest", lambda one, other: True)
    assert searched(has_lost, ["post", "forged"], CONTENT)
