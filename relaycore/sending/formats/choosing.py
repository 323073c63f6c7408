"""A message in the format that is asked for, and many in one request."""

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

from relaycore.outbound import hops
from relaycore.sending.formats import cloudevents, raw, rows
from relaycore.sending.formats.format import Encoded, Format

_ID_BYTES = 12
"""As many as a message's id has: hex, it looks like one."""


def single(format: Format, document: Mapping[str, Any], base: str = "") -> Encoded:
    """One message as one request; `format` is none of the two for batches.

    document: as MongoDB has it, with `_id`, `channel`, `message`, `received_at` (UTC) and `position`
    base:     what the addresses of the API begin with, without a slash at its end; empty: they are relative
    """
    encoded = _single(format, document, base)
    return encoded._replace(headers=(*encoded.headers, hops.header(document)))


def _single(format: Format, document: Mapping[str, Any], base: str) -> Encoded:
    match format:
        case Format.RAW:
            return raw.encode(document)
        case Format.STANDARD:
            return rows.standard(document)
        case Format.CLOUDEVENTS_BINARY:
            return cloudevents.binary(document, base)
        case Format.CLOUDEVENTS_STRUCTURED:
            return cloudevents.structured(document, base)
        case Format.CLOUDEVENTS_BATCH | Format.NDJSON:
            raise ValueError(f"{format} is for batches")


def item(format: Format, document: Mapping[str, Any], base: str = "") -> bytes:
    """One message as it stands in a batch; `format` is one of the two for batches."""
    match format:
        case Format.CLOUDEVENTS_BATCH:
            return cloudevents.event(document, base)
        case Format.NDJSON:
            return rows.line(document)
        case _:
            raise ValueError(f"{format} is not for batches")


def batch(format: Format, ids: Sequence[str], items: Sequence[bytes]) -> Encoded:
    """Messages as one request: what `item` made of each, and their ids as hex, in the order of sending."""
    if len(ids) != len(items) or not ids:
        raise ValueError(f"{len(ids)} ids, {len(items)} messages")
    match format:
        case Format.CLOUDEVENTS_BATCH:
            return cloudevents.batch(batch_id(ids), items)
        case Format.NDJSON:
            return rows.lines(batch_id(ids), items)
        case _:
            raise ValueError(f"{format} is not for batches")


def batch_id(ids: Sequence[str]) -> str:
    """The id of a batch: the 12-byte BLAKE2b hash, as hex, of its messages' ids, each as 12 bytes."""
    return hashlib.blake2b(bytes.fromhex("".join(ids)), digest_size=_ID_BYTES).hexdigest()
