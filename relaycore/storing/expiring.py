"""What retention has deleted of a channel: up to where, and how many messages.

This is on record in MongoDB, durably, **before** each batch is deleted. So a reader that asks after its page
knows what may be missing in it, and whoever deletes may die at any instant: the next one brings the batch to
its end. The number of what was deleted only grows; who counts what is stored subtracts what it has grown by.

Each step is a conditional update of the record that it began with: of two who delete, one has the batch.
"""

from dataclasses import dataclass, replace
from typing import Final


@dataclass(frozen=True, slots=True)
class Expired:
    """What is on record of one channel.

    upto:     what stands up to this position may be deleted; empty: nothing was yet
    messages: so many were deleted, in all, with the batch that is under way
    going:    so many of them are that batch; 0: there is none
    """

    upto: str = ""
    messages: int = 0
    going: int = 0

    def begin(self, upto: str, messages: int) -> "Expired":
        """Before a batch of so many messages is deleted, up to this position.

        Raises:
            ValueError: one is under way. Bring that to its end first.
        """
        if self.going:
            raise ValueError("a batch is under way")
        return Expired(max(self.upto, upto), self.messages + messages, messages)

    def end(self, deleted: int) -> "Expired":
        """The batch is deleted. If it was more than was counted, some were stored meanwhile.

        If it was less, somebody else has helped.
        """
        return replace(self, messages=self.messages + max(0, deleted - self.going), going=0)

    def overlaps(self, since: str | None) -> bool:
        """Whether something may be deleted of a range that begins here; None: at the very beginning."""
        return bool(self.upto) and (since is None or since <= self.upto)


NOTHING: Final = Expired()
