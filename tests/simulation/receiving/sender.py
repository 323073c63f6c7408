"""What repeats alerts while they fire, as Prometheus does it: to all processes, or to one of them.

Twenty seconds stand for Prometheus' minute. It says the next thing once the last one was answered, or given
up. Its clock may be ahead, so an end that it says is still to come.
"""

import random
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from relaycore.alerting.labelled.labels import fingerprint
from relaycore.alerting.labelled.posted import Alert

from .postgres import START_MS
from .process import Request

if TYPE_CHECKING:
    from .world import World

REPEATS_SECONDS: Final = 20
LASTS_SECONDS: Final = 4 * REPEATS_SECONDS
"""So far ahead an end lies that is moved on with each repetition."""

_ENDED_SECONDS: Final = 4 * REPEATS_SECONDS
"""So long an end is repeated."""

PATIENCE_SECONDS: Final = 10
_APART_SECONDS: Final = LASTS_SECONDS + _ENDED_SECONDS + 60


@dataclass(eq=False)
class Firing:
    """Once that an alert fires: from when until when, in seconds; whether somebody has taken that it does."""

    name: str
    starts: int
    ends: int
    is_taken: bool = False

    @property
    def starts_ms(self) -> int:
        return START_MS + self.starts * 1000


@dataclass(eq=False)
class Asked:
    """A request, and what fires by what it says."""

    request: Request
    firing: list[Firing]


@dataclass
class Sender:
    """Of a few alerts. is_gone: it says nothing more, not even an end."""

    world: "World"
    number: int
    asks_all: bool
    ahead: int
    firings: list[Firing] = field(default_factory=list)
    is_gone: bool = False
    _asked: list[Asked] = field(default_factory=list)
    _next: int = 0
    _chosen: int = 0

    def __post_init__(self) -> None:
        self._next = self.number

    def begin(self, chance: random.Random) -> None:
        """One of its alerts fires, if it has been over for long."""
        name = f"{self.number}{chance.choice('abc')}"
        now = self.world.now
        last = max((one.ends for one in self.firings if one.name == name), default=-_APART_SECONDS)
        if not self.is_gone and now >= last + _APART_SECONDS:
            self.firings.append(Firing(name, now, now + chance.choice([5, 30, 120, 300])))

    def leave(self) -> None:
        self.is_gone = True

    def step(self) -> None:
        """Once a second."""
        for one in self._asked:
            if one.request.is_taken:
                for firing in one.firing:
                    firing.is_taken = True
        given_up = [one for one in self._asked if self._is_given_up(one.request)]
        self._asked = [one for one in self._asked if one.request.is_taken is None and one not in given_up]
        if self.is_gone or self._asked:
            return
        if given_up and not self.asks_all:
            self._chosen += 1  # Whoever balances the load asks another one.
            self._ask()
        elif self.world.now >= self._next:
            self._next = self.world.now + REPEATS_SECONDS
            self._ask()

    def _is_given_up(self, request: Request) -> bool:
        is_old = request.is_taken is None and self.world.now - request.sent_at > PATIENCE_SECONDS
        return is_old or request.is_taken is False

    def _ask(self) -> None:
        now = self.world.now
        said = [one for one in self.firings if one.starts <= now <= one.ends + _ENDED_SECONDS]
        if not said:
            return
        alerts = [self._alert(one) for one in said]
        firing = [one for one in said if now < one.ends]
        processes = self.world.processes
        for process in processes if self.asks_all else [processes[self._chosen % len(processes)]]:
            request = Request(alerts, now)
            process.requests.append(request)
            self._asked.append(Asked(request, firing))

    def _alert(self, one: Firing) -> Alert:
        now, labels = self.world.now, {"alertname": one.name}
        ends = one.ends if now >= one.ends else now + LASTS_SECONDS
        starts, ends = (START_MS + (seconds + self.ahead) * 1000 for seconds in (one.starts, ends))
        return Alert(fingerprint(labels), labels, {}, "", starts, ends, is_timed_out=False)
