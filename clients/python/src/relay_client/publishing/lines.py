"""A message as what is sent: the line of NDJSON, under its key, for its channel. No I/O."""

import base64
import json
from collections.abc import Mapping
from typing import Any

from relay_client.calls import quoted
from relay_client.publishing.outgoing import Handle, Outgoing
from relay_client.publishing.resolving import Keys


def outgoing(
    channel: str,
    message: str | bytes,
    handle: Handle,
    keys: Keys,
    *,
    attributes: Mapping[str, str] | None,
    content_type: str | None,
    idempotency_key: str | None,
) -> Outgoing[Handle]:
    """What a producer takes. Without an `idempotency_key` the message gets the next one of `keys`.

    Raises:
        TypeError, ValueError: it is no message, as `line_of` says, or no address can have the channel in it.
    """
    quoted(channel)
    own_key = keys.next() if idempotency_key is None else idempotency_key
    return Outgoing(channel, own_key, line_of(message, own_key, attributes, content_type), handle)


def line_of(
    message: str | bytes,
    idempotency_key: str,
    attributes: Mapping[str, str] | None = None,
    content_type: str | None = None,
) -> bytes:
    """The line, without its end. Bytes that are UTF-8 go as text, others in base64; stored is the same.

    Raises:
        TypeError: something is neither text nor bytes.
        ValueError: the key is empty, or a text has halves of characters in it, which UTF-8 cannot say.
    """
    if not isinstance(idempotency_key, str):
        raise TypeError("An idempotency key is text.")
    if not idempotency_key:
        raise ValueError("An idempotency key is not empty. Without one the producer makes its own.")
    row: dict[str, Any] = {"id": idempotency_key, **_payload(message)}
    if attributes:
        row["attributes"] = dict(attributes)
        if not all(isinstance(part, str) for pair in row["attributes"].items() for part in pair):
            raise TypeError("Names and values of attributes are text.")
    if content_type is not None:
        row["content_type"] = content_type
    try:
        return json.dumps(row, ensure_ascii=False, separators=(",", ":")).encode()
    except UnicodeEncodeError:
        raise ValueError("A text has half of a character in it (a lone surrogate).") from None


def _payload(message: str | bytes) -> dict[str, str]:
    if isinstance(message, str):
        return {"message": message}
    if not isinstance(message, bytes):
        raise TypeError(
            f"A message is str or bytes, not {type(message).__name__}: json.dumps makes text of it."
        )
    try:
        return {"message": message.decode()}
    except UnicodeDecodeError:
        return {"message": base64.b64encode(message).decode(), "encoding": "base64"}
