"""Attempts at one endpoint as two pictures: how many there were, and how long they took. No I/O.

Each picture is `WIDTH` wide and `HEIGHT` high, with a bar for each slot of time. The template draws them as
SVG, without a script and without a style of its own, which the policy of the pages forbids.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

SLOTS: Final = 48
SLOT: Final = timedelta(minutes=30)
_STEP: Final = 10
_BAR: Final = 8
WIDTH: Final = SLOTS * _STEP
HEIGHT: Final = 80
_LEAST: Final = 2.0
"""So high is what is there at all: one failure among thousands shows."""


@dataclass(frozen=True, slots=True)
class Point:
    """One attempt. `is_good`: the endpoint has taken it."""

    at: datetime
    is_good: bool
    seconds: float


@dataclass(frozen=True, slots=True)
class Bar:
    """What stands in one slot: the lower part of a bar and the upper one, each from `y` on, downwards."""

    x: int
    lower_y: float
    lower: float
    upper_y: float
    upper: float
    said: str


@dataclass(frozen=True, slots=True)
class Chart:
    """Both pictures.

    good, bad:     so many attempts were taken, and failed
    most:          attempts in the fullest slot
    median, slow:  seconds within which one half of all came to their end, and 95 of 100
    slowest:       the longest such 95 of 100 of a slot
    """

    since: datetime
    until: datetime
    good: int
    bad: int
    most: int
    median: float
    slow: float
    slowest: float
    attempts: Sequence[Bar]
    seconds: Sequence[Bar]
    width: int = WIDTH
    bar: int = _BAR
    height: int = HEIGHT


def draw(points: Sequence[Point], now: datetime) -> Chart | None:
    """The last `SLOTS` slots before now; None: there was no attempt in them."""
    since = now - SLOTS * SLOT
    slots: list[list[Point]] = [[] for _ in range(SLOTS)]
    for point in points:
        number = int((point.at - since) / SLOT)
        if 0 <= number < SLOTS:
            slots[number].append(point)
    every = [point for slot in slots for point in slot]
    if not every:
        return None
    most = max(map(len, slots))
    slowest = max(_within(slot, 0.95) for slot in slots if slot)
    good = sum(point.is_good for point in every)
    return Chart(
        since,
        now,
        good,
        len(every) - good,
        most,
        _within(every, 0.5),
        _within(every, 0.95),
        slowest,
        [_counted(number, since, slot, most) for number, slot in enumerate(slots) if slot],
        [_timed(number, since, slot, slowest) for number, slot in enumerate(slots) if slot],
    )


def _counted(number: int, since: datetime, slot: Sequence[Point], most: int) -> Bar:
    good = sum(point.is_good for point in slot)
    bad = len(slot) - good
    said = f"{good} taken, {bad} failed"
    return _bar(number, since, good / most, bad / most, said)


def _timed(number: int, since: datetime, slot: Sequence[Point], slowest: float) -> Bar:
    median, slow = _within(slot, 0.5), _within(slot, 0.95)
    said = f"half within {median:.3f} s, 95 of 100 within {slow:.3f} s"
    return _bar(number, since, median / (slowest or 1), (slow - median) / (slowest or 1), said)


def _bar(number: int, since: datetime, lower: float, upper: float, said: str) -> Bar:
    below, above = _height(lower), _height(upper)
    # What is made higher so that it shows takes that from the other part.
    if below + above > HEIGHT:
        below, above = (HEIGHT - above, above) if below > above else (below, HEIGHT - below)
    begins = since + number * SLOT
    return Bar(
        number * _STEP + (_STEP - _BAR) // 2,
        round(HEIGHT - below, 1),
        round(below, 1),
        round(HEIGHT - below - above, 1),
        round(above, 1),
        f"{begins:%Y-%m-%d %H:%M} to {begins + SLOT:%H:%M} UTC: {said}",
    )


def _height(share: float) -> float:
    return max(_LEAST, share * HEIGHT) if share > 0 else 0.0


def _within(points: Sequence[Point], share: float) -> float:
    """So long the fastest ones took at most that are this share of them."""
    took = sorted(point.seconds for point in points)
    return took[min(len(took) - 1, int(share * len(took)))]
