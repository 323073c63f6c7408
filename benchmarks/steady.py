"""The highest rate that a target keeps up with nothing lost, and the burst."""

import time
from dataclasses import dataclass

from benchmarks import trial
from benchmarks.load import Shape, make_load
from benchmarks.progress import say
from benchmarks.target import Target
from benchmarks.trial import Trial

_STEP = 1.25
_REST_SECONDS = 10.0
_MOST_BYTES = 500 << 20
"""What one load holds in the publisher at most: large messages are published for a shorter time."""


@dataclass(frozen=True, slots=True)
class Effort:
    """How long is measured.

    probe_seconds:   of each try of the search
    seconds:         of each try of the rate that was found
    confirmations:   how many of these there are, and all must succeed
    resolution:      the search ends when the rate is known so well
    burst, bursts:   messages of an unthrottled burst, and how many bursts
    attempts:        how often a try is made that failed while something else took part of the machine
    fixed_rate:      for the quick form: no search, one try at this rate
    """

    probe_seconds: float = 3.0
    seconds: float = 10.0
    confirmations: int = 3
    resolution: float = 1.04
    burst: int = 200_000
    bursts: int = 10
    attempts: int = 2
    fixed_rate: float | None = None


@dataclass(frozen=True, slots=True)
class Steady:
    """A rate in messages/s, and the tries that showed it."""

    rate: float
    trials: list[Trial]


def burst(target: Target, shape: Shape, count: int, *, keep: bool = False) -> Trial:
    """Publish as fast as Redis takes it. Nothing was stored before unless `keep`."""
    if not keep:
        target.empty()
    result = trial.run(target, make_load(shape, _affordable(shape, count)))
    say(f"{target.name}: burst of {result.published}, {result.lost} lost, {result.rate_stored:,.0f}/s stored")
    return result


def highest_rate(target: Target, shape: Shape, effort: Effort, *, keep: bool = False) -> Steady:
    """Search, then confirm. Nothing was stored before each try unless `keep`."""
    if effort.fixed_rate is not None:
        one = _try(target, shape, effort.fixed_rate, effort.seconds, effort, keep)
        return Steady(effort.fixed_rate, [one])
    rate = _search(target, shape, effort, keep)
    while True:
        trials = []
        for _ in range(effort.confirmations):
            trials.append(_try(target, shape, rate, effort.seconds, effort, keep))
            if not trials[-1].is_steady:
                break
        else:
            return Steady(rate, trials)
        rate /= effort.resolution


def _search(target: Target, shape: Shape, effort: Effort, keep: bool) -> float:
    """The highest rate that is kept up for `probe_seconds`."""
    # What a burst leaves MongoDB to do is a good first guess, whatever the target and the messages are.
    rate = max(10.0, burst(target, shape, effort.burst // 4, keep=keep).rate_stored)
    good, bad = 0.0, float("inf")
    while bad / max(good, 1.0) > effort.resolution:
        if _try(target, shape, rate, effort.probe_seconds, effort, keep).is_steady:
            good = rate
        else:
            bad = rate
        if good == 0.0:
            rate = bad / _STEP
        elif bad == float("inf"):
            rate = good * _STEP
        else:
            rate = (good * bad) ** 0.5
    return good


def _try(target: Target, shape: Shape, rate: float, seconds: float, effort: Effort, keep: bool) -> Trial:
    """Once; and again where it failed while something else took part of the machine."""
    for attempt in range(effort.attempts):
        if keep:
            target.settle()
        else:
            target.empty()
        count = _affordable(shape, max(1, int(rate * seconds)))
        result = trial.run(target, make_load(shape, count, rate))
        say(f"{target.name}: {_summary(result)}")
        if result.is_steady or not result.is_disturbed:
            break
        time.sleep(attempt * _REST_SECONDS)
    return result


def _summary(result: Trial) -> str:
    return (
        f"{result.rate:,.0f}/s {'steady' if result.is_steady else 'too much'}, {result.lost} lost, backlog "
        f"{result.backlog_seconds:.2f} s, {result.settle_seconds:.2f} s after the last publish; cores: "
        f"publisher {result.publisher_cores:.2f}, others {result.others_cores:.2f}"
    )


def _affordable(shape: Shape, count: int) -> int:
    return min(count, _MOST_BYTES // shape.size)
