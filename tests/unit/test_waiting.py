"""How tests wait for a condition: they leave the machine to what they wait for."""

import threading
import time
from collections.abc import Callable

import pytest

Wait = Callable[..., None]


class Asked:
    """A condition that takes a while to look at, and does not hold before it was looked at so often."""

    def __init__(self, takes: float, holds_after: int) -> None:
        self.times = 0
        self._takes, self._holds_after = takes, holds_after

    def __call__(self) -> bool:
        self.times += 1
        time.sleep(self._takes)
        return self.times > self._holds_after


def test_what_holds_is_looked_at_once(wait_until: Wait) -> None:
    holds = Asked(0.0, 0)
    wait_until(holds)
    assert holds.times == 1


def test_what_is_looked_at_quickly_is_looked_at_often(wait_until: Wait) -> None:
    began = time.monotonic()
    wait_until(Asked(0.0, 10))
    assert time.monotonic() - began < 2.0


def test_looking_takes_a_quarter_of_the_time(wait_until: Wait) -> None:
    never = Asked(0.05, 1000)
    with pytest.raises(AssertionError, match="nobody comes"):
        wait_until(never, seconds=1.0, what="nobody comes")
    assert never.times <= 6


def test_what_takes_long_to_look_at_is_looked_at_again_soon(
    wait_until: Wait, monkeypatch: pytest.MonkeyPatch
) -> None:
    rests: list[float] = []
    here, sleep = threading.current_thread(), time.sleep

    def rest(seconds: float) -> None:
        """Of this thread; others sleep as ever."""
        rests.append(seconds) if threading.current_thread() is here else sleep(seconds)

    monkeypatch.setattr(time, "sleep", rest)
    holds = iter([False, False, True])
    wait_until(lambda: threading.Event().wait(0.2) or next(holds), seconds=60)
    assert rests == [0.25, 0.25]
