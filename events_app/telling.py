"""Publishing what was noted, by the door that everybody publishes through."""

import json
from collections.abc import Sequence
from typing import Any, Final

from channels_app.models import Channel
from channels_app.remembering import KnownChannel
from channels_app.validators import usable_policy
from events_app import channel
from events_app.models import Event
from messages_app.publishing.door import door
from messages_app.publishing.taking import Body, Producer
from relaybase.http.hot import bridge

_RELAY: Final = Producer("relay", "relay")
_AT_ONCE: Final = 100
_LINES: Final = "application/x-ndjson"


def tell() -> int:
    """Publish all that waits; how many that were. What fails stays, and is told at another time.

    Raises:
        RelayError, redis.RedisError, django.db.Error: it is not published now.
    """
    told = 0
    while waiting := list(Event.objects.order_by("pk")[:_AT_ONCE]):
        bridge.run(_publish(_known(channel.ensure()), waiting))
        Event.objects.filter(pk__in=[one.pk for one in waiting]).delete()
        told += len(waiting)
    return told


def message(event: Event) -> dict[str, Any]:
    """What is told of it."""
    return {"type": event.type, "time": event.at.isoformat(), "subject": event.subject, "data": event.data}


def _known(row: Channel) -> KnownChannel:
    """By its row: something is told so seldom that nobody has to remember it."""
    policy = usable_policy(row.channel, row.deduplicate)
    return KnownChannel(row.pk, row.channel, row.partition, policy, row.listen, row.republish, row.public)


async def _publish(known: KnownChannel, events: Sequence[Event]) -> None:
    way_in = door()
    lines = "\n".join(json.dumps(_line(event)) for event in events)
    taken = await way_in.take(Body(_LINES, lines.encode(), False, None), known, _RELAY)
    await way_in.publish(known, taken)
    way_in.count(known, _RELAY, taken)


def _line(event: Event) -> dict[str, Any]:
    """Its `id` is the key: who publishes it once more publishes nothing."""
    said = json.dumps(message(event), ensure_ascii=False)
    return {"message": said, "id": event.key, "content_type": "application/json"}
