"""Messages that go together, in one request."""

from collections.abc import Sequence

from relaycore.sending.batches.ids import id_of
from relaycore.sending.items import Item


class Batch:
    """What is to be tried at once, and what came of it holds for each.

    items: in the order of their positions; all of them were tried as often
    id:    see `ids`
    """

    __slots__ = ("id", "items")

    def __init__(self, items: Sequence[Item]) -> None:
        self.items = tuple(items)
        self.id = id_of(one.id for one in items)
        for one in items:
            one.batch = self.id

    @property
    def position(self) -> str:
        """Of the first: none stands below it."""
        return self.items[0].position

    @property
    def tries(self) -> int:
        """By which the schedule goes: as `Item.tries`."""
        return self.items[0].tries

    @property
    def is_let_go(self) -> bool:
        """Whether what comes of one of them matters no more."""
        return any(one.is_let_go for one in self.items)
