"""Making and finding tickets (`models.Ticket`).

A ticket stands in an address, where it is seen more easily than a header. So it can do nothing but watch the
channels that it names, it is used within a minute or never, and it expires. It has no audit entry: it may
nothing that its token or its user may not, and those have theirs.
"""

import secrets
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from django.db import transaction
from django.db.models import F, Q

from access_app.holders import Holder, allowed, permissions_of
from access_app.models import Ticket, Token
from access_app.tokens import digest_of
from relaybase.postgres.clock import ClockTimestamp
from relaycore import rights
from relaycore.rights import READ, Grants

PREFIX: Final = "relayticket_"
"""So that scanners for leaked secrets know one."""

FIRST_USE: Final = timedelta(seconds=60)
LEAST_SECONDS: Final = 60
MOST_SECONDS: Final = 86_400

_SWEPT_AT_ONCE: Final = 100


def make(
    user: Any, token: Token | None, channels: Sequence[str], lifetime_seconds: int
) -> tuple[str, datetime]:
    """A new ticket for these channels, and when it expires: with its token, if that is sooner."""
    key = PREFIX + secrets.token_urlsafe(32)
    with transaction.atomic():
        _sweep()
        ticket = Ticket(token=token, user=user, channels=list(channels), digest=digest_of(key))
        ticket.expires_at = ClockTimestamp() + timedelta(seconds=lifetime_seconds)
        ticket.save()
        ticket.refresh_from_db(fields=["expires_at"])
        if token is not None and token.expires_at is not None and token.expires_at < ticket.expires_at:
            ticket.expires_at = token.expires_at
            ticket.save(update_fields=["expires_at"])
    return key, ticket.expires_at


def _sweep() -> None:
    """Each new one takes some old ones along: so there are never many more than are valid."""
    over = Ticket.objects.filter(expires_at__lt=ClockTimestamp()).order_by("expires_at")
    Ticket.objects.filter(pk__in=list(over.values_list("pk", flat=True)[:_SWEPT_AT_ONCE])).delete()


def valid(digests: Sequence[bytes], clock: Callable[[], float]) -> dict[bytes, Holder]:
    """Who has the tickets with these digests, of those that are valid, by PostgreSQL. Used from now on."""
    began = clock()
    asked = Ticket.objects.filter(digest__in=digests)
    asked.filter(used_at=None, created_at__gt=ClockTimestamp() - FIRST_USE).update(used_at=ClockTimestamp())
    unrevoked = Q(token=None) | Q(token__in=Token.objects.valid())
    rows = asked.filter(unrevoked, used_at__isnull=False, user__is_active=True)
    rows = rows.filter(expires_at__gt=ClockTimestamp()).annotate(left=F("expires_at") - ClockTimestamp())
    tickets = list(rows.select_related("user", "token").defer("user__password"))
    permissions = permissions_of({ticket.user_id for ticket in tickets})
    found = {}
    for ticket in tickets:
        token, user = ticket.token, ticket.user
        may = allowed(user, permissions)
        until = began + ticket.left.total_seconds()
        found[bytes(ticket.digest)] = (
            Holder(user.pk, user.get_username(), _to_read(ticket, None), may, until, "user")
            if token is None
            else Holder(token.pk, token.name, _to_read(ticket, token.granted), may, until)
        )
    return found


def _to_read(ticket: Ticket, granted: Grants | None) -> Grants:
    """Those of its channels that its token may still read; all of them, if it has none."""
    may = [name for name in ticket.channels if granted is None or granted.allow(READ, name)]
    return rights.literally(READ, may)
