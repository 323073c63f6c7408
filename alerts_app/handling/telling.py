"""What people have done becomes messages on the channels of the alerts, each once, in order."""

import logging
import threading
from itertools import groupby
from typing import Any, Final

from django.db import connections

from alerts_app.handling.models import Handled
from messages_app.publishing.taking import Producer
from messages_app.publishing.telling import publish
from relaybase.background import in_background
from relaycore.alerting.acknowledging import attributes, message
from relaycore.errors import one_line
from relaycore.times import to_milliseconds

log = logging.getLogger(__name__)

AT_ONCE: Final = 100
"""So many go onto the stream together."""

_PRODUCER: Final = Producer("alerts", "alerts")
"""Whoever brings it: of two processes that append the same, one message is stored."""

_one_at_a_time: Final = threading.Lock()
"""In this process; that there is one more does no harm."""


def tell() -> int:
    """Tell what waits; how many that were. What fails stays, and is told at another time.

    Raises:
        RelayError, redis.RedisError, django.db.Error: it is not told now.
    """
    told = 0
    while waiting := list(Handled.objects.select_related("rule__to").order_by("pk")[:AT_ONCE]):
        for channel, some in groupby(waiting, lambda one: one.rule.to):
            of_it = list(some)
            publish(channel, _PRODUCER, map(_line, of_it))
            Handled.objects.filter(pk__in=[one.pk for one in of_it]).delete()
            told += len(of_it)
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
