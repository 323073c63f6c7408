"""The formats by name, and what one makes of a message."""

from enum import StrEnum
from typing import NamedTuple

Headers = tuple[tuple[bytes, bytes], ...]
"""Names in lower case, and values of visible ASCII characters and spaces."""


class Format(StrEnum):
    """As subscriptions and the API name them."""

    RAW = "raw"
    STANDARD = "standard"
    CLOUDEVENTS_BINARY = "cloudevents-binary"
    CLOUDEVENTS_STRUCTURED = "cloudevents-structured"
    CLOUDEVENTS_BATCH = "cloudevents-batch"
    NDJSON = "ndjson"

    @property
    def is_batch(self) -> bool:
        """Whether one request may bring several messages."""
        return self in {Format.CLOUDEVENTS_BATCH, Format.NDJSON}


class Encoded(NamedTuple):
    """One request, without what belongs to an endpoint or an attempt.

    id:      the `webhook-id`: of a message its own, of a batch that of `choosing.batch_id`; without a dot
    headers: `content-type`, and what the format says beside the body
    """

    id: str
    headers: Headers
    body: bytes
