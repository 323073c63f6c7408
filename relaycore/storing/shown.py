"""A stored message as JSON shows it: in the API, in what is watched live, and in what is pushed."""

import base64
import functools
import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

_NOTHING_SAID: Final = '"attributes":null,"content_type":null,"produced_by":null'

_quoted = json.encoder.encode_basestring
_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


def row(document: Mapping[str, Any]) -> dict[str, Any]:
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


def _quoted_or_null(text: str | None) -> str:
    return "null" if text is None else _quoted(text)


def written(payload: str | bytes) -> dict[str, str]:
    """A payload as JSON can have it: `message`, and its `encoding`."""
    if isinstance(payload, str):
        return {"message": payload, "encoding": "utf-8"}
    return {"message": base64.b64encode(payload).decode(), "encoding": "base64"}


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
