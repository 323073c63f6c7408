"""A log, shards that come and go with their states, and their number, which is changed again and again.

Each shard takes and keeps, is edited perhaps, takes more and dies. Some never begin. Some freeze while they
write, and go on once the next division has run. What is told must be what the function says, once.
"""

import random
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from relaycore.alerting import dividing
from relaycore.alerting.dividing import (
    Beginning,
    Earlier,
    Part,
    Settings,
    Written,
)
from relaycore.alerting.items import Frontier, Input, KeptState
from relaycore.alerting.kinds.texts import show_time
from relaycore.alerting.kinds.window import Window
from relaycore.alerting.naming import shard_of
from relaycore.alerting.processing import Processing
from relaycore.position import START
from tests.integration.processing import function

RULE = "0123456789abcdef0123456789abcdef"
T0 = 1_700_000_000_000
SECOND = 1000
PLACES = 6
TERMS = 10
"""Of one division at most: their numbers are above those of the division before."""

Said = Mapping[tuple[str, str, str, int], set[int]]


def kind(text: str) -> Window:
    """The edit is one of texts: so the same is told under both, in other words."""
    return Window(
        {
            "key": ["place"],
            "start": {"field": "at"},
            "duration": {"seconds": 3},
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
    """One shard: what it takes and keeps, whether it is edited then, and what it takes before it dies.

    is_frozen: it dies while it writes states: those that nobody has are there once the next division has run,
               or the next term
    again:     the next term of the same shard, and up to where it takes and keeps
    """

    kept: int
    is_edited: bool
    more: int
    is_frozen: bool = False
    again: int | None = None


Division = list[Story | None]
"""Its shards. None: it has not begun."""


Divide = Callable[[Sequence[Part]], Earlier]


def as_it_is(parts: Sequence[Part]) -> Earlier:
    return Earlier(RULE, parts)


FRESH = Beginning(Frontier(START, T0 - SECOND, 1), BEFORE)


@dataclass
class World:
    """What is told, by cause, and under which revisions; and what is kept."""

    inputs: Sequence[Input]
    told: dict[tuple[str, str, str, int], set[int]] = field(default_factory=lambda: defaultdict(set))
    states: dict[str, tuple[KeptState, Written]] = field(default_factory=dict)
    late: dict[str, tuple[KeptState, Written]] = field(default_factory=dict)
    parts: list[Part] = field(default_factory=list)
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

    def keep(self, processing: Processing, by: Written, before: Frontier) -> Frontier:
        frontier = before
        while (keep := processing.keep()) is not None:
            self.states |= {key: (kept, by) for key, kept in keep.states.items()}
            for key in keep.gone:
                self.states.pop(key, None)
            frontier = keep.frontier
            processing.kept(keep)
            self.tell(processing)
        return frontier

    def run(self, division: int, shards: Division, earlier: Divide) -> None:
        before, found = list(self.parts), list[Part]()
        for shard, story in enumerate(shards):
            if story is None:
                continue
            part = self.run_shard(self.begin(division, shard, len(shards), before), story, before, earlier)
            if story.again is not None:
                again = replace(story, kept=story.again, is_frozen=False)
                part = self.run_shard(part, again, before, earlier)
                self.wake()
            found.append(part)
        # As the next one of them that begins with it finds it.
        self.parts = found if dividing.are_passed(before, found) else before + found

    def run_shard(
        self, part: Part, story: Story, before: Sequence[Part], divide: Divide, *, ends: bool = False
    ) -> Part:
        """One term; what stands then.

        part: what the one before has left; ends: all that is open comes to its end
        """
        by = Written(part.division, part.shard, part.term + 1)
        frontier = began = replace(part.frontier, known_from=self.known_from)
        states, kind = self.claimed(by, part.of), part.settings.kind
        processing = Processing(RULE, part.shard, part.of, frontier, kind, states, divide(before))
        self.take(processing, story.kept)
        frontier = self.keep(processing, by, frontier)
        if story.is_edited and processing.position >= self.known_from:
            while not processing.adopt(AFTER.revision, AFTER.kind):
                frontier = self.keep(processing, by, frontier)
            frontier = self.keep(processing, by, frontier)
        self.take(processing, min(len(self.inputs), story.kept + story.more))
        self.known_from = max(self.known_from, processing.position)
        if ends:
            processing.reach(T0 + 3600 * SECOND)
            self.tell(processing)
        if story.is_frozen and (keep := processing.keep()) is not None:
            self.late |= {key: (kept, by) for key, kept in keep.states.items()}
        settings = AFTER if frontier.revision == 2 else BEFORE
        term = part.term if frontier is began and part.term % TERMS else by.term
        return replace(part, term=term, frontier=frontier, settings=settings)

    def begin(self, division: int, shard: int, of: int, before: Sequence[Part]) -> Part:
        """Where a shard stands that has not come anywhere in this division."""
        frontier, settings = dividing.beginning(before, FRESH)
        return Part(division, shard, of, division * TERMS, frontier, settings)

    def run_last(self, division: int, shards: int, dies_after: int, earlier: Divide) -> None:
        """All that is left, by shards that die once."""
        for shard in range(shards):
            part = self.begin(division, shard, shards, self.parts)
            part = self.run_shard(part, Story(dies_after, True, 2), self.parts, earlier)
            self.run_shard(part, Story(len(self.inputs), True, 0), self.parts, earlier, ends=True)

    def claimed(self, by: Written, shards: int) -> dict[str, KeptState]:
        """The states of a shard, once they are its own."""
        for key, (kept, writer) in list(self.states.items()):
            if shard_of(RULE, key, shards) != by.shard:
                continue
            if writer.division < by.division and dividing.is_left_over(RULE, key, writer, self.parts):
                del self.states[key]
            else:
                self.states[key] = kept, by
        return {key: kept for key, (kept, writer) in self.states.items() if writer == by}

    def wake(self) -> None:
        """Who was frozen goes on writing: over nothing that a later term has."""
        self.states = {**self.late, **self.states}
        self.late = {}


def tell(
    inputs: Sequence[Input],
    divisions: Sequence[Division],
    shards: int,
    dies_after: int,
    divide: Divide = as_it_is,
) -> Said:
    world = World(inputs)
    for number, division in enumerate(divisions, 1):
        late, world.late = world.late, {}
        world.run(number, division, divide)
        world.states = {**late, **world.states}
    world.wake()
    world.run_last(len(divisions) + 1, shards, dies_after, divide)
    return world.told


def wanted(inputs: Sequence[Input]) -> set[Any]:
    said: dict[Any, str] = function.said(
        BEFORE.kind,
        inputs,
        T0 + 3600 * SECOND,
        lambda key, cause, kind, place, message: (key, cause, kind, place),
    )
    return set(said)


def story(chance: random.Random) -> Story | None:
    if chance.random() < 0.2:
        return None
    again = chance.randint(0, 60) if chance.random() < 0.4 else None
    found = chance.randint(0, 50), chance.random() < 0.4, chance.randint(0, 20), chance.random() < 0.4
    return Story(*found, again)


def is_kept(seed: int, divide: Divide = as_it_is) -> bool:
    """Whether a log that is divided several times, by chance, is told once, under one revision each."""
    chance = random.Random(seed)
    inputs = log([chance.randint(0, PLACES) for _ in range(chance.randint(1, 60))])
    divisions = [[story(chance) for _ in range(chance.randint(1, 4))] for _ in range(chance.randint(1, 4))]
    told = tell(inputs, divisions, chance.randint(1, 4), chance.randint(0, 60), divide)
    return set(told) == wanted(inputs) and all(len(revisions) == 1 for revisions in told.values())
