"""What made a rule say something: an input or a timer, as text that sorts in the order in which they happen.

An input is its position, 30 characters. A timer is the time at which it fires, 13 digits of ms since 1970.
So a timer is a prefix of the positions of its millisecond, and comes before all of them.
"""

from typing import Final

NOTHING: Final = ""
"""Before every cause."""

LAST_MS: Final = 9_999_999_999_999
"""In the year 2286: later ones have no room in a position."""

_DIGITS: Final = 13


def of_timer(due: int) -> str:
    """The cause that a timer is which fires at this time, ms since 1970."""
    if not 0 <= due <= LAST_MS:
        raise ValueError(f"no timer fires at {due}")
    return f"{due:013d}"


def at_of(cause: str) -> int:
    """When it happened: ms since 1970."""
    return int(cause[:_DIGITS])


def is_timer(cause: str) -> bool:
    """Whether it is a timer."""
    return len(cause) == _DIGITS
