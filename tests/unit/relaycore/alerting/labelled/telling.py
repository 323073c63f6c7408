"""A group rule that is driven by hand: what happens when, and what is told then."""

import json
from typing import Any, NamedTuple

from relaycore.alerting.items import Input, State
from relaycore.alerting.labelled.group import Group
from relaycore.alerting.labelled.transitions import written

START = 1_700_000_000_000
"""In milliseconds. Times below are seconds from then on."""


class Notice(NamedTuple):
    """What was told when, with the names of the alerts; those that ended in brackets."""

    at: float
    reason: str
    alerts: str


class Driver:
    """One rule."""

    def __init__(self, **settings: Any) -> None:
        self.kind = Group(settings)
        self.state: State | None = None
        self.notices: list[Notice] = []
        self.unusable: list[str] = []
        self.told: list[dict[str, Any]] = []
        self.attributes: list[dict[str, str]] = []
        self._inputs = 0

    def fire(self, at: float, name: str, *, since: float | None = None, **labels: str) -> None:
        """An alert begins to fire; `since`: it says that it did before."""
        self._take(at, "firing", at if since is None else since, name, labels)

    def resolve(self, at: float, name: str, **labels: str) -> None:
        """It fires no longer."""
        self._take(at, "resolved", at, name, labels)

    def reach(self, at: float) -> None:
        """Nothing happens until then, the moment itself included."""
        self._fire_up_to(_ms(at))

    def change(self, **settings: Any) -> None:
        """From now on it is set to this."""
        self.kind = Group(settings)

    def _take(self, at: float, status: str, since: float, name: str, labels: dict[str, str]) -> None:
        self._fire_up_to(_ms(at))
        self._inputs += 1
        message = {"status": status, "labels": {"alertname": name, **labels}, "startsAt": _text(since)}
        input = Input(f"{_ms(at):013d}-{self._inputs:010d}-00000", json.dumps(message))
        (event,) = self.kind.read(input)
        self._follow(self.kind.take(self.state, event, input.position), _ms(at))

    def _fire_up_to(self, ms: int) -> None:
        while self.state is not None and (due := self.kind.due(self.state)) is not None and due <= ms:
            self._follow(self.kind.fire(self.state, due), due)

    def _follow(self, step: Any, ms: int) -> None:
        # As a store has it: what cannot be JSON is found out here.
        self.state = None if step.state is None else json.loads(json.dumps(step.state))
        self.unusable += [step.unusable] if step.unusable else []
        for output in step.outputs:
            said = json.loads(output.message)
            self.told.append(said)
            self.attributes.append(dict(output.attributes))
            names = [
                name if one["status"] == "firing" else f"({name})"
                for one in said["alerts"]
                for name in [one["labels"]["alertname"]]
            ]
            at = (ms - START) / 1000
            self.notices.append(Notice(at, said["notification_reason"], " ".join(sorted(names))))


def _ms(at: float) -> int:
    return START + round(at * 1000)


def _text(at: float) -> str:
    return written(_ms(at))


AS_THERE: dict[str, Any] = {"group_by": ["job"], "resolve_wait_seconds": None}
"""Alertmanager's defaults: 30 s, 5 min, 4 h; what has ended is told at the next look."""

INHIBIT: list[dict[str, Any]] = [
    {"source_matchers": ["severity=critical"], "target_matchers": ["severity=warning"], "equal": ["host"]}
]


def silence(starts: float, ends: float, *matchers: str, id: str = "one") -> dict[str, Any]:
    """A silence as it stands among the settings."""
    asked = [{"name": name, "value": value} for name, value in (matcher.split("=") for matcher in matchers)]
    return {"id": id, "matchers": asked, "starts": _ms(starts), "ends": _ms(ends)}
