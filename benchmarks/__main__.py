"""`python -m benchmarks`: measure, print the table, write the results. README.md explains the figures."""

import argparse
import shutil
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks import ceiling, contenders, footprint, history, latency, rates, variations
from benchmarks.progress import say
from benchmarks.relay import Relay, running
from benchmarks.results import Results
from benchmarks.steady import Effort

SECTIONS = "abcdefg"
RESULTS = Path(__file__).parent / "results"


@dataclass(frozen=True, slots=True)
class Plan:
    """How much is measured; the figures of the short form say nothing about speed."""

    main: Effort
    varied: Effort
    ceiling: int = 400_000
    probes: int = 1000
    long: int = 2_000_000
    idle_seconds: float = 60.0
    channels: tuple[int, ...] = (1, 100, 10_000)
    sizes: tuple[int, ...] = (100, 1_000, 10_000, 100_000)
    stored: int = 10_000_000
    history: int = 1_000_000


FULL = Plan(main=Effort(), varied=Effort(seconds=5.0, confirmations=1))
_SHORT = Effort(seconds=0.3, burst=1000, bursts=1, fixed_rate=1000.0)
QUICK = Plan(
    main=_SHORT,
    varied=_SHORT,
    ceiling=4000,
    probes=10,
    long=1000,
    idle_seconds=0.2,
    channels=(),
    sizes=(10_000,),
    stored=5000,
    history=3000,
)


def main(arguments: Sequence[str]) -> int:
    """Measure the sections that were asked for."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="How fast Relay is.")
    parser.add_argument("--only", default=SECTIONS, help=f"sections, such as b,c; all are {SECTIONS}")
    parser.add_argument("--quick", action="store_true", help="does all of it work? half a minute, no speed")
    parser.add_argument("--results", type=Path, default=RESULTS, help="directory for the JSON file")
    given = parser.parse_args(arguments)
    only = given.only.replace(",", "").replace(" ", "")
    if not only or set(only) - set(SECTIONS):
        parser.error(f"--only takes letters of {SECTIONS}, such as b,c; not {given.only!r}")
    results = Results()
    room = Path(tempfile.mkdtemp(prefix="relay-bench-"))
    room.chmod(0o755)  # PostgreSQL runs as another user if we are root.
    try:
        with running(room / "data") as relay:
            measure(relay, results, QUICK if given.quick else FULL, only)
            servers = _servers(relay)
    finally:
        shutil.rmtree(room, ignore_errors=True)
    path = results.write(given.results, servers)
    print(results.table())
    print(f"\nWritten to {path}")
    return 0


def measure(relay: Relay, results: Results, plan: Plan, only: str) -> None:
    """Each section that is in `only`, so that what is compared is measured one after the other."""
    steps: dict[str, Callable[[], None]] = {
        "a": lambda: ceiling.measure(relay, results, plan.ceiling),
        "b": lambda: rates.measure(relay, results, plan.main),
        "f": lambda: contenders.measure(relay, results, plan.main),
        "c": lambda: latency.measure(relay, results, plan.probes),
        "d": lambda: footprint.measure(relay, results, plan.long, _easy(results), plan.idle_seconds),
        "e": lambda: variations.measure(
            relay, results, plan.varied, list(plan.channels), list(plan.sizes), plan.stored
        ),
        "g": lambda: history.measure(relay, results, plan.history),
    }
    for section, step in steps.items():
        if section in only:
            say(f"section {section}")
            step()


def _easy(results: Results) -> float:
    """A rate that can be kept up for long: two thirds of what was found."""
    return (results.value(rates.STEADY) or 30_000.0) * 2 / 3


def _servers(relay: Relay) -> dict[str, str]:
    with relay.stack.postgres() as connection:
        postgres = str(connection.info.server_version)
    redis = relay.redis.info("server")
    return {
        "PostgreSQL": postgres,
        "Redis": str(redis.get("valkey_version") or redis["redis_version"]),
        "MongoDB": str(relay.collection.database.client.server_info()["version"]),
    }


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
