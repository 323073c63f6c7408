"""What a posted body says, read by hand: this is asked once per alert.

What is taken here the rule that comes along can read. A rule that an operator has made instead may ask for
less, so members that are not known are left alone.
"""

import json
from hashlib import blake2b
from typing import Any, Final

from relaycore.alerting.kinds import texts
from relaycore.alerting.kinds.fields import LAST, MOST_CHARS
from relaycore.publishing.strict import NameTwice, decoder

MOST_BYTES: Final = 64 << 10
"""Of a body: hundreds of times what an alert has."""

MOST_INNER: Final = 500
"""Lists and objects: what is nested deeper might be read here, and not by a rule."""

MOST_ID_CHARACTERS: Final = 255

INVALID: Final = "Invalid event data"
"""What a refusal begins with."""

_BODY: Final = "body"
_MINUTE: Final = 60_000_000

_TIME: Final = "must be a time as ISO 8601 has it, such as 2026-11-21T12:00:00Z."

_ID: Final = f"must be a text of 1 to {MOST_ID_CHARACTERS} characters, not blank, or a whole number."


class BadAlert(ValueError):
    """A body that is no alert: which field is to blame, and what it must be."""

    def __init__(self, field: str, why: str) -> None:
        super().__init__(f"{INVALID}: {field} {why}")
        self.field = field
        self.why = why


def read(body: bytes) -> str | None:
    """By which id its source knows the alert that this body is; None: it does not say.

    Raises:
        BadAlert: it is no alert.
    """
    said = _decoded(body)
    _text(said, "location")
    _text(said, "type")
    begins = _time(said, "timestamp")
    _duration(said, "duration", begins)
    return _id(said)


def key_of(id: str | None, body: bytes, *, is_known: bool) -> str | None:
    """What makes a repetition the same, if anything: the id, and where nobody knows the source all of it."""
    return id if id is None or is_known else blake2b(body, digest_size=16).hexdigest()


def _decoded(body: bytes) -> dict[str, Any]:
    if body.count(b"[") + body.count(b"{") > MOST_INNER:
        raise BadAlert(_BODY, f"must have at most {MOST_INNER} lists and objects in it.")
    try:
        said = decoder.decode(body.decode())
        if b"\\u" in body:
            # "\ud800" alone is JSON, but no server can store it and no answer can repeat it.
            json.dumps(said, ensure_ascii=False).encode()
    except UnicodeDecodeError:
        raise BadAlert(_BODY, "must be UTF-8.") from None
    except UnicodeEncodeError:
        raise BadAlert(_BODY, "must be text, without half of a surrogate pair in it.") from None
    except NameTwice as exc:
        raise BadAlert(_BODY, f"must say a name once: it has {exc}.") from None
    except ValueError as exc:
        raise BadAlert(_BODY, f"must be JSON: {exc}.") from None
    if not isinstance(said, dict):
        raise BadAlert(_BODY, "must be a JSON object.")
    return said


def _text(said: dict[str, Any], field: str) -> str:
    found = said.get(field)
    if not isinstance(found, str) or not found.strip():
        raise BadAlert(field, "must be a text that is not blank.")
    if len(found) > MOST_CHARS:
        raise BadAlert(field, f"must have at most {MOST_CHARS} characters.")
    return found


def _time(said: dict[str, Any], field: str) -> int:
    """In microseconds since 1970."""
    found = said.get(field)
    if not isinstance(found, str):
        raise BadAlert(field, _TIME)
    try:
        return texts.read_time(found)
    except (ValueError, OverflowError):
        raise BadAlert(field, _TIME) from None


def _duration(said: dict[str, Any], field: str, begins: int) -> None:
    found = said.get(field)
    # For Python, true is a number.
    if isinstance(found, bool) or not isinstance(found, int | float) or not found > 0:
        raise BadAlert(field, "must be a number of minutes greater than 0.")
    # The first of them, since an infinity cannot be rounded.
    if found > 2 * LAST / _MINUTE or begins + max(1, round(found * _MINUTE)) > LAST:
        raise BadAlert(field, "must end before November 2286.")


def _id(said: dict[str, Any]) -> str | None:
    for field in ("id", "uuid"):
        if (found := said.get(field)) is None:
            continue
        if type(found) is int:
            found = str(found)
        if not isinstance(found, str) or not found.strip() or len(found) > MOST_ID_CHARACTERS:
            raise BadAlert(field, _ID)
        return found
    return None
