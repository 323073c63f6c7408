"""`threshold`: so many messages of one key within so much time.

It opens with the last of them. It closes when fewer than so many have come within that time; or, if that is
set, after so much silence. A message counts for the time from when it came, exclusive of its end: of two that
are `seconds` apart to the millisecond, the first does not count any more when the second comes.

=======================  ===============================================================================
setting                  meaning
=======================  ===============================================================================
`key`                    names of fields: messages with the same values are counted together. `[]`: all
`count`                  how many, from 1 to 1000
`seconds`                within how much time
`close_silence_seconds`  close only when nothing has come for so long; then counting begins anew
...                      maintenance times (`quiet`): a message that comes then does not count
=======================  ===============================================================================

What is told stands in `coming`: it starts with the first of those that have opened it, `count` is how many
came from there on.

The state is `{"key": {...}, "times": [...], "opened", "since", "count"}`: when the last messages came, as
many as count, in ms; and if it is open, by which cause, since when, and how many messages, and `hops`
(`relaycore.outbound.hops`).
"""

from typing import Any, Final

from relaycore.alerting.causes import at_of
from relaycore.alerting.items import Input, State, Step
from relaycore.alerting.kinds import coming, quiet
from relaycore.alerting.kinds.coming import Came
from relaycore.alerting.kinds.settings import Reader
from relaycore.outbound import hops

MOST_COUNT: Final = 1000
"""Each state has so many times in it."""


class Threshold:
    """The kind. `settings`: as above.

    Raises:
        BadRule: they cannot be meant.
    """

    is_by_key: Final = True

    def __init__(self, settings: object) -> None:
        read = Reader(settings, example='{"key": ["host"], "count": 5, "seconds": 60}')
        self._key = read.names("key", 0, but=coming.TOLD)
        self._count = read.count("count", 1, MOST_COUNT)
        self._span = read.seconds("seconds")
        self._silence = read.seconds_if_given("close_silence_seconds")
        self._quiet = quiet.read(read)
        read.end()

    def read(self, input: Input) -> tuple[Came]:
        """The message by its key."""
        return (coming.read(input, self._key),)

    def take(self, state: State | None, event: Came, cause: str) -> Step:
        """It counts, and may be the one with which there are enough."""
        at = at_of(cause)
        if self._quiet is not None and self._quiet.at(at):
            return Step(state)
        if state is None:
            state = {"key": event.names, "times": [], "opened": "", "since": 0, "count": 0}
        times = [*self._counting(state, at), at][-self._count :]
        if state["opened"]:
            more = {**hops.least(state, event.hops), "times": times, "count": state["count"] + 1}
            return Step(more)
        if len(times) < self._count:
            return Step({**state, "times": times})
        since = times[0]
        opened = {**state, "times": times, "opened": cause, "since": since, "count": len(times)}
        opened |= hops.kept(event.hops)
        return Step(opened, [coming.told("open", state["key"], cause, since, None, len(times))])

    def due(self, state: State) -> int | None:
        """When it closes, or nothing counts any more."""
        times = state["times"]
        if not state["opened"]:
            return int(times[-1]) + self._span
        if self._silence is not None:
            return int(times[-1]) + self._silence
        # The last of so many. Where there are fewer, since the settings are others, it is over.
        return int(times[-self._count]) + self._span if len(times) >= self._count else 0

    def fire(self, state: State, due: int) -> Step:
        """It is closed, if it is open. What still counts is kept."""
        times = self._counting(state, due)
        if not state["opened"]:
            return Step({**state, "times": times} if times else None)
        if self._silence is not None:
            times = []
        of = state["key"], state["opened"], state["since"], due, state["count"]
        told = coming.told("close", *of, sent=hops.known(state))
        left = {**hops.least(state, 0), "times": times, "opened": "", "since": 0, "count": 0}
        return Step(left if times else None, [told])

    def shown(self, state: State) -> list[dict[str, Any]]:
        """The one that is open."""
        if not state["opened"]:
            return []
        return [coming.shown(state["key"], state["opened"], state["since"], state["count"])]

    def _counting(self, state: State, at: int) -> list[int]:
        return [one for one in state["times"] if one + self._span > at]
