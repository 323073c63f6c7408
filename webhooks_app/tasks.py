"""Asking endpoints for their confirmation."""

import logging
import threading
from typing import Final

from celery import shared_task
from django.db import connections

from relaybase.background import in_background
from relaycore.errors import one_line
from webhooks_app.confirming.requesting import request

log = logging.getLogger(__name__)

_AT_ONCE: Final = threading.BoundedSemaphore(8)


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
