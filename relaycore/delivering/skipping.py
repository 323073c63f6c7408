"""What retention has deleted before it was handed out."""

from dataclasses import dataclass

from relaycore.storing.expiring import Expired


@dataclass(frozen=True, slots=True)
class Noted:
    """What a subscription knows of what was deleted of its channel.

    upto:     what was deleted up to here was below its cursor, or is on record as skipped
    messages: so many were deleted of the channel, in all, when that was noted
    """

    upto: str = ""
    messages: int = 0


@dataclass(frozen=True, slots=True)
class Skip:
    """Messages that nobody was given: above `after`, up to `upto`; at most so many."""

    after: str
    upto: str
    at_most: int


def skip(position: str, noted: Noted, expired: Expired) -> tuple[Noted, Skip | None]:
    """What the cursor at this position has missed, by what is on record of its channel.

    expired: as it stood after what is above the cursor was read, never before

    What was deleted below the cursor was done. How many those were is not known, so the number is a bound.
    """
    after = max(position, noted.upto)
    now = Noted(max(noted.upto, expired.upto), max(noted.messages, expired.messages))
    if expired.upto <= after:
        return now, None
    return now, Skip(after, expired.upto, max(1, expired.messages - noted.messages))
