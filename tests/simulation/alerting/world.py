"""One rule, two processors of its only shard, the stores, and all that goes wrong."""

import random
from collections import Counter
from typing import Any, Final, NamedTuple

from relaycore.alerting import times
from relaycore.alerting.items import Input, Kind
from relaycore.alerting.kinds.absence import Absence
from relaycore.alerting.kinds.failing import Failing
from relaycore.alerting.kinds.threshold import Threshold
from relaycore.alerting.kinds.unacknowledged import Unacknowledged
from relaycore.alerting.kinds.window import Window
from relaycore.position import entry_of, milliseconds_of, order

from .archive import Archive
from .function import Function
from .lull import Lull
from .messages import BY_KIND, Message, alert
from .processor import Processor
from .redis import START_MS, Redis

AHEAD_MS: Final = 60
"""So far ahead the writer reserves positions (6 s in truth: here all goes a hundred times as fast)."""

_SETTLING: Final = 6000

_WINDOW: Final[dict[str, Any]] = {
    "key": ["location"],
    "start": {"field": "timestamp"},
    "duration": {"field": "duration", "unit": "milliseconds"},
    "merge": {"type": "Mixed"},
}

KINDS: Final[dict[str, list[Kind[Any]]]] = {
    "window": [
        Window(_WINDOW),
        Window({**_WINDOW, "close_on_extend": True}),
        Window({**_WINDOW, "merge": {"type": "Several"}}),
        Window({**_WINDOW, "start": "receipt"}),
    ],
    "lull": [Lull(20), Lull(5), Lull(60)],
    "threshold": [
        Threshold({"key": ["location"], "count": 3, "seconds": 0.02}),
        Threshold({"key": ["location"], "count": 2, "seconds": 0.03}),
        Threshold({"key": ["location"], "count": 2, "seconds": 0.01, "close_silence_seconds": 0.015}),
    ],
    "absence": [
        Absence({"key": ["location"], "seconds": 0.01, "forget_seconds": 0.04}),
        Absence({"key": ["location"], "seconds": 0.02, "forget_seconds": 0.03}),
    ],
    "unacknowledged": [
        Unacknowledged({"seconds": 0.01, "forget_seconds": 0.1}),
        Unacknowledged({"seconds": 0.02, "forget_seconds": 0.06}),
    ],
    "failing": [
        Failing({"forget_seconds": 0.05}),
        Failing({"forget_seconds": 0.02}),
        Failing({"forget_seconds": 0.05, "subjects": ["endpoints/a", "endpoints/b"]}),
    ],
}


class EveryOther(NamedTuple):
    """Maintenance times of 40 ms, with as much between them."""

    def at(self, ms: int) -> bool:
        return ms // 40 % 2 == 0


def _with_maintenance() -> list[Kind[Any]]:
    found: list[Any] = [
        Window({**_WINDOW, "start": "receipt"}),
        Threshold({"key": ["location"], "count": 2, "seconds": 0.03}),
        Absence({"key": ["location"], "seconds": 0.01, "forget_seconds": 0.04}),
    ]
    for one in found:
        one._quiet = EveryOther()
    return found


KINDS.update({f"{type(one).__name__.lower()} in maintenance": [one] for one in _with_maintenance()})


