"""The form for consumers of the older kind: each message as JSON on one Pub/Sub channel.

`{"channel": …, "message": …, "id": …}`, where `id` is the `_id` in hexadecimal digits. A
payload that is not UTF-8 is written as base64, and a fourth member says so:
`"encoding": "base64"`.
"""

import base64
import json

from relaycore.envelope import channel_of, key_of, payload_of


def as_json(document: bytes) -> bytes:
    """The JSON text of an envelope's document."""
    payload, is_text = payload_of(document)
    said = {"channel": channel_of(document).decode(), "message": "", "id": key_of(document).hex()}
    if is_text:
        said["message"] = payload.decode()
    else:
        said |= {"message": base64.b64encode(payload).decode("ascii"), "encoding": "base64"}
    return json.dumps(said, ensure_ascii=False).encode()
