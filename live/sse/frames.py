"""Server-sent events, as the HTML standard has them: what is written, byte for byte.

A message has no `event`, except for bytes in the form `raw`, which are base64 (`event: base64`). Lines end
with LF. Text in the form `raw` is cut into lines, and comes together again with LF between them: a CR is
lost. In the form `json` nothing is.
"""

import base64
import json
import re
from datetime import datetime
from typing import Any, Final

from live.viewer import Shown
from messages_app.searching.rows import text as row_text
from messages_app.searching.rows import timestamp
from relaycore.live.owed import Told
from relaycore.live.ring import Entry

JSON: Final = "json"
RAW: Final = "raw"
FORMS: Final = (JSON, RAW)

CONTENT_TYPE: Final = "text/event-stream; charset=utf-8"

_LINE_ENDS: Final = re.compile("\r\n|\r|\n")


def messages(shown: Shown, form: str) -> bytes:
    """All of them, each with its id."""
    pieces: list[bytes] = []
    for entry, id in zip(shown.entries, shown.ids(), strict=True):
        pieces += (b"id: ", id.encode(), b"\n", _body(entry, form))
    return b"".join(pieces)


def told(found: Told, id: str | None) -> bytes:
    """Something beside messages. `id`: None, while there is more to be told."""
    line = f"id: {id}\n" if id is not None else ""
    return f"{line}event: {found.event}\ndata: {_json(found.data)}\n\n".encode()


def place(id: str) -> bytes:
    """A comment, and where the client stands: it is no event, but is what it goes on from."""
    return f":\nid: {id}\n\n".encode()


def again(milliseconds: int, why: str) -> bytes:
    """Come again after so long.

    No event of its own: some clients take what ends with an empty line for one, whatever is in it.
    """
    return f": {why}\nretry: {milliseconds}\n".encode()


def _body(entry: Entry, form: str) -> bytes:
    if (found := entry.forms.get(form)) is None:
        found = entry.forms[form] = _written(entry, form)
    return found


def _written(entry: Entry, form: str) -> bytes:
    if form == JSON:
        return f"data: {row_text(entry.document)}\n\n".encode()
    payload = entry.document["message"]
    if isinstance(payload, bytes):
        return b"event: base64\ndata: " + base64.b64encode(payload) + b"\n\n"
    lines = "".join(f"data: {line}\n" for line in _LINE_ENDS.split(payload))
    return f"{lines}\n".encode()


def as_json(found: Told) -> dict[str, Any]:
    """The same as JSON has it."""
    data = {name: timestamp(it) if isinstance(it, datetime) else it for name, it in found.data.items()}
    return {"event": found.event, **data}


def _json(data: Any) -> str:
    return json.dumps(data, ensure_ascii=False, separators=(",", ":"), default=timestamp)
