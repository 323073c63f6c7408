"""A clock that only goes on, also while the machine sleeps."""

import time
from typing import Final

# Linux's monotonic clock stands still in suspend, and so would a lease that others have taken meanwhile.
_CLOCK: Final = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


def seconds() -> float:
    """Since some moment before this process began."""
    return time.clock_gettime(_CLOCK)
