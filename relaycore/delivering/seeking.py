"""What a seek passes over: messages that nobody is given any more."""

from collections.abc import Iterable
from dataclasses import dataclass

from relaycore.delivering.holding import Held
from relaycore.delivering.skipping import Noted
from relaycore.position import previous_position


@dataclass(frozen=True, slots=True)
class OnTheirWay:
    """Deliveries that a seek deletes, and does not come by again: those at or below `reach`.

    count:           so many
    after, highest:  they stand above this position, up to that one; empty if there is none
    """

    count: int = 0
    after: str = ""
    highest: str = ""

    @classmethod
    def of(cls, count: int, lowest: str, highest: str) -> "OnTheirWay":
        """So many rows, of which these are the lowest and the highest position; empty if there is none."""
        return cls(count, previous_position(lowest), highest) if count else cls()

    def and_waiting(self, held: Iterable[Held], reach: str) -> "OnTheirWay":
        """These as well, as far as they wait at or below `reach`."""
        passed = [one for one in held if one.above < reach]
        if not passed:
            return self
        after, highest = min(one.above for one in passed), max(min(one.upto, reach) for one in passed)
        return OnTheirWay(
            self.count + sum(one.messages for one in passed),
            min(self.after, after) if self.count else after,
            max(self.highest, highest),
        )


@dataclass(frozen=True, slots=True)
class Passed:
    """Nobody is given these: above `after`, up to `upto`. At most so many; None: it is not known."""

    after: str
    upto: str
    messages: int | None


def reach(to: str, noted: Noted) -> str:
    """Up to where nothing comes by again that is on its way, when a cursor goes there.

    What retention may have deleted was noted while it had a row, or was done. It is noted once: the row that
    a seek deletes is the last that is known of it.
    """
    return max(to, noted.upto)


def passed(position: str, to: str, rows: OnTheirWay, between: int | None) -> Passed | None:
    """What is to be put on record when a cursor goes from here to there; None: nothing is passed over.

    between: so many messages stand above the cursor, up to where it goes; None: it is not known
    """
    is_forward = to > position
    if not is_forward:
        between = 0
    if not rows.count and between == 0:
        return None
    after = min(position, rows.after) if rows.count else position
    upto = max(to, rows.highest) if is_forward else rows.highest
    return Passed(after, upto, None if between is None else between + rows.count)
