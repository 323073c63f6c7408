"""The door for alerts in the OpenAPI schema, written by hand: no view of Django answers it."""

from typing import Any, Final

from alerts_app.taking.alert import MOST_BYTES, MOST_ID_CHARACTERS
from alerts_app.taking.application import DONE
from relaybase.http.details import CONTENT_TYPE
from relaycore.alerting.kinds.fields import MOST_CHARS

PATH: Final = "/api/alerts"

_PROBLEM: Final = {"$ref": "#/components/schemas/ProblemSchema"}
_TEXT: Final = {"type": "string", "minLength": 1, "maxLength": MOST_CHARS, "pattern": r"\S"}
_ID: Final = {
    "oneOf": [
        {"type": "string", "minLength": 1, "maxLength": MOST_ID_CHARACTERS, "pattern": r"\S"},
        {"type": "integer"},
        {"type": "null"},
    ],
    "description": "By which its source knows it: sent again it is stored once.",
}
_ALERT: Final = {
    "type": "object",
    "required": ["location", "type", "timestamp", "duration"],
    "properties": {
        "location": _TEXT,
        "type": _TEXT,
        "timestamp": {"type": "string", "format": "date-time", "description": "When it begins."},
        "duration": {"type": "number", "exclusiveMinimum": 0, "description": "In minutes."},
        "id": _ID,
        "uuid": {"description": "The same under another name. Not looked at beside an `id`."},
    },
    "description": f"Other members are kept, and not looked at. At most {MOST_BYTES // 1024} KiB.",
}
_ERRORS: Final = {
    "400": "It is no alert: which field is to blame, and what it must be.",
    "401": "No valid token.",
    "403": "The token may not publish on the channel, or a page of another origin asks.",
    "404": "RELAY_ALERTS is off.",
    "405": "Only POST.",
    "413": "The body is too large.",
    "429": "Too many messages at once.",
    "503": "It cannot be taken now. Try again.",
    "508": "A webhook has sent it too often, as in a circle.",
}


def describe(result: dict[str, Any], **_: Any) -> dict[str, Any]:
    """A hook of drf-spectacular: the schema with this address."""
    answers: dict[str, Any] = {
        status: {"description": text, "content": {CONTENT_TYPE: {"schema": _PROBLEM}}}
        for status, text in _ERRORS.items()
    }
    done = {"application/json": {"schema": {"type": "string", "const": DONE}}}
    answers["200"] = {"description": "It stands on the stream, and is stored once.", "content": done}
    operation = {
        "operationId": "post_alert",
        "summary": "Post an alert",
        "description": (
            "The rule that comes along tells of it on the channel `alerts.events`. Only with `RELAY_ALERTS`: "
            "`true` asks for a token with the scope `publish` on the channel `alerts`, `open` for none."
        ),
        "tags": ["alerts"],
        "security": [{"token": ["publish"]}, {}],
        "requestBody": {"required": True, "content": {"application/json": {"schema": _ALERT}}},
        "responses": dict(sorted(answers.items())),
    }
    result["paths"] = {PATH: {"post": operation}, **result["paths"]}
    return result
