"""What is told of a group: the body of Alertmanager's webhook, version 4."""

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

from relaycore.alerting.labelled.labels import Labels, written
from relaycore.alerting.labelled.transitions import FIRING, NEVER, RESOLVED
from relaycore.alerting.labelled.transitions import written as time_written

VERSION: Final = "4"
MOST_BYTES: Final = 512 << 10
"""Of the alerts in one notice, as JSON. What comes after that is counted in `truncatedAlerts`."""

Kept = Mapping[str, Any]
"""An alert as the state of a group rule has it."""


def group_key(labels: Labels) -> str:
    """By this a receiver knows that two notices are about the same group."""
    return "{}:" + written(labels)


def message(
    told: Sequence[tuple[str, Kept]],
    group: Labels,
    *,
    receiver: str,
    external_url: str,
    reason: str,
    most: int,
    is_drill: bool,
) -> str:
    """The message, as JSON.

    told: fingerprint and alert, in the order in which they stand there
    most: so many of them; 0: as many as there is room for
    """
    alerts, left = _some([shown(*one) for one in told], most)
    data: dict[str, Any] = {
        "receiver": receiver,
        "status": status_of(told),
        "alerts": alerts,
        "groupLabels": dict(group),
        "commonLabels": _common([alert["labels"] for alert in alerts]),
        "commonAnnotations": _common([alert["annotations"] for alert in alerts]),
        "externalURL": external_url,
        "version": VERSION,
        "groupKey": group_key(group),
        "truncatedAlerts": left,
        "notification_reason": reason,
    }
    if is_drill:
        data["drill"] = True
    return json.dumps(data, ensure_ascii=False, separators=(",", ":"))


def status_of(told: Sequence[tuple[str, Kept]]) -> str:
    """`firing` if one of them fires."""
    return FIRING if any(alert["ends"] is None for _, alert in told) else RESOLVED


def shown(fingerprint: str, alert: Kept) -> dict[str, Any]:
    """One alert as it stands there."""
    ends = alert["ends"]
    return {
        "status": FIRING if ends is None else RESOLVED,
        "labels": dict(alert["labels"]),
        "annotations": dict(alert["annotations"]),
        "startsAt": time_written(alert["starts"]),
        "endsAt": NEVER if ends is None else time_written(ends),
        "generatorURL": alert["url"],
        "fingerprint": fingerprint,
    }


def _some(alerts: Sequence[dict[str, Any]], most: int) -> tuple[list[dict[str, Any]], int]:
    """As many as there is room for, one at least; how many are left out."""
    found: list[dict[str, Any]] = []
    size = 0
    for alert in alerts[: most or None]:
        size += len(json.dumps(alert, ensure_ascii=False).encode())
        if found and size > MOST_BYTES:
            break
        found.append(alert)
    return found, len(alerts) - len(found)


def _common(several: Sequence[Labels]) -> dict[str, str]:
    """What is the same in all of them."""
    if not several:
        return {}
    first, *others = several
    return {name: value for name, value in first.items() if all(other.get(name) == value for other in others)}
