"""What people have done becomes messages on the channels of the alerts, each once, in order."""

import logging
import threading
from typing import Any, Final

from django.db import connections

from alerts_app.handling.models import Handled
from channels_app.models import Channel
from events_app.teller import publish
from messages_app.publishing.taking import Producer
from relaybase.background import in_background
from relaycore.alerting.acknowledging import attributes, message
from relaycore.errors import one_line
from relaycore.publishing import producers
from relaycore.times import to_milliseconds

log = logging.getLogger(__name__)

AT_ONCE: Final = 100
"""So many go onto the stream together."""

_PRODUCER: Final = Producer(producers.PEOPLE, producers.PEOPLE)
"""Whoever brings it: of two processes that append the same, one message is stored."""

_one_at_a_time: Final = threading.Lock()
"""In this process; that there is one more does no harm."""


def tell() -> int:
    """Tell what waits; how many that were. What is not stored waits, and is told at another time.

    Raises:
        RelayError, redis.RedisError, pymongo.errors.PyMongoError, django.db.Error: not all of it is told now.
    """
    told, failed = 0, None
    for channel in Channel.objects.filter(pk__in=Handled.objects.values("rule__to")):
        try:
            told += _tell_on(channel)
        except Exception as exc:  # Another channel may have another writer.
            failed = exc
    if failed is not None:
        raise failed
    return told


def _tell_on(channel: Channel) -> int:
    told = 0
    while waiting := list(Handled.objects.filter(rule__to=channel).order_by("pk")[:AT_ONCE]):
        stored = publish(channel, _PRODUCER, list(map(_line, waiting)))
        Handled.objects.filter(pk__in=[one.pk for one in waiting[:stored]]).delete()
        told += stored
    return told


def tell_soon() -> None:
    """The same in a thread, for whoever must not wait for Redis. What fails is left to beat's tick."""
    in_background(_tell)


def _tell() -> None:
    try:
        with _one_at_a_time:
            tell()
    except Exception as exc:  # Whatever it is: it waits, and is told later.
        log.warning("what was done with an alert is told later: %s: %s", type(exc).__name__, one_line(exc))
    finally:
        connections.close_all()


def _line(one: Handled) -> dict[str, Any]:
    return {
        "message": message(one.alert, one.event, to_milliseconds(one.at) * 1000),
        "id": one.uuid.hex,
        "content_type": "application/json",
        "attributes": attributes(one.alert, one.event, one.rule_uuid.hex),
    }
