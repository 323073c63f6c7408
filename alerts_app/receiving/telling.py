"""What has changed becomes messages of the channel, each once, in the order in which it was written down."""

import asyncio
import json
import logging
from collections.abc import Callable, Sequence
from typing import Final

from django.db import connection, transaction

from access_app.actor import Actor, acting
from alerts_app.receiving.models import Transition
from alerts_app.receiving.posting import IDLE_MS
from channels_app import registration as channels
from channels_app.remembering import KnownChannel
from messages_app.publishing.door import channel, door
from messages_app.publishing.taking import Body, Producer
from relaycore.errors import ChannelExists, ChannelUnknown
from relaycore.policy import EVERY

log = logging.getLogger(__name__)

CHANNEL: Final = "relay/alertmanager"
"""What begins to fire, and what fires no longer."""

DOOR: Final = "relay/"
"""Only Relay itself makes channels whose names begin so."""

AT_ONCE: Final = 200
"""So many go onto the stream together."""

APPEND_SECONDS: Final = 5.0
"""So long whoever tells waits for Redis. Below `IDLE_MS`: else PostgreSQL would take the lock from him."""

_LOCK: Final = 7_330_221_904_118_273
"""PostgreSQL's advisory lock of whoever tells."""

_PRODUCER: Final = Producer("alertmanager", "alertmanager")
"""Whoever brings it: of two processes that append the same, one message is stored."""

Publish = Callable[[Sequence[Transition]], None]


def tell(publish: Publish) -> int:
    """Tell what waits, in one transaction; how many. More may wait then.

    publish: appends these; what it raises leaves them waiting

    Raises:
        django.db.Error: PostgreSQL does not answer.
    """
    if not Transition.objects.exists():
        return 0
    with transaction.atomic(), connection.cursor() as sql:
        sql.execute(f"SET LOCAL idle_in_transaction_session_timeout = {IDLE_MS}")
        sql.execute("SELECT pg_advisory_xact_lock(%s)", [_LOCK])
        waiting = list(Transition.objects.order_by("id")[:AT_ONCE])
        if waiting:
            publish(waiting)
            Transition.objects.filter(id__in=[one.id for one in waiting]).delete()
    return len(waiting)


def publisher(loop: asyncio.AbstractEventLoop) -> Publish:
    """Appends by the door of this event loop, for another thread, which waits for it."""

    def publish(waiting: Sequence[Transition]) -> None:
        appended = asyncio.run_coroutine_threadsafe(_append(waiting), loop)
        try:
            appended.result(APPEND_SECONDS)
        except TimeoutError:
            appended.cancel()
            raise

    return publish


async def _append(waiting: Sequence[Transition]) -> None:
    known = await _channel()
    messages = [
        {"message": one.message, "id": one.uuid.hex, "content_type": "application/json"} for one in waiting
    ]
    content = json.dumps({"messages": messages}).encode()
    taken = await door().take(Body("application/json", content, is_packed=False, key=None), known, _PRODUCER)
    await door().publish(known, taken)
    door().count(known, _PRODUCER, taken)


async def _channel() -> KnownChannel:
    """That of the alerts, which is made if there is none."""
    try:
        return await channel(CHANNEL)
    except ChannelUnknown:
        await asyncio.to_thread(make_channel)
        return await channel(CHANNEL)


def make_channel() -> None:
    """Make it, in a thread. Somebody else may be quicker."""
    try:
        with acting(Actor("relay", "RELAY_ALERTMANAGER")):
            channels.start(CHANNEL, EVERY, door=DOOR, listen=False, republish=False)
    except ChannelExists:
        log.debug("%s is there already", CHANNEL)
    finally:
        connection.close()
