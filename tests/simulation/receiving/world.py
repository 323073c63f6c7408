"""Two web processes, senders of alerts, the servers, and all that goes wrong.

What must never be is in `broken`, each with the number of the promise:

1.  of each alert it is told in turn that it fires and that it does no longer, beginning with the first
2.  that it fires is told once of each time that it does, and so is its end
3.  whatever of an alert was taken while it fired is told: that, and its end
4.  nothing is told of which nobody has said anything
5.  once nothing goes wrong any more nothing waits and nothing fires for ever
6.  while the writer is away, what waits is not appended again and again
"""

import json
import random
from collections import Counter
from typing import Final

from relaycore.alerting.labelled.posted import time_of
from relaycore.alerting.labelled.transitions import FIRING

from .channel import Channel
from .postgres import Postgres
from .process import AT_ONCE, Process
from .sender import Sender

_SETTLING: Final = 1_500


class World:
    """What a schedule of operations plays on."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.postgres = Postgres()
        self.channel = Channel()
        self.happened: Counter[str] = Counter()
        self.broken: set[tuple[int, str]] = set()
        self.has_faults = True
        self.is_clock_right = True
        self._tellers = 2
        self.processes = [Process(self) for _ in range(2)]
        self.senders = [
            Sender(self, number, asks_all=number % 2 == 0, ahead=self.random.choice([0, 0, 2, 5]))
            for number in range(4)
        ]

    @property
    def now(self) -> int:
        """In seconds."""
        return self.postgres.now

    # --- what goes on --------------------------------------------------------------------------

    def run(self, seconds: int) -> None:
        for _ in range(seconds):
            self.postgres.now += 1
            self.postgres.tick()
            self.channel.write(self.random.randint(0, 6))
            for sender in self.senders:
                sender.step()
            for _ in range(self.random.randint(20, 40)):
                self.random.choice(self.processes).step()

    def begin(self, chance: int) -> None:
        """An alert fires."""
        self.senders[chance % len(self.senders)].begin(self.random)

    # --- faults --------------------------------------------------------------------------------

    def kill(self, chance: int) -> None:
        """At any instant: what it was about to do is not done."""
        self.processes[chance % 2].die()
        self.processes[chance % 2] = Process(self)
        self._tellers += 1

    def freeze(self, chance: int, seconds: int) -> None:
        """It wakes up where it was."""
        self.processes[chance % 2].frozen_until = self.now + seconds

    halt = freeze
    """For a moment, in which nobody gives it up."""

    def freeze_both(self, seconds: int) -> None:
        for one in self.processes:
            one.frozen_until = self.now + seconds

    def leave(self, chance: int) -> None:
        """A sender dies, and does not come back."""
        self.senders[chance % len(self.senders)].leave()

    def lose(self, most: int) -> None:
        """Redis comes back without what came last."""
        self.happened["fallen"] += bool(self.channel.lose(most))

    def redis_away(self, seconds: int) -> None:
        self.channel.is_away = True
        self.run(seconds)
        self.channel.is_away = False

    def postgres_away(self, seconds: int) -> None:
        self.postgres.go_away()
        self.run(seconds)
        self.postgres.is_away = False

    def postgres_flaps(self, times: int) -> None:
        """It is back for a moment, again and again."""
        for _ in range(times):
            self.postgres_away(14)
            self.run(1)

    def writer_away(self, seconds: int) -> None:
        self.channel.writes = False
        self.run(seconds)
        self.channel.writes = True

    def set_clock(self, seconds: int) -> None:
        """That of PostgreSQL."""
        self.postgres.ahead += seconds * 1000
        self.is_clock_right = False

    # --- the end -------------------------------------------------------------------------------

    def settle(self) -> None:
        """Nothing goes wrong any more, and time goes on, until all is over."""
        self.has_faults = False
        for one in self.processes:
            one.frozen_until = 0
        for _ in range(_SETTLING):
            self.run(1)
            if self._is_done():
                break
        else:
            self.broken.add((5, "it never ends"))
        self._compare()

    def _is_done(self) -> bool:
        if self.postgres.waiting or self.channel.stream:
            return False
        is_firing = any(row.state.is_firing for row in self.postgres.rows.values())
        last = max((one.ends for sender in self.senders for one in sender.firings), default=0)
        return not is_firing and self.now > last + 200

    def _compare(self) -> None:
        told: dict[str, list[tuple[bool, int]]] = {}
        for _, message in sorted(self.channel.stored.values()):
            said = json.loads(message)
            starts = time_of(said["startsAt"], "startsAt")
            assert starts is not None
            told.setdefault(said["labels"]["alertname"], []).append((said["status"] == FIRING, starts))
        for of_one in told.values():
            turns = [is_firing for is_firing, _ in of_one]
            in_turn = turns == [number % 2 == 0 for number in range(len(turns))]
            self._require(1, in_turn and not len(turns) % 2, "told out of turn")
        self._require(6, self.channel.most_waited <= self._tellers * AT_ONCE, "appended again and again")
        if self.is_clock_right:
            self._compare_each(told)
        self.happened["told"] += len(self.channel.stored)

    def _compare_each(self, told: dict[str, list[tuple[bool, int]]]) -> None:
        counts = Counter((name, *one) for name, some in told.items() for one in some)
        self._require(2, set(counts.values()) <= {1}, "told twice")
        firings = {
            (one.name, one.starts_ms + sender.ahead * 1000): one
            for sender in self.senders
            for one in sender.firings
        }
        said = {(name, starts) for name, _, starts in counts}
        self._require(4, said <= firings.keys(), "told what nobody has said")
        for key, one in firings.items():
            if one.is_taken:
                self.happened["taken"] += 1
                is_told = all((key[0], is_firing, key[1]) in counts for is_firing in (True, False))
                self._require(3, is_told, "never told")

    def _require(self, promise: int, holds: bool, what: str) -> None:
        if not holds:
            self.broken.add((promise, what))
