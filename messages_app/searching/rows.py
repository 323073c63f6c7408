"""A stored message as JSON has it, for the API and for exports."""

import base64
from datetime import datetime
from typing import Any

from messages_app.searching.history import Document

COLUMNS = ("id", "channel", "message", "encoding", "received_at", "position")


def row(document: Document) -> dict[str, Any]:
    """One message. Text stands as it is, everything else as base64, and `encoding` says which."""
    # Written out: a serializer would take as long as MongoDB for a page of 1,000.
    payload = document["message"]
    is_text = isinstance(payload, str)
    return {
        "id": str(document["_id"]),
        "channel": document["channel"],
        "message": payload if is_text else base64.b64encode(payload).decode(),
        "encoding": "utf-8" if is_text else "base64",
        "received_at": timestamp(document["received_at"]),
        "position": document["position"],
    }


def timestamp(time: datetime) -> str:
    """As RFC 3339 has it, in UTC."""
    return time.isoformat(timespec="microseconds").removesuffix("+00:00") + "Z"
