"""(d) Memory of each process, after a long steady load, and the CPU of an idle system."""

import time

from benchmarks import trial
from benchmarks.load import Shape, make_load
from benchmarks.processes import cpu_between, cpu_seconds, memory_bytes
from benchmarks.progress import say
from benchmarks.relay import Relay
from benchmarks.results import Results

PYTHON = "Python processes together, PSS"
IDLE = "idle, CPU of all processes"
IDLE_ALONE = "idle without a standby, CPU of all processes"
_MIB = 1 << 20


def measure(relay: Relay, results: Results, messages: int, rate: float, idle_seconds: float) -> None:
    """Memory before and after `messages` at `rate`, then `idle_seconds` of nothing."""
    shape = Shape("long-")
    relay.empty()
    with relay.listening(shape):
        trial.run(relay, make_load(shape, max(1, messages // 20), rate))  # What is loaded once is loaded now.
        before = memory_bytes(relay.python())
        result = trial.run(relay, make_load(shape, messages, rate))
        after = memory_bytes(relay.python())
        total = sum(after.values()) / _MIB
        results.add("d", PYTHON, total, "MiB", to=PYTHON, lost=result.lost, messages=messages, rate=rate)
        for name, size in after.items():
            results.add("d", f"PSS of {name}", size / _MIB, "MiB", to=PYTHON)
        grown = (sum(after.values()) - sum(before.values())) / _MIB
        results.add("d", f"growth over {messages:,} messages", grown, "MiB", to=PYTHON)
        wait = f"longest wait over {messages:,} messages"
        results.add("d", wait, result.backlog_seconds, "s", rate=rate, settle_seconds=result.settle_seconds)
        say(f"Python processes: {total:.0f} MiB, {grown:+.1f} over {messages:,} messages")
        _idle(relay, results, idle_seconds, IDLE)


def measure_idle(relay: Relay, results: Results, seconds: float) -> None:
    """`seconds` of nothing, with one listener."""
    with relay.listening(Shape("idle-")):
        _idle(relay, results, seconds, IDLE_ALONE)


def _idle(relay: Relay, results: Results, seconds: float, name: str) -> None:
    """With ten channels listened to, and nothing published."""
    relay.settle()
    time.sleep(min(10.0, seconds))
    groups = {**relay.processes(), **relay.python()}
    before, began = cpu_seconds(groups), time.monotonic()
    time.sleep(seconds)
    used, passed = cpu_between(before, cpu_seconds(groups)), time.monotonic() - began
    percent = {name: value / passed * 100 for name, value in used.items()}
    results.add("d", name, sum(percent.values()), "% of a core", to=IDLE_ALONE, seconds=seconds)
    for process, value in percent.items():
        part = name.replace("all processes", process)
        results.add("d", part, value, "% of a core", to=name)
    say(f"{name}: {sum(percent.values()):.2f} % of a core")
