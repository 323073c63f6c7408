"""The row of a message as the API shows it: in the body that Standard Webhooks advises, and one a line.

Standard Webhooks 1.0.0: `type`, dot-separated; `timestamp`, ISO 8601, of the event; `data`.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from relaycore.sending.formats.format import Encoded, Headers
from relaycore.storing.shown import text, timestamp

TYPE: Final = "relay.message"

_JSON: Final[Headers] = ((b"content-type", b"application/json"),)
_NDJSON: Final[Headers] = ((b"content-type", b"application/x-ndjson"),)


def standard(document: Mapping[str, Any]) -> Encoded:
    """One message."""
    at = timestamp(document["received_at"])
    body = f'{{"type":"{TYPE}","timestamp":"{at}","data":{text(document)}}}'
    return Encoded(str(document["_id"]), _JSON, body.encode())


def line(document: Mapping[str, Any]) -> bytes:
    """One message as a line, without its end."""
    return text(document).encode()


def lines(id: str, items: Sequence[bytes]) -> Encoded:
    """Many messages, each as `line` has it."""
    return Encoded(id, _NDJSON, b"\n".join(items) + b"\n")
