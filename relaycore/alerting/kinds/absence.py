"""`absence`: nothing of one key for so long. It opens then, and closes with the next message.

A key is known from its first message on.

==================  ====================================================================================
setting             meaning
==================  ====================================================================================
`key`               names of fields: messages with the same values are looked at together. `[]`: all
`seconds`           for how long nothing may come
`forget_seconds`    after so much silence, all in all, it is closed, and the key not known any more.
                    Without it a key that never comes again stays open for ever
...                 maintenance times (`quiet`): where it would open in one, the time is counted anew
==================  ====================================================================================

What is told stands in `coming`: it starts with the last message that had come.

The state is `{"key": {...}, "last": ms, "opened": cause}`, `anew`: ms, since when time is counted anew, and
`hops` of the last message (`relaycore.outbound.hops`).
"""

from typing import Any, Final

from relaycore.alerting.causes import at_of, of_timer
from relaycore.alerting.items import Input, Output, State, Step
from relaycore.alerting.kinds import coming, quiet
from relaycore.alerting.kinds.coming import Came
from relaycore.alerting.kinds.settings import Reader
from relaycore.outbound import hops


class Absence:
    """The kind. `settings`: as above.

    Raises:
        BadRule: they cannot be meant.
    """

    is_by_key: Final = True

    def __init__(self, settings: object) -> None:
        read = Reader(settings, example='{"key": ["host"], "seconds": 300}')
        self._key = read.names("key", 0, but=coming.TOLD)
        self._span = read.seconds("seconds")
        self._forgets = read.seconds_above("forget_seconds", "seconds", self._span)
        self._quiet = quiet.read(read)
        read.end()

    def read(self, input: Input) -> tuple[Came]:
        """The message by its key."""
        return (coming.read(input, self._key),)

    def take(self, state: State | None, event: Came, cause: str) -> Step:
        """It has come: what is open is closed."""
        left = {"key": event.names, "last": at_of(cause), "opened": "", **hops.kept(event.hops)}
        if state is None or not state["opened"]:
            return Step(left)
        return Step(left, [coming.told("close", state["key"], state["opened"], state["last"], at_of(cause))])

    def due(self, state: State) -> int | None:
        """When it opens, or is forgotten."""
        if not state["opened"]:
            return self._since(state) + self._span
        return None if self._forgets is None else self._since(state) + self._forgets

    def fire(self, state: State, due: int) -> Step:
        """It is opened; or closed, and forgotten."""
        if state["opened"]:
            return Step(None, [self._told("close", state, due)])
        if self._quiet is not None and self._quiet.at(due):
            return Step({**state, "anew": due})
        opened = {**state, "opened": of_timer(due)}
        return Step(opened, [self._told("open", opened, None)])

    def shown(self, state: State) -> list[dict[str, Any]]:
        """The one that is open."""
        if not state["opened"]:
            return []
        return [coming.shown(state["key"], state["opened"], state["last"], 0)]

    @staticmethod
    def _told(event: str, state: State, end: int | None) -> Output:
        """Of the last message, as nothing has come after it."""
        return coming.told(event, state["key"], state["opened"], state["last"], end, sent=hops.known(state))

    @staticmethod
    def _since(state: State) -> int:
        return max(int(state["last"]), int(state.get("anew", 0)))
