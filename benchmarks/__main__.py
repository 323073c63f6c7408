"""`python -m benchmarks`: measure, print the table, write the results. README.md explains the figures."""

import argparse
import shutil
import signal
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks import (
    alerts,
    ceiling,
    contenders,
    door,
    footprint,
    history,
    hot,
    latency,
    live,
    pull,
    rates,
    variations,
    waiting,
    webhooks,
)
from benchmarks.progress import say
from benchmarks.relay import Relay, running
from benchmarks.results import Results
from benchmarks.steady import Effort

SECTIONS = "abcdefghijkl"
RESULTS = Path(__file__).parent / "results"


@dataclass(frozen=True, slots=True)
class Plan:
    """How much is measured; the figures of the short form say nothing about speed.

    apart: two Relays, one after the other, without and with a standby. Else one that has it.
    """

    main: Effort
    varied: Effort
    ceiling: int = 400_000
    ceilings: int = 5
    probes: int = 1000
    long: int = 2_000_000
    idle_seconds: float = 60.0
    channels: tuple[int, ...] = (10_000, 1, 100)
    sizes: tuple[int, ...] = (100, 1_000, 10_000, 100_000)
    stored: int = 10_000_000
    history: int = 1_000_000
    requests: int = 2000
    published_seconds: float = 10.0
    asked: int = 3
    pulled: pull.Effort = field(default_factory=pull.Effort)
    watched: live.Effort = field(default_factory=live.Effort)
    pushed: webhooks.Effort = field(default_factory=webhooks.Effort)
    alerted: alerts.Effort = field(default_factory=alerts.Effort)
    apart: bool = True


FULL = Plan(main=Effort(), varied=Effort(seconds=5.0))
_SHORT = Effort(seconds=0.3, burst=1000, bursts=1, attempts=1, fixed_rate=1000.0)
QUICK = Plan(
    main=_SHORT,
    varied=_SHORT,
    ceiling=4000,
    ceilings=1,
    probes=10,
    long=1000,
    idle_seconds=0.2,
    channels=(),
    sizes=(10_000,),
    stored=5000,
    history=3000,
    requests=50,
    published_seconds=0.3,
    asked=1,
    pulled=pull.Effort(2, 5, 1000, 1, waiting.Effort(3, 20, 0.5, 1000, 1)),
    watched=live.Effort((20,), 200, (1000,), 1, 3, 20, 50, 0.05),
    pushed=webhooks.Effort(((1, 8, 50), (20, 1, 5)), ((5, 1, 5),), 1, 3, 50, 0.2, 0.2),
    alerted=alerts.Effort((5,), 300, 1, (1, 10), 3, 0.2),
    apart=False,
)


def main(arguments: Sequence[str]) -> int:
    """Measure the sections that were asked for."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="How fast Relay is.")
    parser.add_argument("--only", default=SECTIONS, help=f"sections, such as b,c; all are {SECTIONS}")
    parser.add_argument("--quick", action="store_true", help="does all of it work? a minute or two, no speed")
    parser.add_argument(
        "--peer", action="append", metavar="WORD", help="of (f) only those with WORD in the name"
    )
    parser.add_argument("--results", type=Path, default=RESULTS, help="directory for the JSON file")
    given = parser.parse_args(arguments)
    only = given.only.replace(",", "").replace(" ", "")
    if not only or set(only) - set(SECTIONS):
        parser.error(f"--only takes letters of {SECTIONS}, such as b,c; not {given.only!r}")
    # With SIGTERM, and under `nohup` or `&`, which ignore SIGINT, nothing may be left running either.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    results = Results()
    room = Path(tempfile.mkdtemp(prefix="relay-bench-"))
    room.chmod(0o755)  # PostgreSQL runs as another user if we are root.
    try:
        servers = measure(room, results, QUICK if given.quick else FULL, only, given.peer or [""])
    except Exception:
        print(f"{results.table()}\n\nSo far it was measured, and nothing is written.")
        raise
    finally:
        shutil.rmtree(room, ignore_errors=True)
    path = results.write(given.results, servers)
    print(results.table())
    print(f"\nWritten to {path}")
    return 0


def measure(room: Path, results: Results, plan: Plan, only: str, peers: Sequence[str]) -> dict[str, str]:
    """Each section that is in `only`; the versions of the servers.

    What is compared is measured one after the other. Listeners are loaded one at a time, since that is what
    the peers are; then the same with a standby, as Relay runs by default.
    """
    trust = webhooks.Trust(room)
    trust.make()
    alone: dict[str, Callable[[Relay], None]] = {
        "a": lambda relay: ceiling.measure(relay, results, plan.ceiling, plan.ceilings),
        "b": lambda relay: rates.measure(relay, results, plan.main),
        "f": lambda relay: contenders.measure(relay, results, plan.main, peers),
        "c": lambda relay: latency.measure(relay, results, plan.probes),
        "d": lambda relay: footprint.measure_idle(relay, results, plan.idle_seconds),
        "e": lambda relay: variations.measure(
            relay, results, plan.varied, list(plan.channels), list(plan.sizes), plan.stored
        ),
        "g": lambda relay: history.measure(relay, results, plan.history),
        "h": lambda relay: _measure_web(relay, results, plan),
        "i": lambda relay: pull.measure(relay, results, plan.pulled),
        "j": lambda relay: live.measure(relay, results, plan.watched),
        "k": lambda relay: webhooks.measure(relay, results, plan.pushed, trust),
        "l": lambda relay: alerts.measure(relay, results, plan.alerted),
    }
    with_standby: dict[str, Callable[[Relay], None]] = {
        "d": lambda relay: footprint.measure(relay, results, plan.long, _easy(results), plan.idle_seconds),
        "e": lambda relay: variations.measure_standby(relay, results, plan.varied),
    }
    listeners = "1" if plan.apart else "2"
    with running(room / "one", RELAY_LISTENERS_PER_PARTITION=listeners, **trust.environment) as relay:
        servers = _servers(relay)
        _measure(relay, only, alone)
        if not plan.apart:
            _measure(relay, only, with_standby)
    if plan.apart and set(only) & with_standby.keys():
        say("a whole Relay with a standby")
        with running(room / "two") as relay:
            _measure(relay, only, with_standby)
    return servers


def _measure_web(relay: Relay, results: Results, plan: Plan) -> None:
    hot.measure(relay, results, plan.requests, plan.asked)
    door.measure(relay, results, plan.published_seconds, plan.asked)


def _measure(relay: Relay, only: str, sections: Mapping[str, Callable[[Relay], None]]) -> None:
    for section, measure_section in sections.items():
        if section in only:
            say(f"section {section}")
            measure_section(relay)


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
