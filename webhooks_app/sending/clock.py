"""PostgreSQL's clock, as it was heard last and has gone on since."""

import time


class Clock:
    """Milliseconds since 1970."""

    def __init__(self) -> None:
        self._ahead = 0.0
        self.is_known = False
        """Whether PostgreSQL has said anything."""

    def hear(self, now: int) -> None:
        """PostgreSQL says so just now."""
        self._ahead = now - time.monotonic() * 1000
        self.is_known = True

    def now(self) -> int:
        """What it says by now; 0 before it was heard."""
        return int(time.monotonic() * 1000 + self._ahead) if self.is_known else 0
