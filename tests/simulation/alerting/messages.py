"""What comes into the channel of a rule: alerts, or what is said of them, and now and then neither."""

import json
import random
from collections.abc import Callable, Mapping
from typing import Final, NamedTuple

from relaycore.alerting.acknowledging import ACKNOWLEDGE, RELEASE, attributes
from relaycore.alerting.kinds.failing import FAILS, RECOVERS
from relaycore.alerting.kinds.texts import show_time


class Message(NamedTuple):
    body: str
    attributes: Mapping[str, str] = {}


def alert(chance: random.Random, now: int) -> Message:
    if chance.random() < 0.1:
        return Message(chance.choice(["no JSON", "{}", '{"location": "a"}']))
    start = now + chance.randint(-15, 40)
    members = {"location": chance.choice("abc"), "type": chance.choice(["fire", "flood"])}
    timed = {**members, "timestamp": show_time(start * 1000), "duration": chance.randint(2, 30)}
    return Message(json.dumps(timed))


def told(chance: random.Random, now: int) -> Message:
    """What another rule tells of its alerts, and what people do with them."""
    if chance.random() < 0.1:
        return Message("{}", chance.choice([{}, {"alert-id": "x"}, {"event": "open"}]))
    alert, other = chance.sample([letter * 24 for letter in "abc"], 2)
    event = chance.choice(["open", "open", "open", "close", ACKNOWLEDGE, RELEASE])
    merged = {"merged-alerts": other} if event == "open" and chance.random() < 0.3 else {}
    return Message('{"location": "a"}', {**attributes(alert, event, "0" * 32), **merged})


def event(chance: random.Random, now: int) -> Message:
    """What Relay tells of itself."""
    if chance.random() < 0.1:
        return Message(
            chance.choice(["no JSON", '{"type": "endpoint.failing"}', '{"subject": 1, "type": "a"}'])
        )
    type = chance.choice([*sorted(FAILS), *sorted(RECOVERS), "endpoint.confirmed"])
    return Message(json.dumps({"type": type, "subject": f"endpoints/{chance.choice('abc')}"}))


BY_KIND: Final[Mapping[str, Callable[[random.Random, int], Message]]] = {
    "unacknowledged": told,
    "failing": event,
}
"""`alert`, unless it is another one."""
