"""A message as an event of CloudEvents 1.0.2: with its HTTP protocol binding, and its JSON format.

====================  ===============================================================================
`id`                  the message's, hex
`source`              its channel's address in the API, below the base that Relay was given, if any
`type`                `relay.message`
`subject`             the channel's name
`time`                when it was received; the same as `recordedtime`
`datacontenttype`     what its publisher said; else text, or bytes
`sequence`            its position: text order is the order of the channel
`partitionkey`        the channel's name: messages of one channel have an order
NAME                  an attribute whose name can be that of an extension and is none of these
`relayattributes`     all other attributes: a JSON object in ASCII
====================  ===============================================================================

Text of CloudEvents has no control characters and no code points that Unicode keeps for no character. An
attribute with such a value goes with the others; a channel's name with such is left out, `source` says it.
"""

import json
import re
from base64 import b64encode
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any, Final
from urllib.parse import quote

from relaycore.sending.formats.format import Encoded, Headers
from relaycore.sending.formats.headers import BYTES, media_type, parted, quoted
from relaycore.sending.formats.rows import TYPE
from relaycore.storing.shown import timestamp

_STRUCTURED: Final[Headers] = ((b"content-type", b"application/cloudevents+json"),)
_BATCH: Final[Headers] = ((b"content-type", b"application/cloudevents-batch+json"),)

_EXTENSION: Final = re.compile(r"[a-z0-9]{1,20}")
_TAKEN: Final = frozenset(
    {
        *("id", "source", "specversion", "type", "subject", "time", "datacontenttype", "dataschema", "data"),
        *("sequence", "partitionkey", "recordedtime", "relayattributes"),
    }
)
_NONCHARACTERS: Final = "".join(chr(plane << 16 | end) for plane in range(17) for end in (0xFFFE, 0xFFFF))
_NO_TEXT: Final = re.compile(f"[\x00-\x1f\x7f-\x9f\ud800-\udfff\ufdd0-\ufdef{_NONCHARACTERS}]")
_IS_JSON: Final = re.compile(r"[^/;]+/(?:[^/;]+\+)?json *(?:;|\Z)", re.IGNORECASE)
_IS_EVENT: Final = re.compile(r"application/cloudevents", re.IGNORECASE)
_HALF_A_PAIR: Final = re.compile(r"\\u[dD][89a-fA-F]")

_string = json.encoder.encode_basestring


def binary(document: Mapping[str, Any], base: str) -> Encoded:
    """One message: the payload as body, and the rest in headers."""
    id, payload, said = str(document["_id"]), document["message"], media_type(document)
    # A receiver would take the payload for the event, and believe all that its publisher has written there.
    if _IS_EVENT.match(said) is not None:
        said = BYTES
    headers = [(b"content-type", said.encode())]
    headers += [(b"ce-" + name.encode(), quoted(value)) for name, value in _attributes(id, document, base)]
    return Encoded(id, tuple(headers), payload.encode() if isinstance(payload, str) else bytes(payload))


def structured(document: Mapping[str, Any], base: str) -> Encoded:
    """One message as JSON."""
    return Encoded(str(document["_id"]), _STRUCTURED, event(document, base))


def event(document: Mapping[str, Any], base: str) -> bytes:
    """One message as JSON, alone or in a batch."""
    said = media_type(document)
    attributes = (*_attributes(str(document["_id"]), document, base), ("datacontenttype", said))
    members = ",".join(f'"{name}":{_string(value)}' for name, value in attributes)
    return f"{{{members},{_data(document['message'], said)}}}".encode()


def batch(id: str, items: Sequence[bytes]) -> Encoded:
    """Many messages, each as `event` has it."""
    return Encoded(id, _BATCH, b"[" + b",".join(items) + b"]")


def _attributes(id: str, document: Mapping[str, Any], base: str) -> Iterable[tuple[str, str]]:
    at = timestamp(document["received_at"])
    yield "id", id
    yield from _of_channel(document["channel"], base)
    yield "time", at
    yield "recordedtime", at
    yield "sequence", document["position"]
    alone, together = parted(document.get("attributes"), _is_alone)
    yield from alone
    if together is not None:
        yield "relayattributes", together


@lru_cache(maxsize=1024)
def _of_channel(channel: str, base: str) -> tuple[tuple[str, str], ...]:
    """What is the same for all messages of a channel."""
    always = (
        ("specversion", "1.0"),
        ("type", TYPE),
        ("source", f"{base}/api/v1/channels/{quote(channel, safe='')}"),
    )
    return (*always, ("subject", channel), ("partitionkey", channel)) if _is_text(channel) else always


def _is_alone(name: str, value: str) -> bool:
    return _EXTENSION.fullmatch(name) is not None and name not in _TAKEN and _is_text(value)


def _is_text(value: str) -> bool:
    """Whether CloudEvents has it as a string, and every header too: one that is empty some take for none."""
    return bool(value) and _NO_TEXT.search(value) is None


def _data(payload: str | bytes, said: str) -> str:
    if isinstance(payload, str):
        if _IS_JSON.match(said) is None:
            return f'"data":{_string(payload)}'
        if _is_json(payload):
            return f'"data":{payload}'
        payload = payload.encode()
    return f'"data_base64":"{b64encode(payload).decode()}"'


def _is_json(text: str) -> bool:
    """Whether it is JSON that stays what it is as a part of other JSON."""
    try:
        found = json.loads(text, parse_constant=_refuse)
        if _HALF_A_PAIR.search(text) is not None:
            # Half of a surrogate pair is no text. A strict parser would refuse all that it stands in.
            json.dumps(found, ensure_ascii=False).encode()
    except (ValueError, RecursionError):
        return False
    return True


def _refuse(constant: str) -> Any:
    raise ValueError(constant)
