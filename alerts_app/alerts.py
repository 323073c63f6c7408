"""Alerts: what rules have open, and what became of what they had.

What is open stands in the states of processors (`keeping`). What was told of an alert are messages on the
channel that its rule writes: each has the id of the alert beside it. So one that has ended is known for as
long as the channel keeps what was told of it.

The id alone makes no message one about an alert: somebody has said it who may speak for it
(`relaycore.alerting.speaking`), of the rule of that alert, and on one channel, on which everybody's rights
are compared.
"""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from types import MappingProxyType
from typing import Any, Final
from uuid import UUID

from alerts_app import keeping
from alerts_app.models import Acknowledgement, Assignment, Note, Rule
from messages_app.searching import history
from messages_app.searching.history import Document
from messages_app.searching.rows import row as as_row
from relaycore.alerting import speaking
from relaycore.alerting.acknowledging import is_by_people
from relaycore.alerting.causes import at_of
from relaycore.alerting.errors import AlertUnknown
from relaycore.alerting.items import ALERT, EVENT, RULE
from relaycore.times import from_milliseconds

MOST_TOLD: Final = 1000
"""So much of what was told of one alert is shown: the newest."""

OPEN: Final = "open"
CLOSED: Final = "closed"
MERGED: Final = "merged"
"""It has become part of another alert of the same key, and is told of no more."""

STATES: Final = [OPEN, CLOSED, MERGED]

_ID: Final = re.compile(r"[0-9a-f]{24}")


@dataclass(frozen=True, slots=True)
class Alert:
    """One alert.

    rule:    None: it was deleted, or has begun anew since
    channel: on which it was told
    open:    what its kind shows of it; None: it is not open
    told:    the messages about it, the oldest first
    """

    id: str
    rule: Rule | None
    channel: str
    open: Mapping[str, Any] | None
    told: Sequence[Document]

    @property
    def state(self) -> str:
        """One of `STATES`."""
        if self.open is not None:
            return OPEN
        told = [one["attributes"] for one in self.told if not is_by_people(one["attributes"])]
        return CLOSED if told and told[-1].get(EVENT) == "close" else MERGED


@dataclass(frozen=True, slots=True)
class Page:
    """Some of what is open, as rows; `next`: after which the page after it begins, None: this is the last.

    upto: by the id of each of them, the last cause that is in it: what was told by then is counted
    """

    rows: list[dict[str, Any]]
    next: str | None
    upto: Mapping[str, str]


def page(rules: Iterable[Rule], after: str | None = None, limit: int = 100) -> Page:
    """What these rules have open, in an order that stays. It may have some more than `limit`.

    Raises:
        ValueError: `after` is nothing that a page gave.
        PyMongoError: MongoDB does not answer.
    """
    by_uuid = {rule.uuid.hex: rule for rule in rules}
    found = keeping.open_alerts(by_uuid, after, limit)
    said = _Said([one["alert-id"] for one in found.alerts])
    rows = [_row(one["alert-id"], OPEN, by_uuid[one["rule"]], one, said) for one in found.alerts]
    return Page(rows, found.next, found.upto)


def find(id: str) -> Alert:
    """The alert with this id.

    Raises:
        AlertUnknown: there is none, or nothing of it is kept any more.
        PyMongoError: MongoDB does not answer.
    """
    if not _ID.fullmatch(id):
        raise unknown()
    shown = keeping.open_alert(id)
    first = next((one for one in _said(id, 1) if speaking.is_by_a_rule(*_by(one))), None)
    if shown is not None:
        uuid: str = shown["rule"]
    elif first is not None:
        uuid = first["attributes"][RULE]
    else:
        raise unknown()
    rule = Rule.objects.select_related("channel", "to").filter(uuid=UUID(hex=uuid)).first()
    if rule is not None:
        return Alert(id, rule, rule.to.channel, shown, _told(id, uuid, rule.to.channel))
    if first is None:
        raise unknown()
    return Alert(id, None, first["channel"], None, _told(id, uuid, first["channel"]))


def unknown() -> AlertUnknown:
    """The error for an alert that is neither open nor on record."""
    return AlertUnknown("There is no alert with this id, or nothing of it is kept any more.")


def shown(alert: Alert) -> dict[str, Any]:
    """An alert with all that is known of it, as JSON."""
    said = _Said([alert.id])
    notes = Note.objects.filter(alert=alert.id)
    return {
        **_row(alert.id, alert.state, alert.rule, alert.open or {}, said),
        "channel": alert.channel,
        "notes": [{"by": one.by, "at": one.at, "text": one.text} for one in notes],
        "history": [as_row(document) for document in alert.told],
    }


def _told(id: str, rule: str, channel: str) -> list[Document]:
    """What was told of it there, the oldest first. `rule`: its UUID as hex."""
    found = _said(id, -1, {f"attributes.{RULE}": rule, "channel": channel})
    return list(islice((one for one in found if speaking.of(rule, *_by(one))), MOST_TOLD))[::-1]


def _said(id: str, order: int, more: Mapping[str, Any] = MappingProxyType({})) -> Iterator[Document]:
    """What those have said of an alert who may, and perhaps others. `order`: of positions, 1 or -1."""
    wanted = {f"attributes.{ALERT}": id, "produced_by": {"$regex": speaking.PATTERN}}
    yield from history.collection().find({**wanted, **more}).sort("position", order)


def _by(document: Document) -> tuple[str | None, Mapping[str, str] | None]:
    """By whom it is said, and what beside it."""
    return document.get("produced_by"), document.get("attributes")


class _Said:
    """What people have said of some alerts."""

    def __init__(self, ids: Sequence[str]) -> None:
        acknowledged = Acknowledgement.objects.filter(alert__in=ids)
        self.acknowledged = {
            one.alert: {"by": one.by, "at": one.at, "note": one.note or None} for one in acknowledged
        }
        assigned = Assignment.objects.filter(alert__in=ids)
        self.assigned = {one.alert: {"to": one.to, "by": one.by, "at": one.at} for one in assigned}
        self.notes = Counter(Note.objects.filter(alert__in=ids).order_by().values_list("alert", flat=True))


def _row(id: str, state: str, rule: Rule | None, of: Mapping[str, Any], said: _Said) -> dict[str, Any]:
    rest = {name: value for name, value in of.items() if name not in _OWN}
    return {
        "id": id,
        "state": state,
        "rule": None if rule is None else rule.name,
        "kind": None if rule is None else rule.kind,
        "key": of.get("key"),
        "opened_at": from_milliseconds(at_of(of["opened"])) if "opened" in of else None,
        "starts_at": of.get("starts_at"),
        "ends_at": of.get("ends_at"),
        "alerts": of.get("alerts"),
        "more": rest or None,
        "acknowledged": said.acknowledged.get(id),
        "assigned": said.assigned.get(id),
        "notes": said.notes[id],
    }


_OWN: Final = frozenset({ALERT, "rule", "key", "opened", "starts_at", "ends_at", "alerts"})
