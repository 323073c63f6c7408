"""One processor, played: what `alerts_app.processing` does around `relaycore.alerting`.

A generator that yields wherever somebody else may come in between, the process be killed, or freeze.
"""

import random
from collections.abc import Generator
from dataclasses import replace
from typing import TYPE_CHECKING

from relaycore.alerting import times
from relaycore.alerting.items import Keep
from relaycore.alerting.processing import Processing

from .function import RULE
from .redis import Away, Over

if TYPE_CHECKING:
    from .world import World

Steps = Generator[None, None, None]


class Processor:
    """Until it is killed. A term that is over is followed by the next one."""

    def __init__(self, world: "World") -> None:
        self._world = world
        self._random: random.Random = world.random
        self.frozen_for = 0
        self.out: set[bytes] = set()
        self._revision = 0
        self._job = self._run()

    def step(self) -> None:
        if self.frozen_for:
            self.frozen_for -= 1
        elif self._random.random() < 0.9:
            next(self._job)

    def _run(self) -> Steps:
        while True:
            try:
                yield from self._term()
            except Over:
                self._world.happened["over"] += 1
                yield
            except Away:
                yield

    def _term(self) -> Steps:
        archive, redis = self._world.archive, self._world.redis
        # The other one has it, unless it is dead or frozen: or the lease was let lapse.
        while not self._world.may_claim(self):
            yield
        self.epoch = self._world.claim(self)
        yield
        archive.stamp(self.epoch)
        yield
        redis.set_fence(self.epoch)
        yield
        mark = archive.mark
        yield
        last_id, below = redis.look()
        yield
        for key in list(archive.states):
            archive.claim_state(self.epoch, key)
            if self._random.random() < 0.3:
                yield
        archive.claimed(self.epoch)
        yield
        frontier, states = archive.load(self.epoch)
        self._revision = frontier.revision
        known_from = times.known_from(below, last_id, mark)
        kind = self._world.kinds[frontier.revision]
        self.processing = Processing(RULE, 0, 1, replace(frontier, known_from=known_from), kind, states)
        self.out = set()
        self._world.happened["terms"] += 1
        self._world.happened["ahead"] += sum(not frontier.covers(one.at) for one in states.values())
        while True:
            yield from self._turn(self.processing)

    def _turn(self, one: Processing) -> Steps:
        yield
        try:
            yield from self._look(one)
            yield from self._say(one)
        except Away:
            self._world.happened["away"] += 1
        self._settle(one)
        if self._random.random() < 0.4:
            yield from self._keep(one)
        if self._world.revision != self._revision:
            self._adopt(one)

    def _look(self, one: Processing) -> Steps:
        archive, redis = self._world.archive, self._world.redis
        mark = archive.mark
        yield
        last_id, below = redis.look()
        if one.waits_for is not None and one.waits_for <= redis.clock:
            redis.raise_to(times.raised(redis.clock, last_id, mark))
        yield
        most = min(one.room, self._random.randint(1, 4))
        inputs = archive.page(one.position, below, most)
        yield
        one.take(inputs)
        if len(inputs) < most:
            one.reach(times.reached(below, last_id, mark))

    def _say(self, one: Processing) -> Steps:
        made = one.outputs()
        while made:
            batch = [made.pop(0) for _ in range(min(len(made), self._random.randint(1, 3)))]
            yield
            chance = self._random.random() if self._world.has_faults else 1.0
            try:
                if chance < 0.03:
                    raise Away
                self._world.redis.say(self.epoch, batch)
                if chance < 0.06:
                    raise Away
            except Away:  # It may be there, or not.
                one.lost([output.id for output in [*batch, *made]])
                raise
            self.out |= {output.id for output in batch}

    def _settle(self, one: Processing) -> None:
        waits = {made.id for _, made in self._world.redis.data.out}
        stored = self._stored() - waits
        one.stored(stored)
        lost = self.out - stored - waits
        self._world.happened["lost"] += len(lost)
        self._tell_lost(one, lost)
        self.out = self.out - stored - lost

    def _stored(self) -> set[bytes]:
        """What was said, by whomever. As long as it waits once more, retention could make it new."""
        return {id for id in self.out if id in self._world.archive.outputs}

    @staticmethod
    def _tell_lost(one: Processing, lost: set[bytes]) -> None:
        one.lost(lost)

    def _keep(self, one: Processing) -> Steps:
        keep = one.keep()
        if keep is None:
            return
        yield
        yield from self._write(keep)
        one.kept(keep)

    def _write(self, keep: Keep) -> Steps:
        archive = self._world.archive
        for key, kept in keep.states.items():
            archive.write_state(self.epoch, key, kept)
            yield
        archive.write_frontier(self.epoch, keep.frontier)
        yield
        for key, at in keep.gone.items():
            archive.delete_state(self.epoch, key, at)
            yield

    def _adopt(self, one: Processing) -> None:
        revision = self._world.revision
        if one.adopt(revision, self._world.kinds[revision]):
            self._revision = revision
            self._world.happened["adopted"] += 1
