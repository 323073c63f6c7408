"""CPU time and memory of groups of processes."""

import time
from collections.abc import Iterable, Mapping
from contextlib import suppress

import psutil

DISTURBING_CORES = 0.15
"""Of others, spoil a measurement. Less is the kernel's own work for what is measured."""

Groups = Mapping[str, list[psutil.Process]]
"""Processes by what they do."""


def family(pid: int) -> list[psutil.Process]:
    """A process and all that it has started."""
    try:
        first = psutil.Process(pid)
        return [first, *first.children(recursive=True)]
    except psutil.NoSuchProcess:
        return []


def cpu_seconds(groups: Groups) -> dict[str, float]:
    """User and system time of each group, in seconds since its processes began."""
    return {name: sum(map(_cpu, processes)) for name, processes in groups.items()}


def cpu_between(before: Mapping[str, float], after: Mapping[str, float]) -> dict[str, float]:
    """What each group has used, in seconds."""
    return {name: max(0.0, after[name] - before.get(name, 0.0)) for name in after}


def memory_bytes(groups: Groups) -> dict[str, int]:
    """The proportional set size of each group: shared pages are divided among those that share them."""
    return {name: sum(map(_pss, processes)) for name, processes in groups.items()}


def busy_seconds() -> float:
    """CPU time of everything on this machine, in seconds since it was started."""
    times = psutil.cpu_times()
    return float(sum(times) - times.idle - getattr(times, "iowait", 0.0) - getattr(times, "guest", 0.0))


class Watch:
    """Sees how much CPU went to processes that have nothing to do with what is measured."""

    def __init__(self, groups: Groups) -> None:
        self.before = cpu_seconds(groups)
        self._busy = busy_seconds()
        self._own = time.process_time()
        self._began = time.monotonic()

    def others_cores(self, used: Mapping[str, float], more_seconds: float = 0.0) -> float:
        """Cores on average, without this process, without `used` and `more_seconds`."""
        known = sum(used.values()) + more_seconds + time.process_time() - self._own
        return max(0.0, (busy_seconds() - self._busy - known) / (time.monotonic() - self._began))


def end(processes: Iterable[psutil.Process]) -> None:
    """End them, and make sure."""
    alive = list(processes)
    for process in alive:
        with suppress(psutil.NoSuchProcess):
            process.terminate()
    _, alive = psutil.wait_procs(alive, timeout=5)
    for process in alive:
        with suppress(psutil.NoSuchProcess):
            process.kill()
    psutil.wait_procs(alive, timeout=5)


def _cpu(process: psutil.Process) -> float:
    try:
        times = process.cpu_times()
    except psutil.NoSuchProcess:
        return 0.0
    # With that of children which have ended, such as the one with which Redis rewrites its file.
    return float(times.user + times.system + times.children_user + times.children_system)


def _pss(process: psutil.Process) -> int:
    try:
        full = process.memory_full_info()
    except (psutil.NoSuchProcess, psutil.AccessDenied):
        return 0
    # Only Linux knows the proportional size.
    return int(getattr(full, "pss", full.rss))
