"""Another number of shards while an edit has come into force in some of them: each output is told once."""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relaycore.alerting.dividing import Earlier, Part, Settings
from relaycore.alerting.items import Frontier, Input, KeptState
from relaycore.alerting.kinds.texts import show_time
from relaycore.alerting.kinds.window import Window
from relaycore.alerting.naming import shard_of
from relaycore.alerting.processing import Processing
from relaycore.position import START, before_millisecond
from tests.integration.processing import function

RULE = "0123456789abcdef0123456789abcdef"
T0 = 1_700_000_000_000
SECOND = 1000
PLACES = 6

Said = Mapping[tuple[str, str, str, int], set[int]]


def kind(text: str) -> Window:
    """The edit is one of texts: so the same is told under both, in other words."""
    return Window(
        {
            "key": ["place"],
            "start": {"field": "at"},
            "duration": {"seconds": 20},
            "merge": {"type": text},
        }
    )


BEFORE, AFTER = Settings(1, kind("Mixed")), Settings(2, kind("Several"))


def log(places: Sequence[int]) -> list[Input]:
    """One input each second."""
    found = []
    for number, place in enumerate(places):
        at = T0 + number * SECOND
        message = f'{{"place": "{place}", "at": "{show_time(at * 1000)}", "type": "{number % 3}"}}'
        found.append(Input(f"{at:013d}{0:017d}", message))
    return found


@dataclass
class Story:
    """One old shard: what it takes and keeps, whether it is edited then, and what it takes before it dies."""

    kept: int
    is_edited: bool
    more: int


@dataclass
class World:
    """What is told, by cause, and under which revisions; and what is kept."""

    inputs: Sequence[Input]
    told: dict[tuple[str, str, str, int], set[int]] = field(default_factory=lambda: defaultdict(set))
    states: dict[str, KeptState] = field(default_factory=dict)
    known_from: str = START

    def take(self, processing: Processing, upto: int) -> None:
        while new := [one for one in self.inputs[:upto] if one.position > processing.position][:3]:
            processing.take(new)
            self.tell(processing)

    def tell(self, processing: Processing) -> None:
        made = processing.outputs()
        for one in made:
            said = one.key, one.cause, one.output.kind, one.place
            self.told[said].add(int(one.attributes["revision"]))
        processing.stored([one.id for one in made])

    def keep(self, processing: Processing, before: Frontier) -> Frontier:
        frontier = before
        while (keep := processing.keep()) is not None:
            self.states |= keep.states
            for key in keep.gone:
                self.states.pop(key, None)
            frontier = keep.frontier
            processing.kept(keep)
            self.tell(processing)
        return frontier

    def run_old(self, shard: int, shards: int, story: Story) -> Part:
        frontier = Frontier(START, T0 - SECOND, 1)
        processing = Processing(RULE, shard, shards, frontier, BEFORE.kind, {})
        self.take(processing, story.kept)
        frontier = self.keep(processing, frontier)
        if story.is_edited:
            while not processing.adopt(AFTER.revision, AFTER.kind):
                frontier = self.keep(processing, frontier)
            frontier = self.keep(processing, frontier)
        self.take(processing, min(len(self.inputs), story.kept + story.more))
        self.known_from = max(self.known_from, processing.position)
        settings = AFTER if frontier.revision == 2 else BEFORE
        return Part(1, shard, shards, frontier.position, frontier.time, settings)

    def run_new(self, shard: int, shards: int, earlier: Earlier, frontier: Frontier, dies_after: int) -> None:
        for upto in (dies_after, len(self.inputs)):
            states = {key: one for key, one in self.states.items() if shard_of(RULE, key, shards) == shard}
            settings = AFTER if frontier.revision == 2 else BEFORE
            processing = Processing(RULE, shard, shards, frontier, settings.kind, states, earlier)
            self.take(processing, upto)
            frontier = self.keep(processing, frontier)
            if processing.position >= self.known_from:
                while not processing.adopt(AFTER.revision, AFTER.kind):
                    frontier = self.keep(processing, frontier)
                frontier = self.keep(processing, frontier)
            self.take(processing, min(len(self.inputs), upto + 2))
        processing.reach(T0 + 3600 * SECOND)
        self.tell(processing)


