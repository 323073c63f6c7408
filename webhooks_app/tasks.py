"""Sender tasks, beat's proposals of them, and asking endpoints for their confirmation."""

import logging
import threading
import time
from functools import partial
from typing import Final

from celery import Task, shared_task
from django.conf import settings
from django.db import connections

from leases_app import endless, sharding
from leases_app.leasing import Held
from leases_app.models import Lease
from relaybase.background import in_background
from relaybase.queues import SENDERS
from relaycore.errors import one_line
from webhooks_app import keeping
from webhooks_app.confirming.requesting import request
from webhooks_app.sending.sender import send as push

log = logging.getLogger(__name__)

_AT_ONCE: Final = threading.BoundedSemaphore(8)

_FORGET_SECONDS: Final = 1800.0


class _Own:
    """What this process has done."""

    forgot_at: float = float("-inf")


@shared_task(bind=True)
def send(self: Task, shard: int) -> None:
    """Send to one shard until the worker stops. Ends at once if somebody does already."""
    loop = partial(push, shard, task_id=self.request.id or "")
    endless.run(Lease.Role.SENDER, shard, loop, sharding.SENDERS.has)


def forget_secrets() -> None:
    """Delete the secrets that have ended, once in a while."""
    if time.monotonic() - _Own.forgot_at >= _FORGET_SECONDS:
        keeping.forget_ended()
        _Own.forgot_at = time.monotonic()


def propose_senders(held: Held) -> None:
    """Send a task for each shard without a sender.

    A shard without endpoints gets its sender too: the first message of its first endpoint waits for nobody.
    """
    endless.propose(Lease.Role.SENDER, range(settings.RELAY_SENDER_SHARDS), held, send, SENDERS)


@shared_task
def confirm(number: int) -> None:
    """Ask as this challenge says: in a thread, since whoever waits here keeps proposals from being made."""
    in_background(_confirm, number)


def _confirm(number: int) -> None:
    try:
        with _AT_ONCE:
            request(number)
    except Exception as exc:  # Whatever it is: somebody asks again.
        log.warning("an endpoint was not asked for its confirmation: %s", one_line(exc))
    finally:
        connections.close_all()
