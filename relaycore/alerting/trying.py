"""Trying a rule on what is stored: what it would have said, beside what was told. Nothing is appended.

The rule begins with nothing. So what was open before the first input is not known to it: it is compared with
what was told from there on.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from enum import Enum
from itertools import islice
from typing import Any, Final

from relaycore.alerting.items import Frontier, Input, Kind, Made
from relaycore.alerting.naming import Names
from relaycore.alerting.processing import Processing
from relaycore.position import START

_AT_ONCE: Final = 500


class Trial:
    """What a rule says of inputs that are given one after another.

    rule:     the UUID as hex; that of the rule that is to be compared with, if there is one
    revision: under which it says so; one that the rule never had
    """

    def __init__(self, rule: str, revision: int, kind: Kind[Any]) -> None:
        self._processing = Processing(rule, 0, 1, Frontier(START, 0, revision), kind, {})
        self._kind = kind
        self.inputs = 0

    def run(self, inputs: Iterable[Input], upto: int) -> Iterator[Made]:
        """What is said of these, in order, and of timers up to this time, ms."""
        rest = iter(inputs)
        while some := list(islice(rest, _AT_ONCE)):
            self.inputs += len(some)
            self._processing.take(some)
            yield from self._said()
        self._processing.reach(upto)
        yield from self._said()

    def _said(self) -> Sequence[Made]:
        made = self._processing.outputs()
        self._processing.stored([one.id for one in made])
        if (keep := self._processing.keep()) is not None:
            self._processing.kept(keep)
        return made

    @property
    def unusable(self) -> tuple[int, str]:
        """How many inputs could not be used, and why not the last of them."""
        return self._processing.unusable, self._processing.last_unusable

    def open(self) -> list[dict[str, Any]]:
        """What is open at the end, for people."""
        states = self._processing.states.values()
        return [one for state in states for one in self._kind.shown(state)]


class Found(Enum):
    """What was told in the place of an output."""

    SAME = "same"
    CHANGED = "changed"
    ADDED = "added"
    """Nothing was."""


class Comparison:
    """Outputs that a rule would say, beside those that were told.

    told:      messages by `_id`: what the rule has told in that time
    revisions: all under which it may have done so
    """

    def __init__(self, rule: str, told: Mapping[bytes, str], revisions: Collection[int]) -> None:
        self._told = dict(told)
        self._names = [Names(rule, one) for one in revisions]

    def see(self, made: Made) -> tuple[Found, str | None]:
        """What was told of the same cause and key, in the same place; and that message, if it is another."""
        for names in self._names:
            id = names.output_id(made.key, made.cause, made.output.kind, made.place)
            message = self._told.pop(id, None)
            if message is not None:
                is_same = message == made.output.message
                return (Found.SAME, None) if is_same else (Found.CHANGED, message)
        return Found.ADDED, None

    @property
    def missing(self) -> Mapping[bytes, str]:
        """What was told, and was not seen here."""
        return self._told
