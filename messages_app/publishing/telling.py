"""What Relay itself has to tell, published by the door that everybody publishes through."""

import json
from collections.abc import Iterable, Mapping
from typing import Any, Final

from channels_app.models import Channel
from channels_app.remembering import KnownChannel
from channels_app.validators import usable_policy
from messages_app.publishing.door import door
from messages_app.publishing.taking import Body, Producer
from relaybase.http.hot import bridge

_LINES: Final = "application/x-ndjson"


def publish(channel: Channel, producer: Producer, lines: Iterable[Mapping[str, Any]]) -> None:
    """These, as lines of the door's NDJSON have them; they stand on the stream then. For a thread.

    `id` is the key of a line: who publishes it once more publishes nothing. The channel is known by its row:
    something is told so seldom that nobody has to remember it.

    Raises:
        RelayError, redis.RedisError: it is not published now.
    """
    policy = usable_policy(channel.channel, channel.deduplicate)
    flags = channel.listen, channel.republish, channel.public
    known = KnownChannel(channel.pk, channel.channel, channel.partition, policy, *flags)
    bridge.run(_publish(known, producer, "\n".join(map(json.dumps, lines)).encode()))


async def _publish(known: KnownChannel, producer: Producer, body: bytes) -> None:
    way_in = door()
    taken = await way_in.take(Body(_LINES, body, False, None), known, producer)
    await way_in.publish(known, taken)
    way_in.count(known, producer, taken)
