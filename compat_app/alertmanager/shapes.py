"""Alerts, silences and the rest as Alertmanager's API writes and reads them."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from alerts_app.receiving.showing import Shown
from alerts_app.silencing.models import Silence as Row
from relaycore.alerting.labelled import labels, matchers
from relaycore.alerting.labelled.grouping import EVERYTHING, Grouping
from relaycore.alerting.labelled.posted import time_of
from relaycore.alerting.labelled.refused import BadAlert, BadSilence
from relaycore.alerting.labelled.silences import Silence
from relaycore.alerting.labelled.transitions import written
from relaycore.times import to_milliseconds

VERSION: Final = "0.34.0"
"""Of the API whose shapes these are."""

ACTIVE: Final = "active"
SUPPRESSED: Final = "suppressed"


def alert(shown: Shown) -> dict[str, Any]:
    """One that fires."""
    row = shown.row
    return {
        "labels": row.labels,
        "annotations": row.annotations,
        "generatorURL": row.url,
        "startsAt": written(row.starts),
        "endsAt": written(row.ends),
        "updatedAt": written(row.updated),
        "fingerprint": row.fingerprint,
        "receivers": [{"name": name} for name in sorted(shown.receivers)],
        "status": {
            "state": ACTIVE if shown.is_active else SUPPRESSED,
            "silencedBy": list(shown.silenced_by),
            "inhibitedBy": list(shown.inhibited_by),
            "mutedBy": [],
        },
    }


def groups(several: Sequence[Shown]) -> list[dict[str, Any]]:
    """The same by receiver and group."""
    found: dict[tuple[str, str], dict[str, Any]] = {}
    for shown in several:
        one = alert(shown)
        for name, group in shown.receivers.items():
            key = (labels.written(group), name)
            empty = {"labels": dict(group), "routeLabels": {}, "receiver": {"name": name}, "alerts": []}
            found.setdefault(key, empty)["alerts"].append(one)
    return [found[key] for key in sorted(found)]


def silence(row: Row, at: int) -> dict[str, Any]:
    """One of the table."""
    return {
        "id": str(row.id),
        "status": {"state": row.decided.state(at)},
        "updatedAt": _time(row.updated_at),
        "matchers": row.matchers,
        "startsAt": _time(row.starts_at),
        "endsAt": _time(row.ends_at),
        "createdBy": row.created_by,
        "comment": row.comment,
        "annotations": row.annotations,
    }


def posted_silence(given: object) -> tuple[Silence, str, str, dict[str, str]]:
    """What is asked for: the silence (an empty id: a new one), who makes it, why, annotations.

    Raises:
        BadSilence, BadMatcher: it cannot be meant.
    """
    if not isinstance(given, Mapping):
        raise BadSilence("A silence must be an object.")
    asked = matchers.several(given.get("matchers"))
    texts = [given.get(name) or "" for name in ("id", "createdBy", "comment")]
    if not all(isinstance(text, str) for text in texts):
        raise BadSilence("id, createdBy and comment of a silence must be texts.")
    id, created_by, comment = texts
    try:
        starts = time_of(given.get("startsAt"), "startsAt")
        ends = time_of(given.get("endsAt"), "endsAt")
        annotations = labels.read(given.get("annotations"), "annotations", keeps_empty=True)
    except BadAlert as exc:
        raise BadSilence(str(exc)) from exc
    if ends is None:
        raise BadSilence("A silence needs an end: endsAt.")
    return Silence(id, asked, starts or 0, ends), created_by, comment, annotations


def status(receivers: Mapping[str, Grouping], since: datetime) -> dict[str, Any]:
    """What it is, and what is set."""
    return {
        "cluster": {"status": "disabled", "name": "", "peers": []},
        "versionInfo": {
            "version": VERSION,
            "revision": "relay",
            "branch": "",
            "buildUser": "",
            "buildDate": "",
            "goVersion": "",
        },
        "config": {"original": configuration(receivers)},
        "uptime": _time(since),
    }


def configuration(receivers: Mapping[str, Grouping]) -> str:
    """Routes and receivers as Alertmanager's YAML. It shows what rules there are; it is none of ours."""
    first = next(iter(receivers))
    lines = ["route:", f"  receiver: {labels.quoted(first)}"]
    routes = [
        line
        for name, rule in receivers.items()
        for line in (
            f"  - receiver: {labels.quoted(name)}",
            "    continue: true",
            f"    matchers: [{', '.join(_yaml(str(matcher)) for matcher in rule.matchers)}]",
            f"    group_by: [{_names(rule.group_by)}]",
            f"    group_wait: {rule.wait}ms",
            f"    group_interval: {rule.interval}ms",
            f"    repeat_interval: {rule.repeat}ms",
        )
    ]
    lines += ["  routes:", *routes, "receivers:", *(f"- name: {labels.quoted(name)}" for name in receivers)]
    return "\n".join(lines) + "\n"


def _names(group_by: Sequence[str] | None) -> str:
    return ", ".join(map(labels.quoted, (EVERYTHING,) if group_by is None else group_by))


def _yaml(text: str) -> str:
    return "'" + text.replace("'", "''").replace("\n", " ") + "'"


def _time(moment: datetime) -> str:
    return written(to_milliseconds(moment))
