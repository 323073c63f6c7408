"""Messages that come as CloudEvents 1.0, in headers or in JSON: as rows of the API."""

import json
import re
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import unquote

_OWN: Final = frozenset(
    {
        *("id", "source", "specversion", "type", "subject", "time", "datacontenttype", "dataschema"),
        *("sequence", "partitionkey", "recordedtime", "relayattributes", "data", "data_base64"),
    }
)
_IS_JSON: Final = re.compile(r"[^/;]+/(?:[^/;]+\+)?json *(?:;|\Z)", re.IGNORECASE)


def in_headers(headers: Mapping[str, str], payload: Mapping[str, str]) -> dict[str, Any]:
    """One whose attributes are headers. `payload`: `message` and `encoding` of its row."""
    said = {
        name.removeprefix("ce-"): unquote(value) for name, value in headers.items() if name.startswith("ce-")
    }
    return _row({**said, "datacontenttype": headers.get("content-type")}, payload)


def in_json(event: Mapping[str, Any]) -> dict[str, Any]:
    """One that is a JSON object."""
    if "data_base64" in event:
        return _row(event, {"message": event["data_base64"], "encoding": "base64"})
    data, said = event["data"], event["datacontenttype"]
    is_text = isinstance(data, str) and _IS_JSON.match(said) is None
    text = data if is_text else json.dumps(data, ensure_ascii=False, separators=(",", ":"))
    return _row(event, {"message": text, "encoding": "utf-8"})


def _row(event: Mapping[str, Any], payload: Mapping[str, str]) -> dict[str, Any]:
    alone = {name: value for name, value in event.items() if name not in _OWN}
    return {
        "id": event["id"],
        "channel": event.get("subject") or unquote(event["source"].rpartition("/")[2]),
        **payload,
        "received_at": event["recordedtime"],
        "position": event["sequence"],
        "attributes": {**alone, **json.loads(event.get("relayattributes") or "{}")},
        "content_type": event["datacontenttype"],
    }
