"""Whether a loop comes round. A heartbeat goes on by itself, and says nothing of the loop beside it."""

import time
from typing import Final

MOST_SECONDS: Final = 7.0
"""A loop that has not come round for so long is held up. If a server has gone away, that is seen by then."""

HELD_UP: Final = "It has not come round for seconds: something holds it up, of which its log may say more."


class Rounds:
    """Of one loop, which tells of each. For the heartbeat, which asks right before each beat."""

    def __init__(self) -> None:
        self._came_at = self._asked_at = time.monotonic()

    def come(self) -> None:
        """It has come round. For the loop."""
        self._came_at = time.monotonic()

    @property
    def are_held_up(self) -> bool:
        """Whether it should have come round by now. For the heartbeat alone."""
        now = time.monotonic()
        if now - self._asked_at > MOST_SECONDS:  # The whole process was frozen.
            self._came_at = now
        self._asked_at = now
        return now - self._came_at > MOST_SECONDS

    def trouble(self, other: str = "") -> str:
        """What speaks against the holder, with what it says itself; empty: nothing."""
        return " ".join(filter(None, (HELD_UP * self.are_held_up, other)))
