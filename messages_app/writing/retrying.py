"""Putting a message back on the stream that was set aside, once its cause is mended."""

import uuid

from django.conf import settings

from leases_app import partitioning
from messages_app.models import Quarantined
from relaybase.connections import shared_redis
from relaybase.redis import appending
from relaycore import envelope
from relaycore.channels import partition_of
from relaycore.errors import NotRetried
from relaycore.times import to_milliseconds


def retry(entry: Quarantined) -> None:
    """Append the message to the stream again, under the key it had, and forget that it was set aside.

    The key makes every way this can go wrong harmless: whether the reply is cut, two people
    ask for it, or this process dies between the two steps, the message is stored once. If it
    is refused again, it comes back into quarantine with the new reason.

    Raises:
        NotRetried: it cannot be appended as it was; the reason says what to do.
        redis.RedisError: Redis did not take it; it stays in quarantine.
    """
    channel, received_at, why_not = entry.channel, entry.received_at, obstacle(entry)
    if why_not or channel is None or received_at is None:
        raise NotRetried(why_not)
    received = envelope.timestamp(to_milliseconds(received_at))
    key, payload = entry.message_id.binary, bytes(entry.payload)
    document = envelope.Encoder(channel.encode()).encode_published(
        key,
        payload,
        received,
        attributes=entry.attributes or {},
        content_type=entry.content_type or "",
        produced_by=entry.produced_by or "",
    )
    # Of its own: what stands on the stream twice must not come from one source.
    source = f"retry.{uuid.uuid4().hex[:12]}"
    fields = (envelope.F_MESSAGES, 1, envelope.F_SOURCE, source, envelope.F_BSON, document)
    layout = partitioning.layout()
    partition = partition_of(channel, layout.partitions)
    appending.append(shared_redis(), partition, 1, fields, layout=str(layout))
    entry.delete()


def obstacle(entry: Quarantined) -> str:
    """Why this cannot be retried; empty if it can."""
    most = settings.RELAY_MESSAGE_MAX_BYTES
    if not entry.channel or entry.message_id is None or entry.received_at is None:
        return "The entry could not be read, so nobody knows which message it was."
    if len(entry.payload) < entry.size:
        return f"Only {len(entry.payload)} of its {entry.size} bytes were kept. Publish it again, smaller."
    if entry.size > most:
        return f"It has {entry.size} bytes, more than RELAY_MESSAGE_MAX_BYTES ({most}). Raise that first."
    return ""
