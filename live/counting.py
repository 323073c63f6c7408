"""What this process has shown to those who watch, counted: for `/metrics`.

The hub of an event loop is not asked: metrics are read in a thread.
"""

from collections import Counter
from typing import Final


class Counts:
    """Sums that only grow, and how many are here."""

    def __init__(self) -> None:
        self.connections: Counter[str] = Counter()
        """By door."""
        self.delivered: Counter[str] = Counter()
        """Messages, by door."""
        self.left: Counter[str] = Counter()
        """Those who had to go, by reason."""
        self.present: dict[str, int] = {}
        """How many watch each channel."""


COUNTS: Final = Counts()
"""Of this process. Each number is changed by its event loop alone."""
