"""What is told besides messages. None of it is an error: it goes on."""

import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Self

from relay_client.rows import Gap, Message, Raw, time_of
from relay_client.subscribing.notices import Away


@dataclass(frozen=True, slots=True)
class Reset:
    """It cannot go on where it stood.

    `reason`: "retention", which has removed messages that are missing now, or "archive", which is another
    one, so that nobody knows what is missing. A newer Relay may have others.
    """

    reason: str
    channel: str | None
    begins_at: datetime | None
    """What is missing was stored from here on, by Relay's clock; None: from the beginning."""
    ends_at: datetime | None
    missed_at_most: int | None
    """None: it is not known."""
    raw: Raw = field(repr=False, compare=False)

    @classmethod
    def of(cls, row: Raw) -> Self:
        """From the event's data."""
        return cls(
            reason=row["reason"],
            channel=row["channel"],
            begins_at=time_of(row["from"]),
            ends_at=time_of(row["to"]),
            missed_at_most=row["at_most"],
            raw=row,
        )

    def __str__(self) -> str:
        count = "" if self.missed_at_most is None else f", {self.missed_at_most} messages at most"
        return f"messages are missing that are not stored any more ({self.reason}{count})"


@dataclass(frozen=True, slots=True)
class CaughtUp:
    """All that was stored when it began has come; from here on messages come as they are stored."""

    @classmethod
    def of(cls, row: Raw) -> Self:
        """From the event's data, of which nothing is needed."""
        dict(row)
        return cls()

    def __str__(self) -> str:
        return "all that was stored has come"


Notice = Reset | Gap | CaughtUp | Away
"""What is told: see each of them."""

Told = Callable[[Notice], object]


def tell(log: logging.Logger, told: Told | None, notice: Notice) -> None:
    """Call whoever wants to be told, or else warn of what is not as it should be."""
    if told is None:
        if not isinstance(notice, CaughtUp):
            log.warning("live: %s", notice)
        return
    try:
        told(notice)
    except Exception:  # Messages must not stop for it.
        log.exception("live: who is told of %s fails", type(notice).__name__)


Happening = Message | Notice
"""One thing of a live stream."""
