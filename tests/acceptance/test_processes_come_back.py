"""Every process may be ended at any time: it is replaced, and nothing stored is gone."""

import os
import signal
import time
from collections.abc import Callable

import psutil
import pytest

from tests.acceptance.relaying import AGAIN_SECONDS, REPLACED_SECONDS, relays, relays_again
from tests.acceptance.stack import PYTHON_PROCESSES, SERVERS, Stack

Wait = Callable[..., None]

TERM_LAPSES_SECONDS = 3.0


@pytest.mark.parametrize("name", [*PYTHON_PROCESSES, *SERVERS])
def test_a_killed_process_is_replaced(stack: Stack, name: str, wait_until: Wait) -> None:
    channel = f"killed-{name}"
    stack.listen_to(channel)
    relays(stack, channel, "before", wait_until)
    killed = stack.pids[name]
    os.kill(killed, signal.SIGKILL)
    wait_until(lambda: not psutil.pid_exists(killed), what="the process is gone")
    wait_until(lambda: stack.pids.get(name, killed) != killed, what="another one in its place")
    wait_until(lambda: answers(stack), seconds=AGAIN_SECONDS, what="everything answers")
    relays_again(stack, channel, "after", wait_until)
    assert stack.texts(channel) == ["before", "after"]


def held_by(stack: Stack, role: str, wait_until: Wait) -> tuple[int, int]:
    """The epoch and the process of who holds the lease, once somebody who lives does."""

    def is_held() -> bool:
        _, pid, held = stack.lease(role)
        return held and psutil.pid_exists(pid)

    wait_until(is_held, seconds=REPLACED_SECONDS, what=f"the lease of the {role} held")
    epoch, pid, _ = stack.lease(role)
    return epoch, pid


def answers(stack: Stack) -> bool:
    try:
        return stack.http.get("/api/v1/channels").status_code == 200 and bool(stack.redis.ping())
    except Exception:
        return False


@pytest.mark.parametrize("name", PYTHON_PROCESSES)
def test_a_process_ends_within_ten_seconds_of_sigterm(stack: Stack, name: str, wait_until: Wait) -> None:
    channel = f"terminated-{name}"
    stack.listen_to(channel)
    relays(stack, channel, "before", wait_until)
    ended = psutil.Process(stack.pids[name])
    family = [ended, *ended.children(recursive=True)]
    ended.terminate()
    _, alive = psutil.wait_procs(family, timeout=10)
    assert not alive, alive
    wait_until(lambda: stack.pids.get(name) not in {None, ended.pid}, what="another one in its place")
    wait_until(lambda: answers(stack), seconds=AGAIN_SECONDS)
    relays_again(stack, channel, "after", wait_until)


@pytest.mark.parametrize("role", ["listener", "writer", "sender", "processor"])
def test_a_loop_that_is_killed_is_replaced_within_ten_seconds(
    stack: Stack, role: str, wait_until: Wait
) -> None:
    stack.listen_to(f"loop-{role}")
    epoch, pid = held_by(stack, role, wait_until)
    os.kill(pid, signal.SIGKILL)
    began = time.monotonic()
    wait_until(lambda: stack.lease(role)[0] > epoch, seconds=REPLACED_SECONDS, what="a new term")
    assert time.monotonic() - began < REPLACED_SECONDS
    relays_again(stack, f"loop-{role}", "after", wait_until)


@pytest.mark.parametrize("role", ["writer", "sender", "processor"])
def test_a_loop_that_is_terminated_releases_its_lease(stack: Stack, wait_until: Wait, role: str) -> None:
    epoch, pid = held_by(stack, role, wait_until)
    os.kill(pid, signal.SIGTERM)
    # Released, not lapsed: a lapsed lease keeps the name of its holder.
    wait_until(lambda: stack.lease(role) == (epoch, pid, False), seconds=10, what="released")
    wait_until(lambda: stack.lease(role)[0] > epoch, seconds=REPLACED_SECONDS, what="a new term")


def test_a_leader_that_is_terminated_hands_over(stack: Stack, wait_until: Wait) -> None:
    stack.listen_to("handed over")
    wait_until(lambda: stack.redis.pubsub_numsub("handed over")[0][1] == 2, what="a standby")
    epoch, pid, _ = stack.lease("listener")
    os.kill(pid, signal.SIGTERM)
    began = time.monotonic()
    wait_until(lambda: stack.lease("listener")[0] == epoch + 1, seconds=10, what="the standby leads")
    assert time.monotonic() - began < TERM_LAPSES_SECONDS, "nobody handed over, the lease has lapsed"
    assert stack.lease("listener")[1] != pid
    relays_again(stack, "handed over", "afterwards", wait_until)


def test_a_broker_that_is_cut_off_does_not_stop_the_workers(stack: Stack, wait_until: Wait) -> None:
    stack.listen_to("cut")
    cut = sum(stack.redis.client_kill_filter(_type=kind) for kind in ("normal", "pubsub"))
    assert cut >= 6, "no connections were cut"
    relays_again(stack, "cut", "heard again", wait_until)
    epoch, pid, _ = stack.lease("listener")
    os.kill(pid, signal.SIGKILL)
    # Only a worker that consumes again can take the next task.
    wait_until(lambda: stack.lease("listener")[0] > epoch, seconds=20, what="a new term")
    relays_again(stack, "cut", "and consumed again", wait_until)
