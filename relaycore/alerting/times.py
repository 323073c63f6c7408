"""Up to which time a rule may know the log of a partition. Times are ms since 1970, by the clock of Redis.

Three say something of it, and none is believed alone. They are asked in this order, the last two perhaps at
one instant, and inputs are read after them:

mark
    What the writer has reserved in MongoDB (`relaycore.storing.keeping`). When Redis has lost its data, ids
    go on above it: from here on no loss brings anything below.
last_id
    The last id that the stream has given. As long as Redis has its data, no position is given at or below it,
    whatever the clock says: from here on nothing below comes at all.
below
    The watermark as a position: everything below it is stored, so it can be taken. While the stream is idle
    it is what the clock of Redis says, and that may fall back.
"""

from collections.abc import Iterable

from relaycore.position import before_millisecond, milliseconds_of


def reached(below: str, last_id: str, mark: str) -> int:
    """No input below this time can come any more: once those are taken, timers up to it may fire."""
    return min(milliseconds_of(below), milliseconds_of(last_id), milliseconds_of(mark))


def known_from(below: str, last_id: str, mark: str) -> str:
    """The position above which nobody can have said anything yet, asked once nobody else may.

    An earlier term has taken inputs that were stored and reached times: both stand at or below the mark,
    which is the only one of the three that is not lost with Redis.
    """
    highest = max(last_id, mark, key=milliseconds_of)
    return max(below, before_millisecond(milliseconds_of(highest) + 1))


def raised(now: int, last_id: str, mark: str) -> int:
    """To which time the last id of an idle stream is raised, to let time pass; 0: it is not raised."""
    target = min(now, milliseconds_of(mark))
    return target if target > milliseconds_of(last_id) else 0


def may_expire(times: Iterable[int]) -> str:
    """Retention deletes nothing above this position: in the input of rules, and in their output.

    times: `Frontier.time` of all shards of all rules that read the channel, or write it; at least one
    """
    return before_millisecond(min(times))
