"""What one sender does in one term."""

import time
from collections.abc import Callable
from typing import Final

from leases_app.leasing import Condition, Term

_LOOK_SECONDS: Final = 0.5


class Shard:
    """The endpoints of one shard, while one term lasts."""

    def __init__(self, term: Term) -> None:
        self._term = term

    def condition(self) -> Condition:
        """How this sender is. Asked by another thread: it does not wait."""
        return Condition()

    def run(self, stopping: Callable[[], bool], confirmed_until: Callable[[], float]) -> None:
        """Until `stopping()`. `confirmed_until`: monotonic seconds after which nothing may begin."""
        while not stopping():
            time.sleep(_LOOK_SECONDS)
