"""The payload, byte for byte. What else there is to say of a message stands in headers.

=========================  =====================================================================
`content-type`             what its publisher said; else `text/plain; charset=utf-8`, or
                           `application/octet-stream` where it is not UTF-8
`relay-message-id`         hex
`relay-channel`            percent-encoded
`relay-position`           as the API shows it
`relay-received-at`        the same
`relay-attribute-NAME`     an attribute whose name is `[a-z0-9-]{1,64}`, percent-encoded
`relay-attributes`         all other attributes: a JSON object in ASCII
=========================  =====================================================================
"""

import re
from collections.abc import Mapping
from typing import Any, Final

from relaycore.sending.formats.format import Encoded
from relaycore.sending.formats.headers import media_type, parted, quoted
from relaycore.storing.shown import timestamp

_ALONE: Final = re.compile(r"[a-z0-9-]{1,64}")


def encode(document: Mapping[str, Any]) -> Encoded:
    """One message."""
    payload, id = document["message"], str(document["_id"])
    headers = [
        (b"content-type", media_type(document).encode()),
        (b"relay-message-id", id.encode()),
        (b"relay-channel", quoted(document["channel"])),
        (b"relay-position", document["position"].encode()),
        (b"relay-received-at", timestamp(document["received_at"]).encode()),
    ]
    alone, together = parted(document.get("attributes"), _is_alone)
    headers += [(b"relay-attribute-" + name.encode(), quoted(value)) for name, value in alone]
    if together is not None:
        headers.append((b"relay-attributes", together.encode()))
    return Encoded(id, tuple(headers), payload.encode() if isinstance(payload, str) else bytes(payload))


def _is_alone(name: str, _: str) -> bool:
    return _ALONE.fullmatch(name) is not None
