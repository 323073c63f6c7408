"""(e) How the steady rate changes with channels, sizes, policies, and what is stored already."""

from dataclasses import replace
from statistics import median

from benchmarks.documents import DURABLE, fill
from benchmarks.load import Shape, make_load
from benchmarks.progress import say
from benchmarks.relay import Relay
from benchmarks.results import Results
from benchmarks.steady import Effort, highest_rate

BASE = "10 channels, 170 B, content"
AGAIN = f"{BASE}, once more"
"""Measured beside what is compared with it: in half an hour a shared machine changes more than that does."""

POLICIES = {"field": '{"field": "id"}', "every": '"every"'}


def measure(
    relay: Relay, results: Results, effort: Effort, channels: list[int], sizes: list[int], stored: int
) -> None:
    """One thing at a time is different from the base, which is measured in the same way."""
    shape = Shape("vary-")
    _one(relay, results, effort, shape, BASE)
    for count in channels:
        _one(relay, results, effort, replace(shape, channels=count), f"{count:,} channels")
    for size in sizes:
        _one(relay, results, effort, replace(shape, size=size), f"messages of {size:,} B")
    for name, policy in POLICIES.items():
        _one(relay, results, effort, shape, f"policy {name}", policy=policy)
    _one(relay, results, effort, shape, AGAIN)
    _after_many(relay, results, effort, stored)


def measure_standby(relay: Relay, results: Results, effort: Effort) -> None:
    """On a Relay with two listeners: what the second one costs."""
    shape = Shape("vary-")
    _one(relay, results, effort, shape, "two listeners", to=BASE)
    name = "two listeners, policy every"
    _one(relay, results, effort, shape, name, policy=POLICIES["every"], to="policy every")


def _one(
    relay: Relay,
    results: Results,
    effort: Effort,
    shape: Shape,
    name: str,
    *,
    policy: str = '"content"',
    to: str = BASE,
    keep: bool = False,
) -> None:
    say(f"with {name}")
    if not keep:
        relay.empty()
    with relay.listening(shape, policy=policy):
        steady = highest_rate(relay, shape, effort, keep=keep)
    results.add(
        "e",
        name,
        steady.rate,
        "messages/s",
        to=to,
        megabytes_per_second=steady.rate * shape.size / 1e6,
        cpu_us=median(sum(trial.cpu_us.values()) for trial in steady.trials),
    )


def _after_many(relay: Relay, results: Results, effort: Effort, stored: int) -> None:
    """What is stored stays; the messages of each try come on top."""
    say(f"storing {stored:,} messages")
    relay.empty()
    fill(relay.collection.with_options(write_concern=DURABLE), make_load(Shape("stored-"), stored))
    name = f"{stored:,} messages stored before"
    _one(relay, results, effort, Shape("vary-"), name, to=AGAIN, keep=True)
    relay.empty()
