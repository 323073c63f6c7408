"""(b) Relay end to end: the highest steady rate, and unthrottled bursts. (d) CPU for each message."""

from statistics import median

from benchmarks.ceiling import PLAIN
from benchmarks.load import Shape
from benchmarks.relay import Relay
from benchmarks.results import Results
from benchmarks.steady import Effort, Steady, burst, highest_rate
from benchmarks.target import Target

STEADY = "Relay, steady"
BURST = "lost of a burst"


def measure(relay: Relay, results: Results, effort: Effort) -> None:
    """On ten channels with messages of 170 bytes."""
    shape = Shape("rate-")
    with relay.listening(shape):
        report(relay, results, "b", STEADY, highest_rate(relay, shape, effort), to=PLAIN)
        report_bursts(relay, results, "b", shape, effort)


def report(target: Target, results: Results, section: str, name: str, steady: Steady, *, to: str) -> None:
    """The rate, and what the confirming tries showed."""
    trials = steady.trials
    cpu = {process: median(trial.cpu_us[process] for trial in trials) for process in trials[0].cpu_us}
    results.add(
        section,
        name,
        steady.rate,
        "messages/s",
        to=to,
        messages=[trial.published for trial in trials],
        lost=[trial.lost for trial in trials],
        backlog_seconds=[trial.backlog_seconds for trial in trials],
        settle_seconds=[trial.settle_seconds for trial in trials],
        publisher_cores=[trial.publisher_cores for trial in trials],
        others_cores=[trial.others_cores for trial in trials],
    )
    total = f"{target.name}, CPU of all processes"
    results.add("d", total, sum(cpu.values()), "µs/message", to="Relay, CPU of all processes")
    for process, microseconds in cpu.items():
        if microseconds >= 0.05:
            results.add("d", f"{target.name}, CPU of {process}", microseconds, "µs/message", to=total)


def report_bursts(target: Target, results: Results, section: str, shape: Shape, effort: Effort) -> None:
    """How much of it was lost, and how fast the rest was stored."""
    trials = [burst(target, shape, effort.burst) for _ in range(effort.bursts)]
    results.add(
        section,
        f"{target.name}, {BURST} of {effort.burst:,}",
        max(trial.lost for trial in trials),
        f"messages, worst of {effort.bursts}",
        lost=[trial.lost for trial in trials],
        published_per_second=[trial.offered for trial in trials],
    )
    rate = median(trial.rate_stored for trial in trials)
    results.add(section, f"{target.name}, burst stored", rate, "messages/s", to=PLAIN)
