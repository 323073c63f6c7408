"""A stored message as JSON has it, for the API and for exports."""

import base64
import functools
import json
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, Final

from rest_framework import serializers

from messages_app.searching.history import Document

COLUMNS = (
    *("id", "channel", "message", "encoding", "received_at", "position"),
    *("attributes", "content_type", "produced_by"),
)


_NOTHING_SAID = '"attributes":null,"content_type":null,"produced_by":null'

_quoted = json.encoder.encode_basestring
_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


class MessageSchema(serializers.Serializer):  # type: ignore[type-arg]
    """The same in the OpenAPI schema."""

    id = serializers.CharField()
    channel = serializers.CharField()
    message = serializers.CharField(allow_blank=True)
    encoding = serializers.ChoiceField(
        ["utf-8", "base64"], help_text="base64: the message is not UTF-8, and is written in base64."
    )
    received_at = serializers.DateTimeField()
    position = serializers.CharField(help_text="Grows with each message of a channel.")
    attributes = serializers.DictField(
        child=serializers.CharField(allow_blank=True),
        allow_null=True,
        help_text="What its publisher said of it, by name. null: nothing, as of all that was heard.",
    )
    content_type = serializers.CharField(
        allow_null=True, help_text="What its publisher said it is. null: nothing."
    )
    produced_by = serializers.CharField(
        allow_null=True, help_text="The name of the token with which it was published. null: it was heard."
    )


def row(document: Document) -> dict[str, Any]:
    """One message. Text stands as it is, everything else as base64, and `encoding` says which.

    What a publisher can say is None where it was not said, as in everything that was heard.
    """
    # Written out: a serializer would take as long as MongoDB for a page of 1,000.
    return {
        "id": str(document["_id"]),
        "channel": document["channel"],
        **written(document["message"]),
        "received_at": timestamp(document["received_at"]),
        "position": document["position"],
        "attributes": document.get("attributes"),
        "content_type": document.get("content_type"),
        "produced_by": document.get("produced_by"),
    }


def text(document: Mapping[str, Any]) -> str:
    """The same, as the JSON of `relaybase.http.hot.answers`, which takes half as long."""
    payload, get = document["message"], document.get
    attributes, content_type, produced_by = get("attributes"), get("content_type"), get("produced_by")
    said = (
        _NOTHING_SAID
        if attributes is None and content_type is None and produced_by is None
        else f'"attributes":{"null" if attributes is None else _encode(attributes)},'
        f'"content_type":{_quoted_or_null(content_type)},"produced_by":{_quoted_or_null(produced_by)}'
    )
    message = (
        f'{_quoted(payload)},"encoding":"utf-8"'
        if isinstance(payload, str)
        else f'"{base64.b64encode(payload).decode()}","encoding":"base64"'
    )
    return (
        f'{{"id":"{document["_id"]}","channel":{_quoted(document["channel"])},"message":{message},'
        f'"received_at":"{timestamp(document["received_at"])}","position":"{document["position"]}",'
        f"{said}}}"
    )


_AROUND_BYTES: Final = 400
"""What the JSON of a message has beside what is counted: names, id, time and position."""


def most_bytes(documents: Iterable[Mapping[str, Any]]) -> int:
    """How many bytes the JSON of messages has at most: at once, without a look at what is in them."""
    count = characters = 0
    for document in documents:
        count += 1
        characters += len(document["channel"]) + len(document["message"])
        if "attributes" in document or "content_type" in document or "produced_by" in document:
            characters += _said(document)
    # JSON writes some characters with six. Bytes become a third more.
    return _AROUND_BYTES * count + 6 * characters


def bytes_of(document: Mapping[str, Any]) -> int:
    """The same of one, with a look at its payload: that takes longer, and says a sixth for plain text."""
    payload = document["message"]
    size = _escaped(payload) if isinstance(payload, str) else 2 * len(payload)
    return _AROUND_BYTES + 6 * (len(document["channel"]) + _said(document)) + size


def _said(document: Mapping[str, Any]) -> int:
    """Characters of what a publisher has said of it."""
    characters = len(document.get("content_type") or "") + len(document.get("produced_by") or "")
    if attributes := document.get("attributes"):
        characters += sum(len(name) + len(value) + 2 for name, value in attributes.items())
    return characters


def _escaped(text: str) -> int:
    """How many bytes it has, with what stands for what JSON does not let stand as it is."""
    plain = text.encode()
    size = len(plain) + 5 * len(plain.translate(None, _NO_CONTROLS)) + plain.count(b'"') + plain.count(b"\\")
    return size if len(plain) == len(text) else size + 3 * (text.count("\u2028") + text.count("\u2029"))


_NO_CONTROLS: Final = bytes(range(0x20, 0x100))


def _quoted_or_null(text: str | None) -> str:
    return "null" if text is None else _quoted(text)


def written(payload: str | bytes) -> dict[str, str]:
    """A payload as JSON can have it: `message`, and its `encoding`."""
    if isinstance(payload, str):
        return {"message": payload, "encoding": "utf-8"}
    return {"message": base64.b64encode(payload).decode(), "encoding": "base64"}


def as_text(payload: bytes) -> str | bytes:
    """Text, where it is UTF-8: as it would have been stored."""
    try:
        return payload.decode()
    except UnicodeDecodeError:
        return payload


def cells(document: Document) -> dict[str, Any]:
    """The same as a table has it: attributes as JSON, and nothing where there is none."""
    found = row(document)
    attributes = found["attributes"]
    if attributes is not None:
        found["attributes"] = json.dumps(attributes, ensure_ascii=False)
    return found


def timestamp(time: datetime) -> str:
    """As RFC 3339 has it; the time is one of UTC."""
    global _last  # noqa: PLW0603 -- it costs a tenth of a look into a cache, and most messages come in crowds
    known, text = _last
    if time != known:
        # Without its zone, which would be asked, in Python, for what it differs by.
        text = _timestamp(time.replace(tzinfo=None))
        _last = time, text
    return text


_last: tuple[datetime | None, str] = None, ""
"""What was written last, of all threads: one pair, so that no text is of another time."""


@functools.lru_cache(maxsize=1024)
def _timestamp(time: datetime) -> str:
    """Once for the many messages of a page that came in the same millisecond."""
    return time.isoformat(timespec="microseconds") + "Z"
