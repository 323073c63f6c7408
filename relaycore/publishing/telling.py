"""What Relay itself has to tell: what is appended together, and until when it waits.

What waits is told in its order: the next comes once those before are *stored*, not only appended. A Redis
that loses its last second would lose the message that an alert fires, or is acknowledged; whoever noted it
takes it for told, so nobody would ever say it again. While it is not known whether they are stored, they are
not appended once more, or a stream whose writer is away would fill with them.
"""

from collections.abc import Hashable, Sequence
from typing import Generic, TypeVar

from relaycore.publishing.standing import Stored, Unstored

Where = TypeVar("Where")


class Telling(Generic[Where]):
    """Of one process, which alone tells while it asks here. `Where`: what says where something stands."""

    def __init__(self) -> None:
        self._ids: list[Hashable] = []
        self._where: Where | None = None

    def together(self, waiting: Sequence[Hashable]) -> int:
        """How many of what waits are told next: the first ones.

        Those that stand already, if they are still the first. Else somebody else has told some of them.
        """
        if self._ids != list(waiting[: len(self._ids)]):
            self._forget()
        return len(self._ids) or len(waiting)

    @property
    def where(self) -> Where | None:
        """Where they stand. None: they are to be appended."""
        return self._where

    def appended(self, ids: Sequence[Hashable], where: Where) -> None:
        """These stand there."""
        self._ids, self._where = list(ids), where

    def judged(self, verdict: Stored | Unstored) -> bool:
        """Whether they are told, and need not wait any more. What is gone is to be appended anew."""
        if verdict is not Unstored.NOT_YET:
            self._forget()
        return isinstance(verdict, Stored)

    def _forget(self) -> None:
        self._ids, self._where = [], None
