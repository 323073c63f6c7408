"""What goes together of one subscription, in the event loop: how long what is there waits for more."""

import asyncio
from collections.abc import Callable
from typing import Final

from relaycore.sending.batches.batch import Batch
from relaycore.sending.items import Item, Outcome
from relaycore.sending.window import Window

LINGER_SECONDS: Final = 0.1


class Together:
    """Of one subscription.

    most:     messages in one request
    is_keyed: it is in order by a field, and each goes by itself. The API takes no such; a row may say so
    came:     is called when nothing waits any more
    """

    def __init__(self, most: int, came: Callable[[], object], *, is_keyed: bool) -> None:
        self._most = most
        self._came = came
        self._is_keyed = is_keyed
        self._timer: asyncio.TimerHandle | None = None

    def next(self, window: Window) -> Batch | None:
        """What is to be tried next; None: nothing, or not now."""
        if self._is_keyed:
            item = window.next()
            return None if item is None else Batch([item])
        batch = window.next_batch(self._most)
        if window.is_lingering and self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(LINGER_SECONDS, self._hurry, window)
        return batch

    def _hurry(self, window: Window) -> None:
        self._timer = None
        window.hurry()
        self._came()

    def close(self) -> None:
        """Nothing of it is sent here any more."""
        if self._timer is not None:
            self._timer.cancel()


def take(window: Window, together: Together | None) -> Item | Batch | None:
    """What is to be tried next; None: nothing, or not now. `together`: None: each goes by itself."""
    return window.next() if together is None else together.next(window)


def settle(window: Window, item: Item | Batch, outcome: Outcome) -> int:
    """What came of it; how many messages it has."""
    if isinstance(item, Batch):
        window.settle_batch(item, outcome)
        return len(item.items)
    window.settle(item, outcome)
    return 1
