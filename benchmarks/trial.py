"""One load on one target, and what came of it. Nothing is reported that was not checked."""

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from benchmarks.load import Load
from benchmarks.processes import DISTURBING_CORES, Watch, cpu_between, cpu_seconds
from benchmarks.publisher import Published
from benchmarks.target import Target, WrongResult
from tests.acceptance.stack import ROOT

BACKLOG_SECONDS = 1.0
"""A rate is kept up as long as no message waits longer than this to be stored."""

_SAMPLE_SECONDS = 0.05
PATIENCE_SECONDS = 4.0
"""So long nothing has to happen until the rest counts as lost."""

_LEAST_OFFERED = 0.98
"""Of the rate that was asked for: below it, it is Redis or the publisher that was too slow."""


@dataclass(frozen=True, slots=True)
class Trial:
    """What came of one load.

    rate:            messages/s that were offered; None is unthrottled
    offered:         messages/s that were really published
    lost:            published and not stored
    rate_stored:     messages/s from the first publish to the last stored document
    backlog_seconds: the longest that a message was seen to wait (of a throttled load)
    settle_seconds:  from the last publish to the last stored document
    cpu_us:          CPU microseconds for each message, by process
    publisher_cores: CPU of the publisher while it published
    others_cores:    CPU that processes used which have nothing to do with it
    """

    rate: float | None
    published: int
    offered: float
    lost: int
    rate_stored: float
    backlog_seconds: float
    settle_seconds: float
    cpu_us: dict[str, float]
    publisher_cores: float
    others_cores: float

    @property
    def is_disturbed(self) -> bool:
        """Whether something else on this machine took part of it."""
        return self.others_cores > DISTURBING_CORES

    @property
    def is_steady(self) -> bool:
        """Whether everything came, in time."""
        assert self.rate is not None
        return (
            self.lost == 0
            and self.offered >= _LEAST_OFFERED * self.rate
            and max(self.backlog_seconds, self.settle_seconds) < BACKLOG_SECONDS
        )


def run(target: Target, load: Load, *, patience_seconds: float = PATIENCE_SECONDS) -> Trial:
    """Publish a load, wait until it is stored, and compare.

    Raises:
        WrongResult: something is stored twice, or what nobody published.
    """
    target.wait_until_heard(load.shape)
    with _publisher(target, load) as publisher:
        base, watch = target.stored(), Watch(target.processes())
        samples = [(time.time(), 0)]
        _say(publisher, "go\n")
        while publisher.poll() is None:
            time.sleep(_SAMPLE_SECONDS)
            samples.append((time.time(), target.stored() - base))
        published = _result(publisher)
        stored_at = _wait(target, base, load.count, samples, patience_seconds)
        cpu = cpu_between(watch.before, cpu_seconds(target.processes()))
        others = watch.others_cores(cpu, published.cpu_seconds)
    lost = _check(target, load, published)
    took = published.ended_at - published.began_at
    return Trial(
        rate=load.rate,
        published=published.count,
        offered=published.count / took,
        lost=lost,
        rate_stored=(published.count - lost) / (stored_at - published.began_at),
        backlog_seconds=_backlog(samples, load, published.began_at),
        settle_seconds=max(0.0, stored_at - published.ended_at),
        cpu_us={name: seconds / load.count * 1e6 for name, seconds in cpu.items()},
        publisher_cores=published.cpu_seconds / took,
        others_cores=others,
    )


@contextmanager
def publishing(target: Target, load: Load) -> Iterator[None]:
    """Publish a load beside something else, which ends it; nothing is checked."""
    with _publisher(target, load) as publisher:
        _say(publisher, "go\n")
        yield
        if publisher.poll() is not None:
            raise WrongResult("The load beside it ended too early.")


@contextmanager
def _publisher(target: Target, load: Load) -> Iterator["subprocess.Popen[str]"]:
    port = target.redis.get_connection_kwargs()["port"]
    shape = load.shape
    numbers = (shape.channels, shape.size, load.first, load.count, load.rate or 0)
    publisher = subprocess.Popen(
        [sys.executable, "-m", "benchmarks.publisher", str(port), shape.prefix, *map(str, numbers)],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert publisher.stdout is not None
    try:
        if publisher.stdout.readline() != "ready\n":
            raise RuntimeError("The publisher did not start.")
        yield publisher
    finally:
        publisher.kill()
        publisher.communicate()


def _say(publisher: "subprocess.Popen[str]", line: str) -> None:
    assert publisher.stdin is not None
    publisher.stdin.write(line)
    publisher.stdin.flush()


def _result(publisher: "subprocess.Popen[str]") -> Published:
    assert publisher.stdout is not None
    return Published(**json.loads(publisher.stdout.read()))


def _wait(target: Target, base: int, count: int, samples: list[tuple[float, int]], patience: float) -> float:
    """When the last document was stored that came at all."""
    last_at, last = next((at, n) for at, n in samples if n == samples[-1][1])
    while last < count and time.time() - last_at < patience:
        time.sleep(0.01)
        stored = target.stored() - base
        if stored > last:
            last_at, last = time.time(), stored
            samples.append((last_at, last))
    return last_at


def _backlog(samples: list[tuple[float, int]], load: Load, began_at: float) -> float:
    """The age of the oldest message that was not stored, at its worst."""
    if load.rate is None:
        return 0.0
    return max((at - began_at - n / load.rate for at, n in samples if n < load.count), default=0.0)


def _check(target: Target, load: Load, published: Published) -> int:
    """How many messages are not there."""
    count, ids = target.stored_ids(load)
    if count != len(ids):
        raise WrongResult(f"{target.name} stored {count - len(ids)} messages twice.")
    if published.count != load.count:
        raise WrongResult(f"Only {published.count} of {load.count} messages were published.")
    return load.count - len(ids)
