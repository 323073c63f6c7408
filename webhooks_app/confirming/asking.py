"""Putting on record that an endpoint is to be asked, and how often that may be."""

import logging
import secrets
from datetime import timedelta
from typing import Any, Final
from urllib.parse import urlsplit

from celery import current_app
from django.conf import settings
from django.db import connection, transaction

from relaybase.postgres.clock import ClockTimestamp
from relaycore.errors import TooManyAsked
from relaycore.outbound import urls
from webhooks_app.models import Challenge, Endpoint

log = logging.getLogger(__name__)

PER_HOST: Final = 5
PER_OWNER: Final = 10
"""Requests within a minute, to all who ask one host, and by one owner."""

LIFETIME: Final = timedelta(days=2)

TASK: Final = "webhooks_app.tasks.confirm"

_MINUTE: Final = timedelta(seconds=60)
_SWEPT_AT_ONCE: Final = 100


def ask(row: Endpoint) -> Challenge:
    """Have it asked once this transaction is committed. What it is asked for is made only then.

    Raises:
        TooManyAsked: its host was asked too often lately, or its owner has.
    """
    made = take_a_turn(row)
    transaction.on_commit(lambda: _send(made.pk))
    return made


def take_a_turn(row: Endpoint, *, is_challenge: bool = True) -> Challenge:
    """Count one request to this endpoint that its owner has caused. It raises what `ask` does.

    is_challenge: or else it asks for no confirmation, and is only counted
    """
    host = urls.read(row.url).host
    with transaction.atomic():
        _alone(f"host {host}", f"owner {row.owner_id}")
        lately = Challenge.objects.filter(asked_at__gt=ClockTimestamp() - _MINUTE)
        if lately.filter(host=host).count() >= PER_HOST:
            raise TooManyAsked(f"{host} was asked {PER_HOST} times within a minute. Try again in one.", 60)
        if lately.filter(owner=row.owner_id).count() >= PER_OWNER:
            raise TooManyAsked(f"You have asked {PER_OWNER} times within a minute. Try again in one.", 60)
        _sweep()
        asked = row if is_challenge else None
        made = Challenge(endpoint=asked, owner_id=row.owner_id, url=row.url, host=host)
        made.digest = secrets.token_bytes(32)  # Of nothing that anybody knows.
        made.expires_at = ClockTimestamp() + LIFETIME
        made.save(force_insert=True)
        made.refresh_from_db()
    return made


def link(challenge: str) -> str | None:
    """Where a person can confirm; None: it is not known how the site is reached.

    The challenge stands in the query, which logs of proxies and reports of errors leave out, as of tickets.
    """
    public: str = settings.RELAY_PUBLIC_URL
    return f"{public}/webhooks/confirm?challenge={challenge}" if public else None


def origin() -> str:
    """As whom CloudEvents' webhooks are told to come from: the host of the site; empty if it is not known."""
    return urlsplit(settings.RELAY_PUBLIC_URL).hostname or ""


def _alone(*names: str) -> None:
    """Until this transaction ends nobody else counts for one of these. In one order, whoever comes."""
    with connection.cursor() as sql:
        for name in sorted(names):
            sql.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [f"relay asks {name}"])


def _sweep() -> None:
    """Each new one takes some old ones along: so there are never many more than are valid."""
    over = Challenge.objects.filter(expires_at__lt=ClockTimestamp()).order_by("expires_at")
    Challenge.objects.filter(pk__in=list(over.values_list("pk", flat=True)[:_SWEPT_AT_ONCE])).delete()


def _send(number: int) -> None:
    arguments: Any = (number,)
    try:
        current_app.send_task(TASK, arguments, retry=False)
    except Exception as exc:
        log.warning("an endpoint was not asked for its confirmation, since the broker is away: %r", exc)
        Challenge.objects.filter(pk=number).update(outcome="Redis is away, so it was not asked. Ask again.")
