"""Inputs and settings as tests give them, and what comes out in a form that is easily read."""

import json
from collections.abc import Iterable, Sequence
from typing import Any, Final

from relaycore.alerting.items import Frontier, Input, Kind, Made, State
from relaycore.alerting.kinds.texts import read_time, show_time
from relaycore.alerting.processing import Processing
from relaycore.position import START

RULE: Final = "0123456789abcdef0123456789abcdef"
T0: Final = 1_700_000_000_000
MINUTE: Final = 60_000

WINDOW: Final[dict[str, Any]] = {
    "key": ["location"],
    "start": {"field": "timestamp"},
    "duration": {"field": "duration", "unit": "minutes"},
    "merge": {"type": "Mixed Threats"},
    "close_on_extend": False,
}


def position(at: int, number: int = 0) -> str:
    """`at`: ms after `T0`."""
    return f"{T0 + at:013d}-{number:010d}-00000"


def message(at: int, number: int = 0, /, **members: Any) -> Input:
    return Input(position(at, number), json.dumps(members))


def alert(
    at: int, start: float, minutes: float, location: Any = "Berlin", type: Any = "fire", number: int = 0
) -> Input:
    """Received `at` ms after `T0`; begins `start` minutes after it."""
    timestamp = show_time(round((T0 + start * MINUTE) * 1000))
    members = {"location": location, "type": type, "timestamp": timestamp, "duration": minutes}
    return message(at, number, **members)


def of(kind: Kind[Any], shard: int = 0, shards: int = 1, begins: str = START) -> Processing:
    return Processing(RULE, shard, shards, Frontier(begins, 0, 1), kind, {})


def said(kind: Kind[Any], inputs: Sequence[Input], upto: int | None = None) -> list[Made]:
    """All that a rule says of these. `upto`: ms after `T0`."""
    one = of(kind)
    one.take(inputs)
    if upto is not None:
        one.reach(T0 + upto)
    return one.outputs()


def told(made: Iterable[Made]) -> list[tuple[str, float, float, str]]:
    """Of windows: what was said; begin and end in minutes after `T0`; and the type."""
    found = []
    for one in made:
        told = json.loads(one.output.message)
        assert told["sentTime"] == told["startTime"]
        assert told["duration"] == told["endTime"]
        assert told["eventType"] == one.output.kind
        found.append((told["eventType"], minutes(told["startTime"]), minutes(told["endTime"]), told["type"]))
    return found


def minutes(time: str) -> float:
    return (read_time(time) / 1000 - T0) / MINUTE


def fresh(state: State | None) -> Any:
    """As it comes back from where it was kept."""
    return json.loads(json.dumps(state))
