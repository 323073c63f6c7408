"""Putting a message back on the stream that was set aside, once its cause is mended.

What becomes of its row is decided in `relaycore.storing.retrying`: it stays until the writer has stored the
message. As what else is decided of quarantine (`messages_app.setting_aside`), it stands in the audit log
before it is done.
"""

import logging
import uuid
from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import redis
from django.conf import settings

from access_app import audit
from leases_app import partitioning
from messages_app import beside
from messages_app.models import Quarantined
from relaybase.connections import shared_redis
from relaybase.redis import appending
from relaycore import envelope
from relaycore.channels import partition_of
from relaycore.errors import NotRetried, one_line
from relaycore.storing import known
from relaycore.storing.retrying import Row, Standing, mark
from relaycore.times import to_milliseconds

log = logging.getLogger(__name__)

_AWAY = "Redis does not take it. Try again in a moment."
_GONE = "It is not in quarantine any more: it was stored, or somebody has discarded it."
_ON_ITS_WAY = "It is being sent again, and leaves quarantine once it is stored."
_LOST = "It was sent again and has not come: Redis seems to have lost it. Put it back once more."

_WORDS: Final[Mapping[Standing | None, str | None]] = {
    Standing.SET_ASIDE: None,
    Standing.ON_ITS_WAY: "on-its-way",
    Standing.LOST: "lost",
    None: "gone",
}
SENT_AGAIN: Final = ("on-its-way", "lost", "gone", "unknown")
"""Lost: by Redis, as it seems. Gone: stored or discarded meanwhile. Unknown: Redis does not answer."""


@dataclass(slots=True)
class PutBack:
    """What has become of messages that were to be sent again.

    sent:    how many are being sent
    refused: how many are not, by the reason
    """

    sent: int = 0
    refused: Counter[str] = field(default_factory=Counter)

    @property
    def said(self) -> str:
        """A sentence on those that are being sent."""
        if not self.sent:
            return "No message is being sent again."
        who, leave = ("message is", "it leaves") if self.sent == 1 else ("messages are", "they leave")
        return f"{self.sent} {who} being sent again: {leave} quarantine once stored."

    @property
    def refusals(self) -> list[str]:
        """A sentence for each reason."""
        return [f"Not retried ({count}): {why}" for why, count in self.refused.items()]


def put_back(found: Any) -> PutBack:
    """`retry` each, the oldest first. Where Redis takes nothing it ends, and the others stay as they are.

    found: a queryset of `Quarantined`

    Raises:
        django.db.Error: PostgreSQL or MongoDB does not answer.
    """
    done = PutBack()
    # One at a time: a payload may have a megabyte.
    for key in list(found.order_by("position").values_list("pk", flat=True)):
        entry = Quarantined.objects.filter(pk=key).first()
        if entry is None:
            continue  # It was stored or discarded meanwhile.
        try:
            retry(entry)
            done.sent += 1
        except NotRetried as exc:
            done.refused[str(exc)] += 1
        except redis.RedisError as exc:
            log.warning("a message in quarantine is not put back: %s", one_line(exc))
            done.refused[_AWAY] += 1
            break
    return done


def retry(entry: Quarantined) -> None:
    """Append the message to the stream again, under the key it had. The writer forgets that it was set aside.

    The key makes every way this can go wrong harmless: whether the reply is cut, two people
    ask for it, or this process dies between the two steps, the message is stored once. If it
    is refused again, it stays in quarantine with the new reason.

    Raises:
        NotRetried: it cannot be appended as it was, or is on its way; the reason says what to do.
        redis.RedisError: Redis did not take it; it stays in quarantine.
        django.db.Error: PostgreSQL or MongoDB does not answer.
    """
    channel, received_at, why_not = entry.channel, entry.received_at, obstacle(entry)
    if why_not or channel is None or received_at is None:
        raise NotRetried(why_not)
    layout = partitioning.layout()
    partition = partition_of(channel, layout.partitions)
    standing = _standings([entry], layout.partitions)[entry.pk]
    if standing is None:
        raise NotRetried(_GONE)
    if not standing.may_be_sent:
        raise NotRetried(_ON_ITS_WAY)
    audit.record("quarantine put back", [str(entry.pk)], channel=channel)
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
    if not _is_sent(entry):
        return ""
    standing = _standings([entry], partitioning.recorded())[entry.pk]
    if standing is None:
        return _GONE
    return {Standing.ON_ITS_WAY: _ON_ITS_WAY, Standing.LOST: _LOST}.get(standing, "")


def sent_again(entries: Collection[Quarantined]) -> dict[Any, str | None]:
    """As `progress`, in a word (`SENT_AGAIN`) for each, by its id; None: it was not, or was refused since."""
    words: dict[Any, str | None] = {entry.pk: None for entry in entries if not _is_sent(entry)}
    sent = [entry for entry in entries if _is_sent(entry)]
    if not sent:
        return words
    try:
        found = _standings(sent, partitioning.recorded())
    except redis.RedisError as exc:
        log.warning("nobody knows what has become of messages that were sent again: %s", one_line(exc))
        return words | {entry.pk: "unknown" for entry in sent}
    return words | {pk: _WORDS[standing] for pk, standing in found.items()}


def _is_sent(entry: Quarantined) -> bool:
    return bool(entry.channel) and _row(entry.position, entry.sent).is_sent


def _standings(entries: Iterable[Quarantined], partitions: int) -> dict[Any, Standing | None]:
    """Where each is now, by its id; None: it is in quarantine no more. Each has a channel.

    partitions: into how many everything is divided

    Raises:
        redis.RedisError: Redis does not say up to where everything is stored.
    """
    where = {entry.pk: partition_of(entry.channel or "", partitions) for entry in entries}
    # In this order: whoever is stored, or refused again, meanwhile would be taken for lost.
    below = {one: known.watermark(beside.look(shared_redis(), one)) for one in set(where.values())}
    rows = Quarantined.objects.filter(pk__in=where).values_list("pk", "position", "sent")
    found = {pk: _row(position, sent).standing(below[where[pk]]) for pk, position, sent in rows}
    return {pk: found.get(pk) for pk in where}


def _row(position: str, sent: str | None) -> Row:
    return Row(position, sent or "")
