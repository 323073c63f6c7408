"""What a rule reads of a message: fields of the object that it is. What is wrong is said without values."""

import json
import math
from collections.abc import Iterable
from typing import Any, Final

from relaycore.alerting.causes import LAST_MS
from relaycore.alerting.items import Input
from relaycore.alerting.kinds import texts
from relaycore.errors import Unusable

MOST_CHARS: Final = 1000
"""Of a text that is a key, or is told."""

LAST: Final = LAST_MS * 1000
"""No window ends above this, in microseconds: no timer could fire."""

_UNITS: Final = {"milliseconds": 1000, "seconds": 10**6, "minutes": 60 * 10**6, "hours": 3600 * 10**6}
UNITS: Final = tuple(_UNITS)

Value = str | int | float | bool


def body(input: Input) -> dict[str, Any]:
    """The JSON object that a message is.

    Raises:
        Unusable: it is none.
    """
    try:
        found = json.loads(input.message)
    except (ValueError, RecursionError):  # ValueError: bad UTF-8 as well, and integers of over 4,300 digits.
        raise Unusable("The message is not JSON.") from None
    if not isinstance(found, dict):
        raise Unusable("The message is not a JSON object.")
    return found


def value(members: dict[str, Any], field: str) -> Value:
    """A text that is not blank, a number or a truth value.

    Raises:
        Unusable: it is nothing of that, or has no room.
    """
    found = members.get(field)
    if isinstance(found, str):
        if not found or found.isspace():
            raise Unusable(f"{field} is blank.")
        if len(found) > MOST_CHARS:
            raise Unusable(f"{field} has more than {MOST_CHARS} characters.")
        if not found.isascii() and not _is_whole(found):
            raise Unusable(f"{field} has half a surrogate pair in it.")
        return found
    if isinstance(found, bool):
        return found
    if isinstance(found, int):
        if not -(1 << 63) <= found < 1 << 63:
            raise Unusable(f"{field} is a number of more than 64 bits.")
        return found
    if isinstance(found, float) and math.isfinite(found):
        return found
    if found is None:
        raise Unusable(f"{field} is missing.")
    raise Unusable(f"{field} is neither a text nor a number.")


def values(members: dict[str, Any], names: Iterable[str]) -> dict[str, Value]:
    """Several of these.

    Raises:
        Unusable: one is not there.
    """
    return {name: value(members, name) for name in names}


def key(input: Input, members: dict[str, Any], names: Iterable[str]) -> dict[str, Value]:
    """The values of the key's fields, and that it is a drill, if the message says so of itself.

    It does by a member `drill` that is true, or by an attribute `drill` that is `true`. So a drill is never
    part of what is in earnest, and what is told of it says so.

    Raises:
        Unusable: one is not there.
    """
    found = values(members, names)
    if (members.get("drill") is True or input.attributes.get("drill") == "true") and "drill" not in found:
        found["drill"] = True
    return found


def key_of(key: dict[str, Value]) -> str:
    """The key: canonical JSON of these values, in their order."""
    return texts.canonical(key.values())


def moment(members: dict[str, Any], field: str) -> int:
    """A time, in microseconds since 1970.

    Raises:
        Unusable: it is none.
    """
    found = members.get(field)
    if not isinstance(found, str):
        raise Unusable(f"{field} is missing." if found is None else f"{field} is not a text.")
    try:
        return texts.read_time(found)
    except (ValueError, OverflowError):
        raise Unusable(f"{field} is not a time in ISO 8601, such as 2024-11-21T12:00:00Z.") from None


def length(members: dict[str, Any], field: str, unit: str) -> int:
    """A length of time above 0, in microseconds; at least one.

    Raises:
        Unusable: it is none, or too long.
    """
    found = members.get(field)
    if found is None:
        raise Unusable(f"{field} is missing.")
    if isinstance(found, bool) or not isinstance(found, int | float):
        raise Unusable(f"{field} is not a number of {unit}.")
    if not found > 0:  # Nor is what is no number at all.
        raise Unusable(f"{field} is not above 0.")
    if found > 2 * LAST / _UNITS[unit]:
        raise Unusable(f"{field} is too large.")
    return max(1, round(found * _UNITS[unit]))


def is_text(text: str) -> bool:
    """Whether it can be told: not blank, not too long, and made of whole characters."""
    return bool(text) and not text.isspace() and len(text) <= MOST_CHARS and _is_whole(text)


def _is_whole(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
