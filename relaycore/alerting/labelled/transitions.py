"""An alert begins to fire, or fires no longer: the message that says so, on the channel of the alerts."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from relaycore.alerting.labelled import labels as labelling
from relaycore.alerting.labelled.posted import Alert, time_of
from relaycore.alerting.labelled.refused import BadAlert
from relaycore.times import from_milliseconds

FIRING: Final = "firing"
RESOLVED: Final = "resolved"
NEVER: Final = "0001-01-01T00:00:00Z"
"""The end of what fires, as Alertmanager writes it."""


@dataclass(frozen=True, slots=True)
class Transition:
    """What such a message says. Times are milliseconds since 1970; `ends` is 0 while it fires."""

    is_firing: bool
    fingerprint: str
    labels: Mapping[str, str]
    annotations: Mapping[str, str]
    url: str
    starts: int
    ends: int


def message(alert: Alert, *, is_firing: bool) -> str:
    """The message, as JSON."""
    said: dict[str, Any] = {
        "status": FIRING if is_firing else RESOLVED,
        "labels": dict(alert.labels),
        "annotations": dict(alert.annotations),
        "startsAt": written(alert.starts),
        "endsAt": NEVER if is_firing else written(alert.ends),
        "generatorURL": alert.url,
        "fingerprint": alert.fingerprint,
    }
    return json.dumps(said, ensure_ascii=False, separators=(",", ":"))


def read(text: str | bytes, at: int) -> Transition:
    """What a message says that came at this moment. Whoever writes one may leave out all but the labels.

    Raises:
        BadAlert: it is no such message.
    """
    try:
        said = json.loads(text)
    except (ValueError, RecursionError) as exc:
        raise BadAlert("It is not JSON.") from exc
    if not isinstance(said, Mapping):
        raise BadAlert("It is no JSON object.")
    status = said.get("status", FIRING)
    if status not in (FIRING, RESOLVED):
        raise BadAlert(f"status must be {FIRING} or {RESOLVED}.")
    labels = labelling.read(said.get("labels"))
    if not labels:
        raise BadAlert("It has no labels.")
    annotations = labelling.read(said.get("annotations"), "annotations", keeps_empty=True)
    url = said.get("generatorURL") or ""
    if not isinstance(url, str):
        raise BadAlert("generatorURL must be a text.")
    starts = time_of(said.get("startsAt"), "startsAt")
    ends = time_of(said.get("endsAt"), "endsAt")
    is_firing = status == FIRING
    return Transition(
        is_firing,
        labelling.fingerprint(labels),
        labels,
        annotations,
        url,
        at if starts is None else starts,
        0 if is_firing else (at if ends is None else ends),
    )


def written(milliseconds: int) -> str:
    """A time as RFC 3339 has it, with milliseconds."""
    text = from_milliseconds(milliseconds).isoformat(timespec="milliseconds")
    return text.removesuffix("+00:00") + "Z"
