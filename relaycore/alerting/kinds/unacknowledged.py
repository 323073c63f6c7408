"""`unacknowledged`: an alert of another rule that nobody has acknowledged for so long. For an escalation.

It reads the channel to which that rule writes, by the attributes of its messages (`Made.attributes`): there
an alert is opened and closed. Whoever acknowledges it, or takes that back, says so by a message in the same
channel (`alerting.acknowledging`). Other events do not matter, and what somebody says who may not speak for
an alert (`alerting.speaking`) cannot be used: else whoever may publish there could keep it from being told.

It opens when an alert has been open for so long and is not acknowledged, and closes when it is acknowledged
or closed, or has become part of another one: that one is waited for instead. What is acknowledged stays so
until it is closed, also if the alert is extended meanwhile.

==================  ====================================================================================
`seconds`           for how long an alert may be open without being acknowledged
`forget_seconds`    after so long, all in all, it is closed and not waited for any more. Without it an alert
                    of which no end is ever told stays open for ever: its rule was deleted, or has begun anew
==================  ====================================================================================

A message that is told is `{"alert": its id, "about": what opened it, "eventType", "startTime", "endTime"}`.
It starts with the alert, or when that was released. `about` is left out if it is long, or no JSON object.

The state is `{"key": {"alert": id}, "about": JSON text, "since": ms, "opened": cause, "is_acknowledged"}`,
and `hops` of what has opened it (`relaycore.outbound.hops`).
"""

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from relaycore.alerting import speaking
from relaycore.alerting.acknowledging import ACKNOWLEDGE, RELEASE
from relaycore.alerting.causes import at_of, of_timer
from relaycore.alerting.items import ALERT, EVENT, MERGED_ALERTS, Input, State, Step
from relaycore.alerting.kinds import coming, texts
from relaycore.alerting.kinds.settings import Reader
from relaycore.errors import Unusable
from relaycore.outbound import hops

_ID_CHARS: Final = 24
_OPEN: Final = "open"
_CLOSE: Final = "close"


class Said(NamedTuple):
    """Something was said of an alert. `about`: the message, as JSON text."""

    key: str
    alert: str
    event: str
    about: str
    hops: int = 0


class Unacknowledged:
    """The kind. `settings`: as above.

    Raises:
        BadRule: they cannot be meant.
    """

    is_by_key: Final = True

    def __init__(self, settings: object) -> None:
        read = Reader(settings, example='{"seconds": 600}')
        self._span = read.seconds("seconds")
        self._forgets = read.seconds_above("forget_seconds", "seconds", self._span)
        read.end()

    def read(self, input: Input) -> tuple[Said, ...]:
        """Of which alert it is said, and what; and of those that have become part of it, their end."""
        alert = input.attributes.get(ALERT, "")
        if not _is_id(alert):
            raise Unusable(f"It has no attribute {ALERT} that is one of an alert.")
        if not speaking.may(input.produced_by, input.attributes):
            raise Unusable("Neither a rule nor Relay has published it: nobody else may speak for an alert.")
        event = input.attributes.get(EVENT, "")
        said = Said(_key(alert), alert, event, coming.about(input), hops.of(input.attributes))
        return (said, *_merged(input.attributes, alert))

    def take(self, state: State | None, event: Said, cause: str) -> Step:
        """An alert is opened, acknowledged, released or closed."""
        if event.event == _OPEN and state is None:
            key = {"alert": event.alert}
            return Step(
                {
                    "key": key,
                    "about": event.about,
                    "since": at_of(cause),
                    "opened": "",
                    "is_acknowledged": False,
                    **hops.kept(event.hops),
                }
            )
        if state is None:
            return Step(None)
        closes = [coming.told_about("close", state, at_of(cause))] if state["opened"] else []
        if event.event == _CLOSE:
            return Step(None, closes)
        if event.event == ACKNOWLEDGE:
            return Step({**state, "opened": "", "is_acknowledged": True}, closes)
        if event.event == _OPEN:
            state = hops.least(state, event.hops)
        if event.event == RELEASE and state["is_acknowledged"]:
            return Step({**state, "since": at_of(cause), "is_acknowledged": False})
        return Step(state)

    def due(self, state: State) -> int | None:
        """When it has waited for long enough, or is forgotten."""
        if state["opened"] or state["is_acknowledged"]:
            return None if self._forgets is None else int(state["since"]) + self._forgets
        return int(state["since"]) + self._span

    def fire(self, state: State, due: int) -> Step:
        """Nobody has acknowledged it; or nobody has said for long that it has ended."""
        if state["is_acknowledged"]:
            return Step(None)
        if state["opened"]:
            return Step(None, [coming.told_about("close", state, due)])
        opened = {**state, "opened": of_timer(due)}
        return Step(opened, [coming.told_about("open", opened, None)])

    def shown(self, state: State) -> list[dict[str, Any]]:
        """The one that is open."""
        if not state["opened"]:
            return []
        return [coming.shown(state["key"], state["opened"], state["since"], 1)]


def _is_id(alert: str) -> bool:
    return len(alert) == _ID_CHARS and alert.isascii()


def _key(alert: str) -> str:
    return texts.canonical([alert])


def _merged(attributes: Mapping[str, str], into: str) -> tuple[Said, ...]:
    """What has ended by becoming part of this one. What is none of an alert is passed over."""
    if not (text := attributes.get(MERGED_ALERTS)):
        return ()
    ids = dict.fromkeys(one for one in text.split(",") if _is_id(one) and one != into)
    return tuple(Said(_key(one), one, _CLOSE, "") for one in ids)
