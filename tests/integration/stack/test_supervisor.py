"""The supervisor: nothing stays dead, and nothing stays behind."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.integration.stack.conftest import is_running

Spawn = Callable[..., subprocess.Popen[str]]
WaitUntil = Callable[..., None]


class StandIn:
    """A supervisor in a process of its own (`stand_in.py`)."""

    def __init__(self, spawn: Spawn, wait_until: WaitUntil, directory: Path, *names: str) -> None:
        self.directory = directory
        self._wait_until = wait_until
        self.process = spawn("tests.integration.stack.stand_in", str(directory), *names)
        self.names = names or ("server", "worker", "web", "beat")
        wait_until(lambda: set(self.pids) == set(self.names), what="all children are known")
        for name in self.names:
            wait_until(lambda name=name: "started" in (directory / f"{name}.log").read_text(), what=name)

    @property
    def pids(self) -> dict[str, int]:
        try:
            return json.loads((self.directory / "stack.json").read_text())["pids"]
        except FileNotFoundError:
            return {}

    @property
    def grandchild(self) -> int:
        return int((self.directory / "grandchild").read_text())

    def stop(self, number: int = signal.SIGTERM) -> str:
        """Send the signal and wait. What it has printed."""
        self.process.send_signal(number)
        output, errors = self.process.communicate(timeout=25)
        assert not errors
        return output


@pytest.fixture
def stand_in(spawn: Spawn, wait_until: WaitUntil, tmp_path: Path) -> Callable[..., StandIn]:
    return lambda *names: StandIn(spawn, wait_until, tmp_path, *names)


@pytest.mark.parametrize("name", ["server", "worker", "web", "beat"])
def test_a_killed_child_runs_again(
    name: str, stand_in: Callable[..., StandIn], wait_until: WaitUntil
) -> None:
    stack = stand_in()
    before = stack.pids
    os.kill(before[name], signal.SIGKILL)
    wait_until(lambda: stack.pids.get(name, before[name]) != before[name], seconds=8)
    assert is_running(stack.pids[name])
    assert {other: pid for other, pid in stack.pids.items() if other != name} == {
        other: pid for other, pid in before.items() if other != name
    }
    output = stack.stop()
    assert f"{name} has ended (SIGKILL; see " in output
    assert f"{name} runs again (process " in output


def test_the_dead_are_not_in_the_file(stand_in: Callable[..., StandIn], wait_until: WaitUntil) -> None:
    stack = stand_in()
    os.kill(stack.pids["web"], signal.SIGKILL)
    wait_until(lambda: "web" not in stack.pids, seconds=1)
    assert (stack.directory / "stack.json").stat().st_mode & 0o777 == 0o600


def test_what_a_killed_child_left_has_ended_before_it_runs_again(
    stand_in: Callable[..., StandIn], wait_until: WaitUntil
) -> None:
    stack = stand_in()
    worker, orphan = stack.pids["worker"], stack.grandchild
    os.kill(worker, signal.SIGKILL)
    wait_until(lambda: "worker" not in stack.pids, seconds=1)
    wait_until(lambda: "worker" in stack.pids, seconds=8)
    assert not is_running(orphan)


def test_a_child_whose_group_ends_at_once_runs_again_at_once(
    stand_in: Callable[..., StandIn], wait_until: WaitUntil
) -> None:
    """Its orphans are collected: an uncollected one would look like a group that does not end."""
    stack = stand_in()
    worker = stack.pids["worker"]
    os.killpg(worker, signal.SIGKILL)
    wait_until(lambda: stack.pids.get("worker", worker) != worker, seconds=2)


def test_a_child_that_keeps_dying_is_started_less_and_less_often(spawn: Spawn, tmp_path: Path) -> None:
    process = spawn("tests.integration.stack.stand_in", str(tmp_path), "short")
    assert process.stdout is not None
    waits: list[float] = []
    while len(waits) < 3:
        if found := re.search(r"has ended \(exit code 3; .*again in ([\d.]+) s", process.stdout.readline()):
            waits.append(float(found[1]))
    assert waits == [0.5, 1.0, 2.0]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_stops_everything_in_order(number: int, stand_in: Callable[..., StandIn]) -> None:
    stack = stand_in()
    pids = [*stack.pids.values(), stack.grandchild]
    began = time.monotonic()
    stack.stop(number)
    assert time.monotonic() - began < 5
    assert stack.process.returncode == 0
    assert not any(is_running(pid) for pid in pids)
    ends = (stack.directory / "ends").read_text().split()
    assert (ends[0], set(ends[1:3]), ends[3]) == ("beat", {"web", "worker"}, "server")
    assert stack.pids == {}


def test_a_child_that_does_not_stop_is_killed_by_a_second_ctrl_c(stand_in: Callable[..., StandIn]) -> None:
    stack = stand_in("server", "stubborn")
    stubborn = stack.pids["stubborn"]
    stack.process.send_signal(signal.SIGINT)
    time.sleep(0.7)  # a second key, not the same one delivered twice
    assert is_running(stubborn)
    assert "Killing what is left." in stack.stop(signal.SIGINT)
    assert stack.process.returncode == 0
    assert not is_running(stubborn)


def test_one_ctrl_c_that_comes_twice_is_one(stand_in: Callable[..., StandIn]) -> None:
    stack = stand_in("server")
    stack.process.send_signal(signal.SIGINT)
    assert "Killing" not in stack.stop(signal.SIGINT)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells children")
def test_no_child_outlives_a_supervisor_that_was_killed(
    stand_in: Callable[..., StandIn], wait_until: WaitUntil
) -> None:
    stack = stand_in("server", "stubborn", "web", "beat")
    pids = stack.pids.values()
    stack.process.kill()
    wait_until(lambda: not any(is_running(pid) for pid in pids), seconds=1)
