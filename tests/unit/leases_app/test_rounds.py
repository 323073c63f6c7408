"""A loop that stands still is no loop that works, however well its heartbeat goes."""

import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from alerts_app.processing.working import Working
from leases_app import rounds
from leases_app.rounds import HELD_UP, Rounds
from webhooks_app.sending import shard as sending
from webhooks_app.sending.shard import Shard

BEATS = 0.02


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rounds, "MOST_SECONDS", 0.2)


def _asked_until(trouble: Callable[[], str], wanted: str) -> bool:
    """As a heartbeat asks, again and again."""
    until = time.monotonic() + 10
    while time.monotonic() < until:
        if trouble() == wanted:
            return True
        time.sleep(BEATS)
    return False


def test_one_that_does_not_come_round_is_held_up_until_it_does() -> None:
    loop = Rounds()
    assert loop.trouble() == ""
    assert _asked_until(loop.trouble, HELD_UP)
    assert loop.trouble("Redis does not answer.") == f"{HELD_UP} Redis does not answer."
    loop.come()
    assert loop.trouble() == ""


def test_who_was_frozen_as_a_whole_has_time_again() -> None:
    loop = Rounds()
    time.sleep(0.3)
    assert loop.trouble() == ""
    assert _asked_until(loop.trouble, HELD_UP)


def test_a_processor_that_never_comes_round_says_so() -> None:
    working = Working.__new__(Working)
    working._rounds, working._said = Rounds(), (3, "")
    assert _asked_until(lambda: working.condition().trouble, HELD_UP)
    assert working.condition().waiting == 3


def test_a_sender_whose_event_loop_is_held_up_says_so_and_that_it_goes_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    holds, ends = threading.Event(), threading.Event()

    class Held:
        is_lost, trouble, out = False, "", 0

        def __init__(self, *_: Any) -> None: ...

        async def stop(self) -> None: ...

        def close(self) -> None: ...

    def stopping() -> bool:
        if holds.is_set():
            holds.clear()
            time.sleep(1.0)
        return ends.is_set()

    monkeypatch.setattr(sending, "Working", Held)
    shard = Shard(None)  # type: ignore[arg-type]
    thread = threading.Thread(target=shard.run, args=(stopping, lambda: True))
    thread.start()
    try:
        assert _asked_until(lambda: shard.condition().trouble, "")
        holds.set()
        assert _asked_until(lambda: shard.condition().trouble, HELD_UP)
        assert _asked_until(lambda: shard.condition().trouble, "")
    finally:
        ends.set()
        thread.join(10)
