"""Publishing what was noted, by the door that everybody publishes through."""

import json
from typing import Any, Final

from events_app import channel
from events_app.models import Event
from events_app.teller import publish
from messages_app.publishing.taking import Producer
from relaycore.publishing import producers

_RELAY: Final = Producer(producers.RELAY, producers.RELAY)
_AT_ONCE: Final = 100


def tell() -> int:
    """Publish all that waits; how many that were. What is not stored waits, and is told at another time.

    Raises:
        RelayError, redis.RedisError, pymongo.errors.PyMongoError, django.db.Error: it is not told now.
    """
    told = 0
    while waiting := list(Event.objects.order_by("pk")[:_AT_ONCE]):
        stored = publish(channel.ensure(), _RELAY, list(map(_line, waiting)))
        Event.objects.filter(pk__in=[one.pk for one in waiting[:stored]]).delete()
        told += stored
    return told


def message(event: Event) -> dict[str, Any]:
    """What is told of it."""
    return {"type": event.type, "time": event.at.isoformat(), "subject": event.subject, "data": event.data}


def _line(event: Event) -> dict[str, Any]:
    """Its `id` is the key: who publishes it once more publishes nothing."""
    said = json.dumps(message(event), ensure_ascii=False)
    return {"message": said, "id": event.key, "content_type": "application/json"}
