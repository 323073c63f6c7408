"""Controls: without one of the rules of `relaycore.alerting` the same schedules find what it is for.

Promises: 1 told once, 2 nothing but what the function says, 3 all of it, 4 counted once, 5 closed,
6 nothing because of forgers, 9 it ends.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from relaycore.alerting import processing, speaking, times
from relaycore.alerting.dividing import Settings
from relaycore.alerting.items import Frontier, Input, Keep, KeptState, Made
from relaycore.alerting.processing import Processing
from relaycore.errors import Unusable
from relaycore.position import milliseconds_of
from relaycore.publishing import producers

from .archive import Archive, Document
from .processor import Processor, Steps
from .redis import Redis
from .schedules import ALL, CLOCK, DYING, EDITING, FALLING, RETAINING, played, searched, told_out
from .world import World

Patch = pytest.MonkeyPatch
Told = list[tuple[Any, ...]]

# Too rare to be found by chance.
AN_OLDER_COPY: Told = [
    *(("append", 2), ("run", 150), ("remember",), ("freeze_holder", 400), ("run", 40), ("edit",)),
    *(("append", 2), ("run", 150), ("lose", 1), ("freeze_holder", 60), ("wake_other",)),
    *(("append", 3), ("run", 40)),
]
BACK_AND_FORTH: Told = [
    *(("append", 3), ("run", 60), ("set_clock", 40), ("run", 5), ("set_clock", -35), ("append", 1)),
    *(("set_clock", 60), ("append", 1), ("run", 60)),
]


def breaks(promise: int, steps: Told, most: int = 300) -> bool:
    worlds = (told_out(steps, seed, "lull") for seed in range(most))
    return any(number == promise for world in worlds for number, _ in world.broken)


@pytest.mark.parametrize("steps", [AN_OLDER_COPY, BACK_AND_FORTH])
def test_what_is_rare_is_no_trouble_by_itself(steps: Told) -> None:
    assert not any(told_out(steps, seed, "lull").broken for seed in range(100))


@pytest.fixture(autouse=True)
def _has_little_room(monkeypatch: Patch) -> None:
    monkeypatch.setattr(processing, "MOST_UNSTORED", 6)


# --- 1: timers before inputs ---------------------------------------------------------------------


def test_control_timers_that_fire_after_the_inputs(monkeypatch: Patch) -> None:
    take, fire = Processing.take, Processing._fire

    def inputs_first(self: Processing, inputs: Sequence[Input]) -> None:
        monkeypatch.setattr(Processing, "_fire", lambda self, upto: None)
        take(self, inputs)
        monkeypatch.setattr(Processing, "_fire", fire)
        if inputs:
            self._fire(inputs[-1].at)

    monkeypatch.setattr(Processing, "take", inputs_first)
    assert searched(2)


# --- 2: a time is reached when nothing below it can come any more -----------------------------------


def test_control_a_time_that_the_watermark_alone_says(monkeypatch: Patch) -> None:
    monkeypatch.setattr(times, "reached", lambda below, last_id, mark: milliseconds_of(below))
    assert searched(2, CLOCK)


def test_control_no_last_id(monkeypatch: Patch) -> None:
    def without(below: str, last_id: str, mark: str) -> int:
        return min(milliseconds_of(below), milliseconds_of(mark))

    monkeypatch.setattr(times, "reached", without)
    assert searched(2, CLOCK)


def test_control_no_mark(monkeypatch: Patch) -> None:
    """Time that was let pass beyond it is given again once Redis has lost its data."""

    def without(below: str, last_id: str, mark: str) -> int:
        return min(milliseconds_of(below), milliseconds_of(last_id))

    monkeypatch.setattr(World, "_reserve", seldom)
    assert not any(played([*FALLING, *CLOCK], seed).broken for seed in range(100))
    monkeypatch.setattr(times, "reached", without)
    monkeypatch.setattr(times, "raised", lambda now, last_id, mark: now)
    assert searched(3, [*FALLING, *CLOCK], most=500)


_RESERVE = World._reserve


def seldom(self: World) -> None:
    """A writer that has much else to do, so that time comes up to the mark."""
    if not self._messages or not self.has_faults or self.random.random() < 0.03:
        _RESERVE(self)


def test_control_time_that_nobody_lets_pass(monkeypatch: Patch) -> None:
    monkeypatch.setattr(times, "raised", lambda now, last_id, mark: 0)
    assert searched(9, most=1)


def test_control_a_time_that_is_reached_before_what_is_below_was_taken(monkeypatch: Patch) -> None:
    def at_once(self: Processor, one: Processing) -> Steps:
        archive, redis = self._world.archive, self._world.redis
        last_id, below = redis.look()
        if one.waits_for is not None and one.waits_for <= redis.clock:
            redis.raise_to(times.raised(redis.clock, last_id, archive.mark))
        inputs = archive.page(one.position, below, 1)
        yield
        one.take(inputs)
        one.reach(times.reached(below, last_id, archive.mark))

    monkeypatch.setattr(Processor, "_look", at_once)
    assert searched(3)


def test_control_a_mark_that_is_asked_last(monkeypatch: Patch) -> None:
    def the_other_way(self: Processor, one: Processing) -> Steps:
        archive, redis = self._world.archive, self._world.redis
        _, below = redis.look()
        for _ in range(self._random.randint(0, 10)):
            yield
        last_id = redis.last_id
        yield
        mark = archive.mark
        if one.waits_for is not None and one.waits_for <= redis.clock:
            redis.raise_to(times.raised(redis.clock, last_id, mark))
        yield
        inputs = archive.page(one.position, below, 100)
        yield
        one.take(inputs)
        one.reach(times.reached(below, last_id, mark))

    monkeypatch.setattr(Processor, "_look", the_other_way)
    assert breaks(3, BACK_AND_FORTH)


# --- 3: the frontier passes what is stored -----------------------------------------------------------


def test_control_kept_before_it_is_stored(monkeypatch: Patch) -> None:
    def at_once(self: Processing) -> Keep | None:
        if self._sealed is None:
            self._seal()
        return self._sealed.keep if self._sealed is not None else None

    monkeypatch.setattr(Processing, "keep", at_once)
    assert searched(3, DYING)


def test_control_what_was_appended_is_taken_for_stored(monkeypatch: Patch) -> None:
    settle = Processor._settle

    def believe(self: Processor, one: Processing) -> None:
        one.stored(set(self.out))
        settle(self, one)

    monkeypatch.setattr(Processor, "_settle", believe)
    assert searched(3, FALLING)


def test_control_what_is_lost_is_not_said_again(monkeypatch: Patch) -> None:
    monkeypatch.setattr(Processor, "_tell_lost", staticmethod(lambda one, lost: one.stored(lost)))
    assert searched(3, FALLING, most=600)


# --- 4: states before the frontier, and a cause that is in a state already ---------------------------


def test_control_a_state_that_is_ahead_takes_it_again(monkeypatch: Patch) -> None:
    take = Processing._take

    def whatever(self: Processing, event: Any, input: Input, settings: Settings) -> None:
        known = self._states.get(event.key)
        if known is not None and input.position <= known.at:
            self._states[event.key] = KeptState("", known.state)
        take(self, event, input, settings)

    monkeypatch.setattr(Processing, "_take", whatever)
    assert searched(2, DYING)


def test_control_the_frontier_before_the_states(monkeypatch: Patch) -> None:
    def frontier_first(self: Processor, keep: Keep) -> Steps:
        self._world.archive.write_frontier(self.epoch, keep.frontier)
        yield
        for key, kept in keep.states.items():
            self._world.archive.write_state(self.epoch, key, kept)
            yield

    monkeypatch.setattr(Processor, "_write", frontier_first)
    assert searched(2, DYING) or searched(3, DYING)


def test_control_what_has_ended_is_deleted_before_the_frontier_has_passed_it(monkeypatch: Patch) -> None:
    def deleted_first(self: Processor, keep: Keep) -> Steps:
        archive = self._world.archive
        for key, kept in keep.states.items():
            archive.write_state(self.epoch, key, kept)
            if kept.state is None:
                archive.delete_state(self.epoch, key, kept.at)
            yield
        archive.write_frontier(self.epoch, keep.frontier)

    monkeypatch.setattr(Processor, "_write", deleted_first)
    assert searched(2, DYING)


# --- 5: what is written is fenced ---------------------------------------------------------------------


def test_control_no_fence(monkeypatch: Patch) -> None:
    monkeypatch.setattr(Redis, "check", lambda self, epoch: None)
    assert searched(2, [*DYING, *EDITING])


def test_control_a_fence_that_comes_back_with_an_older_copy(monkeypatch: Patch) -> None:
    lose = Redis.lose

    def same_run(self: Redis, *, all: bool) -> None:
        lose(self, all=all)
        self.run = 1

    monkeypatch.setattr(Redis, "lose", same_run)
    assert breaks(2, AN_OLDER_COPY)


def test_control_a_frontier_that_an_earlier_term_moves(monkeypatch: Patch) -> None:
    def whoever(self: Archive, epoch: int, frontier: Frontier) -> None:
        if frontier.revision != self.frontier.revision:
            self.adopted.append(frontier)
        self.frontier = frontier

    monkeypatch.setattr(Archive, "write_frontier", whoever)
    assert searched(2, [*DYING, *EDITING]) or searched(1, [*DYING, *EDITING])


def test_control_states_that_are_loaded_without_a_claim(monkeypatch: Patch) -> None:
    def load(self: Archive, epoch: int) -> tuple[Frontier, dict[str, KeptState]]:
        self._require(epoch)
        return self.frontier, {key: one.kept for key, one in self.states.items()}

    monkeypatch.setattr(Archive, "claim_state", lambda self, epoch, key: None)
    monkeypatch.setattr(Archive, "load", load)
    assert searched(2, DYING, most=3000)


def test_control_states_that_an_earlier_term_writes_over(monkeypatch: Patch) -> None:
    def whoever(self: Archive, epoch: int, key: str, kept: KeptState) -> None:
        self.states[key] = Document(max(epoch, self.epoch), kept)

    monkeypatch.setattr(Archive, "write_state", whoever)
    assert searched(2, DYING, most=3000)


# --- 6, 7: where settings change ----------------------------------------------------------------------


def test_control_edits_at_once(monkeypatch: Patch) -> None:
    def at_once(self: Processing, revision: int, kind: Any) -> bool:
        if revision != self._own.revision and self._sealed is None:
            self._known_from, self._drains, self._made = "", False, {}
            self._changed, changed = set(), self._changed
            adopt(self, revision, kind)
            self._changed = changed
            return True
        return revision == self._own.revision

    adopt = Processing.adopt
    monkeypatch.setattr(Processing, "adopt", at_once)
    assert searched(3, EDITING) or searched(2, EDITING)


def test_control_no_known_from(monkeypatch: Patch) -> None:
    monkeypatch.setattr(times, "known_from", lambda below, last_id, mark: "")
    assert searched(2, [*DYING, *EDITING])


def test_control_known_from_the_watermark_alone(monkeypatch: Patch) -> None:
    """It has gone back with Redis, or with its clock."""
    monkeypatch.setattr(times, "known_from", lambda below, last_id, mark: below)
    assert searched(2, [*DYING, *EDITING, *FALLING, *CLOCK], most=3000)


def test_control_what_is_said_under_new_settings_does_not_wait(monkeypatch: Patch) -> None:
    outputs = Processing.outputs

    def all_of_them(self: Processing) -> list[Made]:
        self._holds_back = False
        return outputs(self)

    monkeypatch.setattr(Processing, "outputs", all_of_them)
    assert searched(2, [*DYING, *EDITING], most=600)


def test_control_timers_that_an_edit_moves_to_before_now(monkeypatch: Patch) -> None:
    schedule = Processing._schedule

    def as_it_is(self: Processing, key: str, kept: KeptState, settings: Settings) -> None:
        self._floor = 0
        schedule(self, key, kept, settings)

    monkeypatch.setattr(Processing, "_schedule", as_it_is)
    assert searched(2, EDITING, "lull")


# --- 8: retention stays behind the frontier -------------------------------------------------------------


def test_control_retention_that_does_not_wait(monkeypatch: Patch) -> None:
    monkeypatch.setattr(World, "_may_expire", lambda self: "9")
    assert searched(1, [*DYING, *RETAINING])
    # What is gone of the input was never taken.
    assert searched(3, [*DYING, *RETAINING])


def test_control_outputs_that_stand_below_their_causes(monkeypatch: Patch) -> None:
    def by_the_clock(self: Redis, epoch: int, made: list[Made]) -> None:
        self.check(epoch)
        for one in made:
            self.data.out_last = self._above(self.data.out_last)
            self.data.out.append(("{:013d}-{:010d}-00000".format(*self.data.out_last), one))

    monkeypatch.setattr(Redis, "say", by_the_clock)
    assert searched(1, [*DYING, *RETAINING, *CLOCK], most=2000)


# --- 9: what cannot be used -----------------------------------------------------------------------------


def test_control_what_cannot_be_used_is_counted_by_each_term(monkeypatch: Patch) -> None:
    note = Processing._note

    def once_more(self: Processing, input: Input, why: Unusable, settings: Settings) -> None:
        self._kept = replace(self._kept, unusable=self._kept.unusable + 1)
        note(self, input, why, settings)
        self.unusable = max(self.unusable, self._kept.unusable + 1)

    monkeypatch.setattr(Processing, "_note", once_more)
    assert searched(4, DYING)


# --- what one message says of several alerts ------------------------------------------------------------


def test_control_what_a_message_says_of_further_alerts_is_passed_over(monkeypatch: Patch) -> None:
    take = Processing._take
    last = {}

    def the_first(self: Processing, event: Any, input: Input, settings: Settings) -> None:
        if last.get(self) != input.position:
            last[self] = input.position
            take(self, event, input, settings)

    monkeypatch.setattr(Processing, "_take", the_first)
    assert searched(2, kind="unacknowledged")


# --- who may speak ----------------------------------------------------------------------------------------


def test_control_whoever_publishes_speaks_for_an_alert(monkeypatch: Patch) -> None:
    monkeypatch.setattr(speaking, "may", lambda produced_by, attributes: bool(attributes))
    assert searched(6, kind="unacknowledged")


def test_control_doors_that_give_any_name(monkeypatch: Patch) -> None:
    monkeypatch.setattr(producers, "client", lambda kind, name: name)
    assert searched(6, kind="unacknowledged")
    assert searched(6, kind="failing")


def test_the_whole_of_it_holds_where_the_controls_fail() -> None:
    assert not any(played(ALL, seed).broken for seed in range(400, 500))
