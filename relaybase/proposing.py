"""Having endless tasks proposed now, not at beat's next turn; and how many proposals may wait.

A proposal has no time to live. Celery would reckon it by the clock of who sends, and compare it with that
of the worker: one that is some seconds ahead would discard everything. What has waited long does no harm,
since whoever takes it looks first whether there still is such a partition, and whether somebody has it.
So that a queue does not fill while no worker serves it, nothing is added to what is enough already.
"""

import logging
from typing import Any

from celery import current_app
from kombu.exceptions import ChannelError

from relaybase.queues import PROPOSE

log = logging.getLogger(__name__)


def propose() -> None:
    """Have proposals made. Whether that works is beat's concern."""
    try:
        current_app.send_task(PROPOSE, retry=False)
    except Exception as exc:
        log.info("%s was not sent, beat will send it: %r", PROPOSE, exc)


def enough_wait(queue: str, most: int) -> bool:
    """Whether so many tasks wait in this queue already, by the broker; False if it does not say."""
    try:
        # Not the connection's own channel: that would wait for the broker for as long as it is away.
        with current_app.pool.acquire(block=True) as connection, connection.channel() as channel:
            return _waiting(queue, channel) >= most
    except Exception:
        return False


def _waiting(queue: str, channel: Any) -> int:
    try:
        return int(channel.queue_declare(queue, passive=True).message_count)
    except ChannelError:  # In Redis an empty queue is none. Further out the pool would drop the connection.
        return 0
