"""Until when what ended undelivered stays on record."""

from typing import Final

LEAST_SECONDS: Final = 30 * 86_400
"""Also of a channel that keeps messages for a minute: whoever looks after them was not told yet."""


def kept_seconds(retention_seconds: int | None) -> int | None:
    """How long it stays there, by how long the channel keeps its messages; None: for ever.

    A record is not older than the messages that it speaks of. So they are gone before it is, where anything
    is deleted at all.
    """
    return None if retention_seconds is None else max(retention_seconds, LEAST_SECONDS)
