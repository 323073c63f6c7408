"""What senders say of an alert: read as Alertmanager reads it, and what becomes of what was known.

Times are milliseconds since 1970. Senders repeat what fires; only what changes is worth a message
(`transitions`): an alert that begins to fire, or no longer does. A later end, an earlier start and other
annotations are only kept.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Final

from relaycore.alerting.labelled import labels as labelling
from relaycore.alerting.labelled.refused import BadAlert
from relaycore.times import to_milliseconds

MOST_URL_CHARS: Final = 8_192
MOST_BYTES: Final = 512 << 10
"""An alert as a message is never larger: one character of its texts takes twelve bytes at most."""
_LAST_YEAR: Final = 9_000
_FORM: Final = re.compile(
    r"([0-9]{4}-[0-9]{2}-[0-9]{2})[Tt ]([0-9]{2}:[0-9]{2}:[0-9]{2})(?:\.([0-9]{1,30}))?"
    r"([Zz]|[+-][0-9]{2}:[0-9]{2})?"
)


@dataclass(frozen=True, slots=True)
class Alert:
    """One set of labels.

    starts, ends:  from when until when it fires, as far as is known
    is_timed_out:  nobody has said the end: it is when nothing more is heard of it
    """

    fingerprint: str
    labels: Mapping[str, str]
    annotations: Mapping[str, str]
    url: str
    starts: int
    ends: int
    is_timed_out: bool

    def is_resolved(self, at: int) -> bool:
        """Whether it does not fire now."""
        return self.ends <= at


def read(given: object, at: int, timeout: int) -> Alert:
    """One of the array of a request.

    at:      now
    timeout: so long it fires if nobody says until when

    Raises:
        BadAlert: it cannot be one; the text says why.
    """
    if not isinstance(given, Mapping):
        raise BadAlert("An alert must be an object with labels.")
    labels = labelling.read(given.get("labels"))
    if not labels:
        raise BadAlert("An alert needs a label at least that is not empty.")
    annotations = labelling.read(given.get("annotations"), "annotations", keeps_empty=True)
    url = given.get("generatorURL") or ""
    if not isinstance(url, str) or len(url) > MOST_URL_CHARS or "\x00" in url:
        raise BadAlert(f"generatorURL must be a text of up to {MOST_URL_CHARS} characters.")
    url = labelling.whole(url)
    starts = time_of(given.get("startsAt"), "startsAt")
    ends = time_of(given.get("endsAt"), "endsAt", is_open=True)
    if starts is None:
        starts = at if ends is None else ends
    is_timed_out = ends is None
    if ends is None:
        ends = at + timeout
    if ends < starts:
        raise BadAlert("The end of an alert must not be before its start.")
    return Alert(labelling.fingerprint(labels), labels, annotations, url, starts, ends, is_timed_out)


def time_of(given: object, name: str, *, is_open: bool = False) -> int | None:
    """A time as RFC 3339 has it, without a zone UTC; None: it is not given. Go's zero time means the same.

    is_open: what lies beyond all years stands for never, and is the last of them

    Raises:
        BadAlert: it is none.
    """
    if given is None or given == "":
        return None
    found = _FORM.fullmatch(given) if isinstance(given, str) else None
    try:
        if found is None:
            raise ValueError
        date, time, fraction, zone = found.groups()
        offset = (zone or "Z").upper().replace("Z", "+00:00")
        text = f"{date}T{time}.{(fraction or '').ljust(6, '0')[:6]}{offset}"
        moment = datetime.fromisoformat(text).astimezone(UTC)
    except (ValueError, OverflowError) as exc:
        if found is not None and found[1] == "0001-01-01":
            return None
        raise BadAlert(f'{name} must be a time as "2026-01-31T12:00:00Z".') from exc
    if moment.year == 1:
        return None
    if is_open and moment.year > _LAST_YEAR:
        moment = datetime(_LAST_YEAR, 12, 31, tzinfo=UTC)
    if not 1970 <= moment.year <= _LAST_YEAR:
        raise BadAlert(f"{name} must be a time between 1970 and {_LAST_YEAR}.")
    return to_milliseconds(moment)


def merged(known: Alert, said: Alert, at: int) -> Alert:
    """What is known of an alert after more was said of it. What does not overlap is another one."""
    if not (known.starts < said.ends < known.ends or known.starts < said.starts < known.ends):
        return said
    ends, is_timed_out = said.ends, said.is_timed_out
    is_later = known.ends > said.ends
    if said.is_resolved(at):
        if known.is_resolved(at) and is_later:
            ends = known.ends
    elif is_later and not known.is_timed_out:
        # An end that was said stands over one that was not.
        ends, is_timed_out = known.ends, False
    return replace(said, starts=min(known.starts, said.starts), ends=ends, is_timed_out=is_timed_out)


def kept(alert: Alert) -> dict[str, Any]:
    """What a table has of it beside the fingerprint."""
    return {
        "labels": dict(alert.labels),
        "annotations": dict(alert.annotations),
        "url": alert.url,
        "starts": alert.starts,
        "ends": alert.ends,
        "is_timed_out": alert.is_timed_out,
    }
