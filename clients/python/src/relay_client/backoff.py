"""How long to wait before the next attempt. Pure: chance is an argument."""

from typing import Final

FIRST_SECONDS: Final = 0.1
MOST_SECONDS: Final = 10.0


def delay(failures: int, chance: float, asked: float | None = None) -> float:
    """Seconds after so many failures in a row, from 1.

    Anything between nothing and a bound that doubles each time ("full jitter": Exponential Backoff And
    Jitter, AWS Architecture Blog 2015), so that those who failed together do not come back together.
    `chance`: from 0 to 1. `asked`: what the server has asked for; less than that is not waited.
    """
    bound = min(MOST_SECONDS, FIRST_SECONDS * 2.0 ** min(failures - 1, 60))
    return (asked or 0.0) + chance * bound
