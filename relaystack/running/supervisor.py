"""Keeps the children running, and stops them in order.

A child that dies is started again, after a back-off and when what was left of its process group has ended.
One loop in one thread looks when a child has ended, and until all of them run again ten times a second.
`step()` never waits, so a slow end holds up nobody else.
"""

import os
import signal
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum

from relaystack.errors import StopRequested
from relaystack.running import launch
from relaystack.running.interrupts import Interrupts
from relaystack.running.process import Process, describe_exit, stop_all

FIRST_DELAY_SECONDS = 0.5
LONGEST_DELAY_SECONDS = 10.0
GOOD_LIFE_SECONDS = 30.0  # Whoever lived that long starts with the first delay again.
GROUP_GRACE_SECONDS = 5.0
LOOK_SECONDS = 0.1
REST_SECONDS = 5.0  # While all run: the end of one wakes us.


class Stage(IntEnum):
    """The order of stopping: first who gives out work, then who does it, then what it needs."""

    BEAT = 0
    PROGRAM = 1
    SERVER = 2


GRACE_SECONDS = {Stage.BEAT: 2.0, Stage.PROGRAM: 15.0, Stage.SERVER: 10.0}


@dataclass(slots=True)
class Child:
    """A process that should run. `ended_at` is set from its death to its next start."""

    process: Process
    stage: Stage
    started_at: float
    failures: int = 0
    ended_at: float | None = None
    delay: float = 0.0

    @property
    def name(self) -> str:
        """As in `stack.json`."""
        return self.process.command.name


class Supervisor:
    """`changed` is told the process ids by name whenever they change, `say` what an operator should know."""

    def __init__(self, changed: Callable[[dict[str, int]], None], say: Callable[[str], None]) -> None:
        self._changed = changed
        self._say = say
        self._children: list[Child] = []

    def adopt(self, process: Process, stage: Stage) -> None:
        """Watch a process from now on."""
        self._children.append(Child(process, stage, time.monotonic()))
        self._changed(self.pids)

    @property
    def pids(self) -> dict[str, int]:
        """Of those that run."""
        return {child.name: child.process.pid for child in self._children if child.ended_at is None}

    def run(self, interrupts: Interrupts) -> None:
        """Look after the children until the end is asked for."""
        become_subreaper()
        try:
            while True:
                self.step(time.monotonic())
                all_run = all(child.ended_at is None for child in self._children)
                interrupts.pause(REST_SECONDS if all_run else LOOK_SECONDS)
        except StopRequested:
            return

    def step(self, now: float) -> None:
        """One look at every child."""
        for child in self._children:
            if child.ended_at is None:
                self._look_after(child, now)
            elif self._may_start(child, now, child.ended_at):
                self._start_again(child, now)
        self._reap_orphans()

    def stop(self, interrupts: Interrupts) -> None:
        """End all children, stage by stage; at once if Ctrl-C comes again."""
        try:
            for stage in Stage:
                processes = [child.process for child in self._children if child.stage is stage]
                stop_all(processes, GRACE_SECONDS[stage], interrupts.pause_while_stopping)
        except StopRequested:
            self._say("Killing what is left.")
        finally:
            stop_all([child.process for child in self._children], 0.0)
            self._children.clear()
            self._changed({})

    def _look_after(self, child: Child, now: float) -> None:
        code = child.process.exit_code
        if code is None:
            return
        if now - child.started_at >= GOOD_LIFE_SECONDS:
            child.failures = 0
        child.delay = min(LONGEST_DELAY_SECONDS, FIRST_DELAY_SECONDS * 2 ** min(child.failures, 10))
        child.failures += 1
        child.ended_at = now
        child.process.signal_group(signal.SIGTERM)
        self._say(
            f"{child.name} has ended ({describe_exit(code)}; see {child.process.command.log}); "
            f"starting it again in {child.delay:g} s."
        )
        self._changed(self.pids)

    def _may_start(self, child: Child, now: float, ended_at: float) -> bool:
        waited = now - ended_at
        number = signal.SIGKILL if waited >= GROUP_GRACE_SECONDS else 0
        group_is_left = child.process.signal_group(number)
        return waited >= child.delay and (not group_is_left or waited >= GROUP_GRACE_SECONDS)

    def _start_again(self, child: Child, now: float) -> None:
        child.started_at = now
        try:
            child.process = child.process.command.start()
        except OSError as error:  # no memory or no room for a moment
            child.failures += 1
            child.ended_at, child.delay = now, LONGEST_DELAY_SECONDS
            self._say(
                f"{child.name} cannot be started ({error.strerror}); trying again in {child.delay:g} s."
            )
            return
        child.ended_at = None
        self._say(f"{child.name} runs again (process {child.process.pid}).")
        self._changed(self.pids)

    def _reap_orphans(self) -> None:
        """Collect the grandchildren a killed child left to us: uncollected, their group seems alive."""
        own = {child.process.pid for child in self._children}
        while (orphan := _ended_child()) is not None and orphan not in own:
            os.waitpid(orphan, 0)


def become_subreaper() -> None:
    """Let Linux hand us the orphans of our children: not every container's first process collects them."""
    if sys.platform == "linux":
        launch.prctl(launch.PR_SET_CHILD_SUBREAPER, 1)


def _ended_child() -> int | None:
    if sys.platform != "linux":  # only a subreaper has orphans
        return None
    try:
        ended = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return None
    return ended.si_pid if ended else None
