"""What this process has shown to those who watch, counted: for `/metrics`.

The hub of an event loop is not asked: metrics are read in a thread.
"""

from collections import Counter
from typing import Final


class Counts:
    """Sums that only grow, and how many are here."""

    def __init__(self) -> None:
        self.connections = 0
        """So many watch now, by whatever door."""
        self.refused = 0
        """So many were told to come again, since there were too many."""
        self.delivered: Counter[str] = Counter()
        """Messages, by door."""
        self.left: Counter[str] = Counter()
        """Those who had to go, or went, by reason."""


COUNTS: Final = Counts()
"""Of this process. Each number is changed by its event loop alone."""
