"""The labels of an alert: which may be given, and by what their set is known."""

from collections.abc import Mapping
from typing import Final

from relaycore.alerting.labelled.refused import BadAlert

NAME: Final = "alertname"
MOST_BYTES: Final = 16 << 10
"""Of all names and values together. Matching takes time with their length."""

_BASIS: Final = 14695981039346656037
_PRIME: Final = 1099511628211
_SEPARATOR: Final = b"\xff"

Labels = Mapping[str, str]


def read(given: object, subject: str = "labels", *, keeps_empty: bool = False) -> dict[str, str]:
    """Labels, or annotations, as they were sent. A label that is empty is none.

    Raises:
        BadAlert: they are not names and texts.
    """
    if given is None:
        return {}
    if not isinstance(given, Mapping):
        raise BadAlert(f"{subject} must be an object of names and texts.")
    for name, value in given.items():
        if not isinstance(name, str) or not name or not isinstance(value, str):
            raise BadAlert(f"{subject} must be an object of names and texts.")
        if "\x00" in name or "\x00" in value:
            raise BadAlert(f"{subject} may not have the character NUL.")
    found = {whole(name): whole(value) for name, value in given.items()}
    if sum(len(name.encode()) + len(value.encode()) for name, value in found.items()) > MOST_BYTES:
        raise BadAlert(f"{subject} may have {MOST_BYTES} bytes together.")
    return {name: value for name, value in found.items() if value or keeps_empty}


def whole(text: str) -> str:
    """The same with U+FFFD for each half of a surrogate pair, as Go reads JSON.

    Whoever cuts a text off in UTF-16 leaves half a character, and means no harm.
    """
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return text


def fingerprint(labels: Labels) -> str:
    """What a set of labels is known by, as in Prometheus: FNV-1a of 64 bits, in 16 hex digits."""
    found = _BASIS
    for name in sorted(labels, key=str.encode):
        for byte in name.encode() + _SEPARATOR + labels[name].encode() + _SEPARATOR:
            found = (found ^ byte) * _PRIME & 0xFFFFFFFFFFFFFFFF
    return f"{found:016x}"


def in_order(labels: Labels) -> tuple[object, ...]:
    """By this Alertmanager sorts what it tells: job and instance, how many labels there are, the labels."""
    first = [(name not in labels, labels.get(name, "")) for name in ("job", "instance")]
    return *first, len(labels), sorted(labels.items())


def written(labels: Labels) -> str:
    """As Alertmanager writes a set: `{a="1", b="2"}`."""
    pairs = (f"{name}={quoted(labels[name])}" for name in sorted(labels))
    return "{" + ", ".join(pairs) + "}"


def quoted(text: str) -> str:
    """In double quotes."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'
