"""When a message that an endpoint does not take is tried again, and when no more."""

from typing import Final

from relaycore.errors import BadSubscription

MOST_SECONDS: Final = 24 * 3600
MOST_TRIES: Final = 100

DEFAULT_SECONDS: Final = (
    *(0, 5, 5 * 60, 30 * 60, 2 * 3600),
    *(5 * 3600, 10 * 3600, 14 * 3600, 20 * 3600, 24 * 3600),
)
"""Before each try, since the one before has failed: the example of Standard Webhooks 1.0.0, 75 h 35 min."""

_SPREAD: Final = 0.2
"""So much sooner or later, as Svix has it: what failed together does not come again together."""

LONGEST_MS: Final = 2 * MOST_SECONDS * 1000
"""No row is due later. One that is was written under a clock that has fallen back since."""


def parse(given: object) -> tuple[int, ...]:
    """What JSON says: seconds before each try, the first of which waits for nothing.

    Raises:
        BadSubscription: it is no such list.
    """
    if not isinstance(given, list | tuple) or not 1 <= len(given) <= MOST_TRIES:
        raise BadSubscription(f"A schedule is a list of 1 to {MOST_TRIES} numbers of seconds.")
    for one in given:
        if not isinstance(one, int) or isinstance(one, bool) or not 0 <= one <= MOST_SECONDS:
            raise BadSubscription(f"In a schedule stand whole seconds, from 0 to {MOST_SECONDS}.")
    if given[0]:
        raise BadSubscription(
            'The first try waits for nothing: a schedule begins with 0. See "delay_seconds".'
        )
    return tuple(given)


class Schedule:
    """Of one subscription. `seconds`: see `parse`."""

    def __init__(self, seconds: tuple[int, ...] = DEFAULT_SECONDS) -> None:
        self._seconds = seconds

    def wait_ms(self, tries: int, chance: float, retry_after: float | None = None) -> int | None:
        """How long until it is tried again, after so many tries that failed; None: it is dead.

        chance:      in [0, 1)
        retry_after: seconds, as the endpoint has asked for. At least what is planned is waited, and twice
                     that at most: who says a year does not bury a message
        """
        if not 0 < tries < len(self._seconds):
            return None
        planned = 1000 * self._seconds[tries]
        wait = planned * (1 + _SPREAD * (2 * chance - 1))
        if retry_after is not None:
            wait = max(wait, min(max(planned, 1000 * retry_after), 2 * planned))
        return round(wait)
