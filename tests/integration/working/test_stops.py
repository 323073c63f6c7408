"""Whatever way a worker is stopped or restarted: its loops end with it within 10 s, or go on as they were."""

import signal
import time
from collections.abc import Callable
from enum import Enum, auto
from typing import Any

import pytest

from .conftest import Worker, seconds_until_gone

pytestmark = pytest.mark.timeout(400)

ENDED_SECONDS = 10.0

Start = Callable[..., Worker]


class Comes(Enum):
    """What comes of it.

    END:     the worker ends, and its loops release what they hold
    COLD:    it ends, and does not wait until they have
    RESTART: it ends as well, and is there again
    NOTHING: everything goes on
    """

    END = auto()
    COLD = auto()
    RESTART = auto()
    NOTHING = auto()


def signalled(number: signal.Signals) -> Callable[[Worker], None]:
    return lambda worker: worker.process.send_signal(number)


def told(*command: str, answer: str = "") -> Callable[[Worker], None]:
    def tell(worker: Worker) -> None:
        assert answer in worker.control("control", "--timeout", "5", *command)

    return tell


WAYS: dict[str, tuple[Callable[[Worker], None], Comes, dict[str, str]]] = {
    "SIGTERM": (signalled(signal.SIGTERM), Comes.END, {}),
    "SIGTERM as SIGQUIT": (signalled(signal.SIGTERM), Comes.COLD, {"REMAP_SIGTERM": "SIGQUIT"}),
    "SIGINT": (signalled(signal.SIGINT), Comes.END, {}),
    "SIGQUIT": (signalled(signal.SIGQUIT), Comes.COLD, {}),
    "SIGHUP": (signalled(signal.SIGHUP), Comes.RESTART, {}),
    "control shutdown": (told("shutdown"), Comes.END, {}),
    "control pool_restart": (told("pool_restart", answer="not enabled"), Comes.NOTHING, {}),
    "control pool_shrink": (told("pool_shrink", "2"), Comes.NOTHING, {}),
}


@pytest.mark.parametrize("way", WAYS)
def test_loops_end_with_their_worker_or_go_on(start_worker: Start, wait_until: Any, way: str) -> None:
    stop, comes, environment = WAYS[way]
    worker = start_worker("--concurrency", "5" if comes is Comes.NOTHING else "6", **environment)
    loops = worker.wait_for_loops()
    stop(worker)
    if comes is Comes.NOTHING:
        time.sleep(3)
        assert worker.wait_for_loops() == loops
        return
    seconds_until_gone(loops, ENDED_SECONDS)
    if comes is Comes.COLD:
        wait_until(lambda: not worker.loops(), what="their leases lapse")
    assert not worker.loops(), "what they held is not released"
    if comes is Comes.RESTART:
        worker.wait_for_loops(*loops)
        assert worker.process.poll() is None
    else:
        worker.process.wait(ENDED_SECONDS)


def test_fewer_processes_by_autoscale_are_taken_from_no_loop(start_worker: Start) -> None:
    worker = start_worker("--autoscale", "6,1")
    loops = worker.wait_for_loops()
    told("autoscale", "1", "1")(worker)
    time.sleep(3)
    assert worker.wait_for_loops() == loops


@pytest.mark.parametrize(
    "limit", [("--max-tasks-per-child", "1"), ("--max-memory-per-child", "1000")], ids="".join
)
def test_a_child_that_has_done_enough_is_replaced_when_its_loop_ends(
    start_worker: Start, wait_until: Any, limit: tuple[str, str]
) -> None:
    worker = start_worker("--concurrency", "6", *limit, RELAY_LISTENER_LIFE_SECONDS="3")
    first = worker.wait_for_loops()
    wait_until(lambda: len(worker.loops() - first) >= 2, seconds=30, what="other listeners")
    worker.wait_for_loops()


def test_a_child_that_is_killed_while_its_worker_starts_is_replaced(
    start_worker: Start, tmp_path: Any
) -> None:
    worker = start_worker(
        program=(
            "-m",
            "tests.integration.working.dies_at_start",
            str(tmp_path / "died"),
            "-A",
            "relayproject",
        )
    )
    worker.wait_for_loops()
    assert (tmp_path / "died").exists(), "nobody was killed"
    assert worker.process.poll() is None
