"""Messages of which only matters that they come, and when: what `threshold` and `absence` read and tell.

A message that is told is `{key fields, "eventType", "startTime", "endTime", "count"}`, in this order.
`endTime` is null as long as it is open, and `count` is how many messages it is about; `absence` has none.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

from relaycore.alerting.items import Input, Output, State
from relaycore.alerting.kinds import fields, texts
from relaycore.errors import Unusable
from relaycore.outbound import hops

TOLD: Final = ("eventType", "startTime", "endTime", "count")

MOST_ABOUT_CHARS: Final = 4000


class Came(NamedTuple):
    """One message. `hops`: how often webhooks have sent it."""

    key: str
    names: dict[str, fields.Value]
    hops: int = 0


def read(input: Input, key: Sequence[str]) -> Came:
    """The message by the fields of its key.

    Raises:
        Unusable: it does not have them. Without a key it is not looked into, and need not even be JSON.
    """
    names = fields.key(input, fields.body(input) if key else {}, key)
    return Came(fields.key_of(names), names, hops.of(input.attributes))


def about(input: Input) -> str:
    """A message that is to stand in another one: its JSON text. Empty: it is long, or no JSON object."""
    try:
        text = texts.encode(fields.body(input))
        text.encode()  # Half a surrogate pair could not be kept.
    except (Unusable, ValueError, RecursionError):
        return ""
    return text if len(text) <= MOST_ABOUT_CHARS else ""


def told(
    event: str,
    names: Mapping[str, object],
    opened: str,
    start: int,
    end: int | None,
    count: int | None = None,
    sent: int = 0,
) -> Output:
    """What is said: `open` or `close`. Times in ms. `sent`: how often webhooks have sent what it is about."""
    members: dict[str, object] = {
        **names,
        "eventType": event,
        "startTime": texts.show_time(start * 1000),
        "endTime": None if end is None else texts.show_time(end * 1000),
    }
    if count is not None:
        members["count"] = count
    return Output(event, texts.encode(members), opened, attributes=hops.counted({}, sent))


def told_about(event: str, state: State, end: int | None) -> Output:
    """The same of a state that has `key`, `opened`, `since` and `about`, with what that says of a message."""
    about = {"about": json.loads(state["about"])} if state["about"] else {}
    members = {**state["key"], **about}
    return told(event, members, state["opened"], state["since"], end, sent=hops.known(state))


def shown(names: Mapping[str, fields.Value], opened: str, start: int, alerts: int) -> dict[str, Any]:
    """The same for people, while it is open."""
    return {
        "key": names,
        "opened": opened,
        "starts_at": texts.show_time(start * 1000),
        "ends_at": None,
        "alerts": alerts,
    }
