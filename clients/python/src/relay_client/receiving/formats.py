"""The messages of a request, in whatever format it is: `docs/webhooks.md` says what each looks like."""

import base64
import hashlib
import json
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final, NamedTuple
from urllib.parse import unquote

from relay_client.errors import BadWebhook
from relay_client.receiving import events
from relay_client.receiving.rows import MESSAGE
from relay_client.rows import Message

_ATTRIBUTE: Final = "relay-attribute-"
_NOTHING: Final[Mapping[str, Any]] = MappingProxyType({})


class _Found(NamedTuple):
    rows: Sequence[dict[str, Any]]
    is_batch: bool = False
    type: str = MESSAGE
    said: Mapping[str, Any] = _NOTHING


def read(
    id: str, headers: Mapping[str, str], body: bytes
) -> tuple[str, Sequence[Message], Mapping[str, Any]]:
    """What a request says: its type, its messages, and the JSON object if it brings none.

    Raises:
        BadWebhook: it is in no format of Relay's, or its messages are not those that its id is of.
    """
    try:
        found = _found(headers, body)
        messages = tuple(map(Message.of, found.rows))
        own_id = _id_of_batch(messages) if found.is_batch else messages[0].id if messages else id
    except (KeyError, TypeError, ValueError, AttributeError, RecursionError) as exc:
        # Without what it says: there may be text of a message in it.
        text = f"It is signed, but in none of the formats of Relay ({type(exc).__name__})."
        raise BadWebhook(text, reason="content") from None
    if own_id != id:
        raise BadWebhook("Its messages are not those that its id is of.", reason="content")
    return found.type, messages, found.said


def _found(headers: Mapping[str, str], body: bytes) -> _Found:
    if (row := _in_headers(headers, body)) is not None:
        return _Found([row])
    match headers.get("content-type", "").partition(";")[0].strip().lower():
        case "application/cloudevents+json":
            return _Found([events.in_json(json.loads(body))])
        case "application/cloudevents-batch+json":
            return _Found([events.in_json(event) for event in json.loads(body)], is_batch=True)
        case "application/x-ndjson":
            return _Found([json.loads(line) for line in body.splitlines()], is_batch=True)
    said = json.loads(body)
    if said["type"] == MESSAGE:
        return _Found([said["data"]])
    return _Found([], type=str(said["type"]), said=said)


def _in_headers(headers: Mapping[str, str], body: bytes) -> dict[str, Any] | None:
    """The row of the message whose payload the body is; None: it is not."""
    if "relay-message-id" in headers:
        return _raw(headers, body)
    return events.in_headers(headers, _payload(body)) if "ce-id" in headers else None


def _raw(headers: Mapping[str, str], body: bytes) -> dict[str, Any]:
    alone = {
        name.removeprefix(_ATTRIBUTE): unquote(value)
        for name, value in headers.items()
        if name.startswith(_ATTRIBUTE)
    }
    return {
        "id": headers["relay-message-id"],
        "channel": unquote(headers["relay-channel"]),
        **_payload(body),
        "received_at": headers["relay-received-at"],
        "position": headers["relay-position"],
        "attributes": {**alone, **json.loads(headers.get("relay-attributes") or "{}")},
        "content_type": headers.get("content-type"),
    }


def _payload(body: bytes) -> dict[str, str]:
    try:
        return {"message": body.decode(), "encoding": "utf-8"}
    except UnicodeDecodeError:
        return {"message": base64.b64encode(body).decode(), "encoding": "base64"}


def _id_of_batch(messages: Sequence[Message]) -> str:
    ids = b"".join(bytes.fromhex(message.id) for message in messages)
    return hashlib.blake2b(ids, digest_size=12).hexdigest()
