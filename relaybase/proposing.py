"""Having endless tasks proposed now, not at beat's next turn."""

import logging

from celery import current_app
from django.conf import settings

from relaybase.queues import PROPOSE

log = logging.getLogger(__name__)


def propose() -> None:
    """Have proposals made. Whether that works is beat's concern."""
    try:
        current_app.send_task(PROPOSE, expires=settings.RELAY_PROPOSE_INTERVAL_SECONDS, retry=False)
    except Exception as exc:
        log.info("%s was not sent, beat will send it: %r", PROPOSE, exc)
