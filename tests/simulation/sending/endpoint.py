"""Endpoints: what was sent arrives, late, whatever has become of the sender; and what is answered."""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from relaycore.sending.answers import Answer, Failure

MODES: Final = ("good", "flaky", "bad", "hangs", "mute", "slow", "gone", "picky")


@dataclass
class Request:
    """One attempt, on its way. `answer`: what its sender may hear, if it lives."""

    positions: Sequence[str]
    generation: int
    answer: Answer | None = None
    has_arrived: bool = False


class Endpoint:
    """Of one subscription.

    took: is called with what it has taken, whether anybody hears of that or not
    """

    def __init__(self, random: random.Random, took: Callable[[Request], None]) -> None:
        self._random = random
        self._took = took
        self.mode = "good"
        self._requests: list[Request] = []

    def send(self, request: Request) -> None:
        self._requests.append(request)

    def work(self) -> None:
        """Some of what is on its way arrives."""
        waiting = self._requests
        self._requests = []
        for one in waiting:
            if self._random.random() < 0.5:
                self._arrive(one)
            else:
                self._requests.append(one)

    def _arrive(self, request: Request) -> None:
        mode, chance = self.mode, self._random.random()
        if mode == "flaky":
            mode = self._random.choice(MODES[2:6] if chance < 0.4 else MODES[:1])
        elif mode in ("bad", "slow") and chance < 0.1:
            mode = "good"
        elif mode == "picky":  # It refuses whatever has one of these in it.
            mode = "refuses" if any(one.endswith("1") for one in request.positions) else "good"
        request.has_arrived = True
        if mode in ("good", "mute"):
            self._took(request)
        request.answer = _ANSWERS.get(mode)


_ANSWERS: Final = {
    "good": Answer(200),
    "mute": Answer(None, Failure.RESET),  # It has taken it, and its answer is lost.
    "bad": Answer(500),
    "refuses": Answer(400),
    "slow": Answer(429, retry_after=2.0),
    "gone": Answer(410),
}
