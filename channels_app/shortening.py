"""What a retention that was made shorter is going to delete, said before it does.

How many messages that is knows whoever keeps them: the roof says where to ask (`ask`).
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from channels_app.models import Channel
from relaycore.storing.shortening import WAIT

Count = Callable[[str, int], int | None]
"""Of a channel, how many messages are older than so many seconds; None: that is not known now."""


@dataclass(frozen=True, slots=True)
class Shortened:
    """A shorter retention has been set, and deletes nothing yet.

    before:     seconds that hold until `deletes_at`; None: for ever
    deletes_at: by PostgreSQL's clock
    messages:   that go then; None: not counted
    """

    before: int | None
    deletes_at: datetime
    messages: int | None


_asked: Final[list[Count]] = []
"""Where to ask: one, or none before Django is ready."""


def ask(count: Count) -> None:
    """This knows how many messages are older."""
    _asked[:] = [count]


def pending(channel: Channel, now: datetime) -> Shortened | None:
    """Without the count, which takes time; None: nothing waits."""
    retention = channel.retention
    if retention.shortened_at is None or not retention.is_waiting(now):
        return None
    return Shortened(retention.before, retention.shortened_at + WAIT, None)


def counted(channel: Channel, now: datetime) -> Shortened | None:
    """The same with the count."""
    found = pending(channel, now)
    if found is None or channel.retention_seconds is None:
        return found
    messages = [count(channel.channel, channel.retention_seconds) for count in _asked]
    return replace(found, messages=next(iter(messages), None))
