"""What comes into the channel of a rule: alerts, or what is said of them, and now and then neither.

Where it matters who says it, forgers publish the same: they may write what they like, but not in whose name.
"""

import json
import random
from collections.abc import Callable, Mapping
from typing import Final, NamedTuple

from relaycore.alerting.acknowledging import ACKNOWLEDGE, BY_PEOPLE, RELEASE, attributes
from relaycore.alerting.kinds.failing import FAILS, RECOVERS
from relaycore.alerting.kinds.texts import show_time
from relaycore.publishing import producers


class Message(NamedTuple):
    body: str
    attributes: Mapping[str, str] = {}
    produced_by: str = ""
    is_forged: bool = False


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
    by = producers.PEOPLE if event in BY_PEOPLE else producers.rule("by-location")
    said = {**attributes(alert, event, "0" * 32), **merged}
    return _perhaps_forged(chance, Message('{"location": "a"}', said, by))


def event(chance: random.Random, now: int) -> Message:
    """What Relay tells of itself."""
    if chance.random() < 0.1:
        return Message(
            chance.choice(["no JSON", '{"type": "endpoint.failing"}', '{"subject": 1, "type": "a"}'])
        )
    type = chance.choice([*sorted(FAILS), *sorted(RECOVERS), "endpoint.confirmed"])
    said = json.dumps({"type": type, "subject": f"endpoints/{chance.choice('abc')}"})
    return _perhaps_forged(chance, Message(said, {}, producers.RELAY))


def _perhaps_forged(chance: random.Random, truly: Message) -> Message:
    """The same, or as somebody publishes it who is not believed: a client, under whatever name."""
    if chance.random() < 0.7:
        return truly
    name = chance.choice(["", "billing", truly.produced_by])
    return truly._replace(produced_by=producers.client("token", name), is_forged=True)


BY_KIND: Final[Mapping[str, Callable[[random.Random, int], Message]]] = {
    "unacknowledged": told,
    "failing": event,
}
"""`alert`, unless it is another one."""
