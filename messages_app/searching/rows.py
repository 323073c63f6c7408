"""A stored message for the API and for exports. What its row looks like is `relaycore.storing.shown`."""

import json
from collections.abc import Iterable, Mapping
from typing import Any, Final

from rest_framework import serializers

from messages_app.searching.history import Document
from relaycore.storing.shown import row, text, timestamp, written

__all__ = [
    "COLUMNS",
    "MessageSchema",
    "as_text",
    "bytes_of",
    "cells",
    "most_bytes",
    "row",
    "text",
    "timestamp",
    "written",
]

COLUMNS = (
    *("id", "channel", "message", "encoding", "received_at", "position"),
    *("attributes", "content_type", "produced_by"),
)


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
