"""PostgreSQL's clock, as it was heard last and has gone on since."""

import time


class Clock:
    """Milliseconds since 1970."""

    def __init__(self) -> None:
        self._ahead: float | None = None

    @property
    def is_known(self) -> bool:
        """Whether PostgreSQL has said anything."""
        return self._ahead is not None

    def hear(self, now: int) -> None:
        """PostgreSQL says so just now."""
        self._ahead = now - time.monotonic() * 1000

    def now(self) -> int:
        """What it says by now; 0 before it was heard."""
        return 0 if self._ahead is None else int(time.monotonic() * 1000 + self._ahead)
