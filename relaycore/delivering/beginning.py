"""Where a cursor begins: from what somebody says to the position above which everything is handed out."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from relaycore.errors import BadSubscription
from relaycore.position import START, before_millisecond, is_position
from relaycore.times import to_milliseconds

EARLIEST: Final = "earliest"
LATEST: Final = "latest"
TIME: Final = "time"
POSITION: Final = "position"

_MOST_MILLISECONDS: Final = 10**13
_MEANT: Final = 'Give "earliest", "latest", {"time": "2026-11-21T12:00:00Z"} or {"position": "…"}.'


@dataclass(frozen=True, slots=True)
class Start:
    """What somebody said.

    above: the position that is meant; None: after whatever is there
    """

    above: str | None

    @property
    def is_earliest(self) -> bool:
        """Whether it is known without asking anybody."""
        return self.above == START

    def resolve(self, last: str) -> str:
        """The position above which the cursor begins.

        last: above what the stream has, and below what will come

        It is never above `last`: a time or a position that lies ahead would pass over messages that nobody
        has seen yet.
        """
        return last if self.above is None else min(self.above, last)


def parse(given: object) -> Start:
    """What JSON says: `earliest`, `latest`, `{"time": T}` or `{"position": P}`.

    Raises:
        BadSubscription: it is nothing of these.
    """
    if given == EARLIEST:
        return Start(START)
    if given == LATEST:
        return Start(None)
    if not isinstance(given, dict) or len(given) != 1:
        raise BadSubscription(f"That is no place to begin at. {_MEANT}")
    ((kind, value),) = given.items()
    if kind == TIME:
        return at_time(value if isinstance(value, datetime) else time_of(value))
    if kind == POSITION:
        if not isinstance(value, str) or not is_position(value):
            raise BadSubscription("A position is one that a message has, or an answer said.")
        return Start(value)
    raise BadSubscription(f"That is no place to begin at. {_MEANT}")


def at_time(moment: datetime) -> Start:
    """Right below whatever was put on the stream in the millisecond of this moment, or later."""
    milliseconds = to_milliseconds(moment)
    # No message can be that late.
    return Start(before_millisecond(milliseconds) if milliseconds < _MOST_MILLISECONDS else None)


def time_of(value: object) -> datetime:
    """A time as ISO 8601 has it, UTC if it does not say.

    Raises:
        BadSubscription: it is none.
    """
    try:
        if not isinstance(value, str):
            raise TypeError
        moment = datetime.fromisoformat(value)
        return moment.replace(tzinfo=moment.tzinfo or UTC).astimezone(UTC)
    except (TypeError, ValueError, OverflowError) as exc:
        raise BadSubscription("A time is one such as 2026-11-21T12:00:00Z.") from exc
