"""A message in the format that is asked for, and many in one request."""

from collections.abc import Mapping, Sequence
from typing import Any

from relaycore.outbound import hops
from relaycore.sending.batches.ids import id_of
from relaycore.sending.formats import cloudevents, raw, rows
from relaycore.sending.formats.format import Encoded, Format


def single(format: Format, document: Mapping[str, Any], base: str = "") -> Encoded:
    """One message as one request; `format` is none of the two for batches.

    document: as MongoDB has it, with `_id`, `channel`, `message`, `received_at` (UTC) and `position`
    base:     what the addresses of the API begin with, without a slash at its end; empty: they are relative
    """
    return _counted(_single(format, document, base), [document])


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


def batch(format: Format, documents: Sequence[Mapping[str, Any]], items: Sequence[bytes]) -> Encoded:
    """Messages as one request: as MongoDB has them, and what `item` made of each, in the order of sending."""
    if len(documents) != len(items) or not items:
        raise ValueError(f"{len(documents)} documents, {len(items)} messages")
    id = batch_id([str(one["_id"]) for one in documents])
    match format:
        case Format.CLOUDEVENTS_BATCH:
            return _counted(cloudevents.batch(id, items), documents)
        case Format.NDJSON:
            return _counted(rows.lines(id, items), documents)
        case _:
            raise ValueError(f"{format} is not for batches")


def _counted(encoded: Encoded, documents: Sequence[Mapping[str, Any]]) -> Encoded:
    """With the header that says how often webhooks have sent it."""
    return encoded._replace(headers=(*encoded.headers, hops.header(documents)))


def batch_id(ids: Sequence[str]) -> str:
    """The id of a batch: `batches.ids`, of its messages' ids as hex."""
    return id_of(map(bytes.fromhex, ids))
