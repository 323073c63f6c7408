"""How often it is recorded what has been sent."""

from typing import Final

LEAST_SECONDS: Final = 0.1
MOST_SECONDS: Final = 0.5

_SHARE: Final = 4


class Pause:
    """Of one sender. seconds: so long it waits before it records again, unless it is pressed.

    That is so many times as long as recording took: else a thousand busy subscriptions, with a message each,
    would have a sender do little else.
    """

    def __init__(self) -> None:
        self.seconds = LEAST_SECONDS

    def took(self, seconds: float, *, is_more: bool) -> None:
        """It took so long. `is_more`: there is more than is recorded at once, which does not wait."""
        self.seconds = LEAST_SECONDS if is_more else min(MOST_SECONDS, max(LEAST_SECONDS, _SHARE * seconds))
