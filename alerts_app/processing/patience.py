"""When a server that did not answer is asked again."""

import time
from typing import Final

_AGAIN_SECONDS: Final = 0.5


class Patience:
    """With one server. One question is lost on it in a turn, and not each of them.

    trouble: what it said last, in a sentence; empty: it answers
    """

    def __init__(self) -> None:
        self._not_before = float("-inf")
        self.trouble = ""

    @property
    def may_ask(self) -> bool:
        """Whether it may be asked something now."""
        return time.monotonic() >= self._not_before

    def answered(self) -> None:
        """It did."""
        self.trouble = ""

    def failed(self, why: str) -> None:
        """It did not, or it refuses."""
        self.trouble = why
        self._not_before = time.monotonic() + _AGAIN_SECONDS
