"""What a rule says, as the function that it is: key by key, in one go, without any processor."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from relaycore.alerting import causes
from relaycore.alerting.items import Input, Kind, Step
from relaycore.alerting.naming import output_id
from relaycore.errors import Unusable

Name = Callable[[str, str, str, int, str], Any]
"""By what an output is known, of its key, cause, kind, place and message."""


def ids(rule: str, revision: int) -> Name:
    """By their `_id`. `rule`: the UUID as hex."""
    return lambda key, cause, kind, place, message: output_id(rule, revision, key, cause, kind, place)


def said(kind: Kind[Any], inputs: Iterable[Input], until: int, name: Name) -> dict[Any, str]:
    """The messages by their names, once time has come to this, in ms."""
    by_key: dict[str, list[tuple[str, Any]]] = {}
    for position, event in _events(kind, inputs):
        by_key.setdefault(event.key, []).append((position, event))
    found: dict[Any, str] = {}
    for key, events in by_key.items():
        state: Any = None

        def note(cause: str, step: Step, key: str = key) -> Any:
            places: Counter[str] = Counter()
            for output in step.outputs:
                found[name(key, cause, output.kind, places[output.kind], output.message)] = output.message
                places[output.kind] += 1
            return step.state

        def fire(upto: int, state: Any, note: Callable[..., Any] = note) -> Any:
            while state is not None and (due := kind.due(state)) is not None and due <= upto:
                state = note(causes.of_timer(due), kind.fire(state, due))
            return state

        for position, event in events:
            state = fire(int(position[:13]), state)
            state = note(position, kind.take(state, event, position))
        fire(until, state)
    return found


def _events(kind: Kind[Any], inputs: Iterable[Input]) -> Iterator[tuple[str, Any]]:
    """What a kind reads of these, each with its position."""
    for one in inputs:
        try:
            events = kind.read(one)
        except Unusable:
            continue
        for event in events:
            yield one.position, event