class World:
    """What a schedule of operations plays on."""

    def __init__(self, seed: int, kind: str) -> None:
        self.random = random.Random(seed)
        self.redis = Redis()
        self.archive = Archive()
        self.happened: Counter[str] = Counter()
        self.broken: set[tuple[int, str]] = set()
        self.has_faults = True
        self.kinds = [self.random.choice(KINDS[kind]) for _ in range(50)]
        self.revision = 0
        self._message = BY_KIND.get(kind, alert)
        self._messages: list[Message] = []
        self._forged: set[str] = set()
        self._epoch = 0
        self._holder: Processor | None = None
        self._reserve()
        self.redis.recover(self.archive.mark, (), ())
        self.processors = [Processor(self) for _ in range(2)]

    # --- what goes on --------------------------------------------------------------------------

    def run(self, steps: int) -> None:
        for _ in range(steps):
            self.redis.clock += self.random.randint(0, 2)
            self.redis.highest = max(self.redis.highest, self.redis.clock)
            self._write()
            self._write_outputs()
            for one in self.processors:
                one.step()

    def append(self, messages: int) -> None:
        for _ in range(messages):
            now = max(self.redis.clock, self.redis.data.last[0])
            self._messages.append(self._message(self.random, now))
            self.redis.append(len(self._messages) - 1)
            if self.random.random() < 0.5:
                self.redis.clock += self.random.randint(0, 4)

    def _reserve(self) -> None:
        newest = max(self.redis.clock, self.redis.data.last[0])
        if milliseconds_of(self.archive.mark) - newest < AHEAD_MS // 2:
            self.archive.mark = max(self.archive.mark, f"{newest + AHEAD_MS}-0", key=order)

    def _write(self) -> None:
        """The writer of the stream that is read."""
        if self.redis.has_fallen:
            if self.random.random() < 0.2:
                self.redis.recover(self.archive.mark, self.archive.numbers, self.archive.told)
            return
        if self.random.random() < 0.5:
            self._reserve()
        waiting = self.redis.data.waiting
        for _ in range(self.random.randint(0, 3)):
            if not waiting or order(entry_of(waiting[0].position)) > order(self.archive.mark):
                return
            one = waiting.pop(0)
            message = self._messages[one.number]
            input = Input(one.position, message.body, message.attributes, message.produced_by)
            self.archive.store(one.number, input)
            if message.is_forged:
                self._forged.add(one.position)

    def _write_outputs(self) -> None:
        out = self.redis.data.out
        for _ in range(self.random.randint(0, 3)):
            if out and not self.redis.has_fallen:
                self.archive.store_output(*out.pop(0))

    # --- the lease -----------------------------------------------------------------------------

    def may_claim(self, processor: Processor) -> bool:
        holder = self._holder
        if holder is None or holder is processor or holder not in self.processors:
            return True
        return self.random.random() < (0.3 if holder.frozen_for else 0.005 * self.has_faults)

    def claim(self, processor: Processor) -> int:
        self._holder = processor
        self._epoch += 1
        return self._epoch

    # --- faults --------------------------------------------------------------------------------

    def kill(self, chance: int) -> None:
        """At any instant: what it was about to write is not written."""
        self.processors[chance % 2] = Processor(self)

    def freeze(self, chance: int, steps: int) -> None:
        """It wakes up where it was."""
        self.processors[chance % 2].frozen_for = steps

    def freeze_holder(self, steps: int) -> None:
        for one in self.processors:
            if one is self._holder:
                one.frozen_for = steps

    def wake_other(self) -> None:
        for one in self.processors:
            if one is not self._holder:
                one.frozen_for = 0

    def lose(self, chance: int) -> None:
        """Redis comes back with nothing, or with what it had a while ago."""
        if not self.redis.has_fallen:
            self.redis.lose(all=chance % 3 == 0)
            self.happened["fallen"] += 1

    def remember(self) -> None:
        if not self.redis.has_fallen:
            self.redis.remember()

    def set_clock(self, milliseconds: int) -> None:
        self.redis.clock = max(START_MS, self.redis.clock + milliseconds)

    def retain(self) -> None:
        """Retention of both channels, as eager as it may be."""
        self.archive.expire(self._may_expire())

    def _may_expire(self) -> str:
        return times.may_expire([self.archive.frontier.time])

    # --- what operators do ---------------------------------------------------------------------

    def edit(self) -> None:
        self.revision += 1

    # --- the end -------------------------------------------------------------------------------

    def settle(self) -> None:
        """Nothing goes wrong any more, and time goes on, until all is closed."""
        self.has_faults = False
        for one in self.processors:
            one.frozen_for = 0
        for _ in range(_SETTLING):
            self.run(1)
            if self._is_done():
                break
        else:
            self.broken.add((9, "it never ends"))
        self._compare()

    def _is_done(self) -> bool:
        processing = getattr(self._holder, "processing", None)
        if self.redis.data.waiting or self.redis.data.out or self.redis.has_fallen or processing is None:
            return False
        frontier = self.archive.frontier
        if frontier.revision != self.revision or processing._made or processing._sealed:
            return False
        behind = processing._changed or frontier != processing._keep_now().frontier
        return not behind and frontier.position >= max(self.archive.log, default="") and not self._open()

    def _open(self) -> bool:
        # Below that epoch stands what a term has left that was over: nobody reads it.
        known = [one for one in self.archive.states.values() if one.epoch >= self.archive.states_epoch]
        # What a term has come to that died before its frontier is not over yet for the one that follows.
        covers = self.archive.frontier.covers
        return any(one.kept.state is not None or not covers(one.kept.at) for one in known)

    def _compare(self) -> None:
        frontier = self.archive.frontier
        function = Function(self.kinds).run(self.archive.log.values(), self.archive.adopted, frontier)
        told = {id: made.output.message for id, made in self.archive.texts.items()}
        self._require(1, max(self.archive.told.values(), default=1) == 1, "told twice")
        self._require(2, not told.keys() - function.said.keys(), "told what the function does not say")
        self._require(3, not function.said.keys() - told.keys(), "never told")
        same = all(function.said.get(id, text) == text for id, text in told.items())
        self._require(2, same, "told otherwise than the function says")
        self._require(4, function.unusable == frontier.unusable, "miscounted")
        self._require(5, not function.states, "still open by the function")
        truly = [one for at, one in self.archive.log.items() if at not in self._forged]
        without = Function(self.kinds).run(truly, self.archive.adopted, frontier)
        self._require(6, told == without.said, "told because of forgers")
        self.happened["forged"] += len(self._forged)
        self.happened["told"] += len(told)
        self.happened["timers"] += sum(len(made.cause) == 13 for made in self.archive.texts.values())

    def _require(self, promise: int, holds: bool, what: str) -> None:
        if not holds:
            self.broken.add((promise, what))
