"""Two rules whose channels are passed on to each other by webhooks: it ends, whatever is passed on.

Webhooks are played: what one rule tells comes in at the other one a moment later, as the door has it.
"""

import json
from collections.abc import Callable, Mapping
from typing import Any, Final

import pytest

from relaycore import errors
from relaycore.alerting.items import Frontier, Input, Made
from relaycore.alerting.processing import Processing
from relaycore.alerting.rules import parse
from relaycore.outbound import hops
from relaycore.position import START

Patch = pytest.MonkeyPatch

T0: Final = 1_700_000_000_000
_SENT_MS: Final = 3
_GENUINE_MS: Final = 400
_ENDS_MS: Final = 20_000

KEY: Final = {"key": ["location"]}
SETTINGS: Final[Mapping[str, tuple[str, Mapping[str, Any]]]] = {
    "window": ("window", {**KEY, "start": "receipt", "duration": {"seconds": 0.05}}),
    "threshold": ("threshold", {**KEY, "count": 1, "seconds": 0.05}),
    "silence": ("threshold", {**KEY, "count": 1, "seconds": 0.05, "close_silence_seconds": 0.02}),
    "absence": ("absence", {**KEY, "seconds": 0.05, "forget_seconds": 0.2}),
}

Passes = Callable[[Made], bool]
ALL: Final[Passes] = lambda made: True  # noqa: E731
CLOSES: Final[Passes] = lambda made: made.output.kind == "close"  # noqa: E731


class Circle:
    """times: when something came from elsewhere, or by a webhook; refused: so many were, as in a circle."""

    def __init__(self, names: tuple[str, str], passes: Passes) -> None:
        self._rules = [
            Processing(f"{number:032x}", 0, 1, Frontier(START, 0, 1), parse(*SETTINGS[name]), {})
            for number, name in enumerate(names)
        ]
        self._passes = passes
        self._coming: list[tuple[int, int, str, Mapping[str, str]]] = []
        self.times: list[int] = []
        self.refused = 0

    def play(self) -> "Circle":
        """Something comes from elsewhere for a while, into both; then only what they pass on."""
        for at in range(0, _GENUINE_MS, 40):
            self._coming.append((at, at // 40 % 2, json.dumps({"location": "a"}), {}))
        for at in range(_ENDS_MS):
            now = [one for one in self._coming if one[0] == at]
            self._coming = [one for one in self._coming if one[0] != at]
            for number, (_, rule, body, attributes) in enumerate(now):
                self._rules[rule].take([Input(f"{T0 + at:013d}-{number:010d}-00000", body, attributes)])
                self.times.append(at)
            for rule, one in enumerate(self._rules):
                one.reach(T0 + at)
                self._send(at, 1 - rule, one)
        return self

    def _send(self, at: int, to: int, one: Processing) -> None:
        made = one.outputs()
        one.stored([each.id for each in made])
        for each in filter(self._passes, made):
            name, said = hops.header([{"attributes": each.attributes}])
            try:
                came = hops.came(said.decode())
            except errors.Looped:
                self.refused += 1
                continue
            attributes = {name.decode(): str(came)}
            self._coming.append((at + _SENT_MS, to, each.output.message, attributes))


PAIRS: Final = [(one, other) for one in SETTINGS for other in SETTINGS]


@pytest.mark.parametrize("passes", [ALL, CLOSES], ids=["all", "closes"])
@pytest.mark.parametrize("names", PAIRS, ids="-".join)
def test_a_circle_ends_after_the_last_that_came_from_elsewhere(
    names: tuple[str, str], passes: Passes
) -> None:
    circle = Circle(names, passes).play()
    assert circle.refused
    assert circle.times[-1] < _GENUINE_MS + 250 * (hops.MOST + 2)


@pytest.mark.parametrize("names", [pair for pair in PAIRS if pair[0] == pair[1]], ids="-".join)
def test_control_what_time_says_begins_anew(monkeypatch: Patch, names: tuple[str, str]) -> None:
    monkeypatch.setattr(hops, "known", lambda alert: 0)
    assert Circle(names, CLOSES).play().times[-1] > _ENDS_MS - 500


def test_one_that_says_it_came_too_often_has_no_other_refused() -> None:
    """Whoever publishes may say what he likes of his own."""
    one = Processing("0" * 32, 0, 1, Frontier(START, 0, 1), parse(*SETTINGS["window"]), {})
    said = {hops.ATTRIBUTE: "8"}
    for number, attributes in enumerate(({}, said), 1):
        position = f"{T0 + number:013d}-{number:010d}-00000"
        one.take([Input(position, '{"location": "a"}', attributes)])
    one.reach(T0 + 1000)
    (*_, close) = one.outputs()
    assert close.output.kind == "close"
    assert hops.ATTRIBUTE not in close.attributes