def tell(
    inputs: Sequence[Input],
    stories: Sequence[Story],
    shards: int,
    dies_after: int,
    divide: Callable[[Sequence[Part]], Earlier] = lambda parts: Earlier(RULE, parts),
) -> Said:
    world = World(inputs)
    parts = [world.run_old(shard, len(stories), story) for shard, story in enumerate(stories)]
    least = min(parts, key=lambda part: (part.position, part.time))
    revision = min(part.settings.revision for part in parts)
    for shard in range(shards):
        frontier = Frontier(least.position, least.time, revision, world.known_from)
        world.run_new(shard, shards, divide(parts), frontier, dies_after)
    return world.told


def wanted(inputs: Sequence[Input]) -> set[Any]:
    said: dict[Any, str] = function.said(
        BEFORE.kind,
        inputs,
        T0 + 3600 * SECOND,
        lambda key, cause, kind, place, message: (key, cause, kind, place),
    )
    return set(said)


stories = st.builds(Story, st.integers(0, 20), st.booleans(), st.integers(0, 20))


@given(
    st.lists(st.integers(0, PLACES), min_size=1, max_size=40),
    st.lists(stories, min_size=1, max_size=4),
    st.integers(1, 4),
    st.integers(0, 40),
)
def test_each_output_is_told_once_and_under_one_revision(
    places: list[int], stories: list[Story], shards: int, dies_after: int
) -> None:
    inputs = log(places)
    told = tell(inputs, stories, shards, dies_after)
    assert set(told) == wanted(inputs)
    assert all(len(revisions) == 1 for revisions in told.values())


EDITED_IN_ONE = [Story(5, True, 15), Story(5, False, 15)]


def test_control_if_all_went_on_under_the_settings_of_one_shard_it_is_told_twice() -> None:
    def alike(parts: Sequence[Part]) -> Earlier:
        return Earlier(
            RULE, [Part(one.division, one.shard, one.of, one.position, one.time, BEFORE) for one in parts]
        )

    inputs = log([number % PLACES for number in range(30)])
    told = tell(inputs, EDITED_IN_ONE, 3, 30, alike)
    assert any(len(revisions) > 1 for revisions in told.values())
    told = tell(inputs, EDITED_IN_ONE, 3, 30)
    assert all(len(revisions) == 1 for revisions in told.values())


def test_a_shard_that_was_divided_before_the_edit_came_into_force_hands_on_what_it_was_handed() -> None:
    old = Part(1, 0, 1, before_millisecond(T0), T0, AFTER)
    between = Part(2, 0, 1, before_millisecond(T0 + 5), T0 + 5, BEFORE)
    earlier = Earlier(RULE, [between, old])
    assert earlier.settings_of("[1]", BEFORE) is AFTER
    assert earlier.passed("[1]") == between.position
    assert earlier.fired("[1]") == T0 + 5
    assert earlier.settings_of("[1]", AFTER) is AFTER
    assert not earlier.is_behind(between.position, between.time, BEFORE)
    assert earlier.is_behind(between.position, between.time, AFTER)


@pytest.mark.parametrize("key", ["[1]", "[2]", "[3]"])
def test_who_had_a_key_has_said_how_far_it_was_taken(key: str) -> None:
    parts = [Part(1, shard, 3, f"{shard}", shard, BEFORE) for shard in range(3)]
    shard = shard_of(RULE, key, 3)
    assert Earlier(RULE, parts).passed(key) == str(shard)
    others = [part for part in parts if part.shard != shard]
    assert Earlier(RULE, others).passed(key) == "", "who had it had not begun"
