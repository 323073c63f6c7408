"""Putting a message back on the stream that was set aside, once its cause is mended.

What becomes of its row is decided in `relaycore.storing.retrying`: it stays until the writer has stored the
message.
"""

import uuid

from django.conf import settings

from leases_app import partitioning
from messages_app import beside
from messages_app.models import Quarantined
from relaybase.connections import shared_redis
from relaybase.redis import appending
from relaycore import envelope
from relaycore.channels import partition_of
from relaycore.errors import NotRetried
from relaycore.storing import known
from relaycore.storing.retrying import Row, Standing, mark
from relaycore.times import to_milliseconds

_GONE = "It is not in quarantine any more: it was stored, or somebody has discarded it."
_ON_ITS_WAY = "It is being sent again, and leaves quarantine once it is stored."
_LOST = "It was sent again and has not come: Redis seems to have lost it. Put it back once more."


def retry(entry: Quarantined) -> None:
    """Append the message to the stream again, under the key it had. The writer forgets that it was set aside.

    The key makes every way this can go wrong harmless: whether the reply is cut, two people
    ask for it, or this process dies between the two steps, the message is stored once. If it
    is refused again, it stays in quarantine with the new reason.

    Raises:
        NotRetried: it cannot be appended as it was, or is on its way; the reason says what to do.
        redis.RedisError: Redis did not take it; it stays in quarantine.
    """
    channel, received_at, why_not = entry.channel, entry.received_at, obstacle(entry)
    if why_not or channel is None or received_at is None:
        raise NotRetried(why_not)
    layout = partitioning.layout()
    partition = partition_of(channel, layout.partitions)
    standing = _standing(entry, partition)
    if standing is None:
        raise NotRetried(_GONE)
    if not standing.may_be_sent:
        raise NotRetried(_ON_ITS_WAY)
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
    fields = (
        *(envelope.F_MESSAGES, 1, envelope.F_SOURCE, source),
        *(envelope.F_RETRIES, str(entry.pk), envelope.F_BSON, document),
    )
    sent = mark(appending.append(shared_redis(), partition, 1, fields, layout=str(layout)))
    # Not `save`: what the writer has deleted meanwhile would be back.
    Quarantined.objects.filter(pk=entry.pk).update(sent=sent)


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


def progress(entry: Quarantined) -> str:
    """What has become of it since it was sent again; empty if it was not, or was refused since.

    Raises:
        redis.RedisError: Redis does not say up to where everything is stored.
    """
    if not entry.channel or not _row(entry.position, entry.sent).is_sent:
        return ""
    partition = partition_of(entry.channel, partitioning.layout().partitions)
    standing = _standing(entry, partition)
    if standing is None:
        return _GONE
    return {Standing.ON_ITS_WAY: _ON_ITS_WAY, Standing.LOST: _LOST}.get(standing, "")


def _standing(entry: Quarantined, partition: int) -> Standing | None:
    """Where it is now; None: it is in quarantine no more."""
    # In this order: whoever is stored, or refused again, meanwhile would be taken for lost.
    below = known.watermark(beside.look(shared_redis(), partition))
    row = Quarantined.objects.filter(pk=entry.pk).values_list("position", "sent").first()
    return None if row is None else _row(*row).standing(below)


def _row(position: str, sent: str | None) -> Row:
    return Row(position, sent or "")
