"""Making, finding, rotating and revoking tokens: the one place for the API, the admin and commands."""

import hashlib
import secrets
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models import Q

from access_app import audit
from access_app.models import Ticket, Token
from relaybase.postgres.clock import ClockTimestamp
from relaycore import rights
from relaycore.rights import Grants

PREFIX = "relay_"
"""So that scanners for leaked secrets know one."""

LEAST_CHARACTERS = 20

USED_EVERY = timedelta(minutes=1)


def make(
    name: str, user: Any, grants: Grants | str, *, expires_at: datetime | None = None, key: str | None = None
) -> tuple[Token, str]:
    """A new token and its key, which is shown now or never. `key` may be given.

    grants: what it may do; a scope alone means every channel

    Raises:
        BadGrants: there is no such scope.
    """
    key = key or _new_key()
    granted = (rights.everywhere(grants) if isinstance(grants, str) else grants).as_json()
    with transaction.atomic():
        token = Token.objects.create(
            name=name, user=user, grants=granted, expires_at=expires_at, digest=digest_of(key), hint=key[:10]
        )
        audit.record("token made", [name], grants=granted, user=str(user))
    return token, key


def rotate(token: Token, key: str | None = None) -> str:
    """Give it another key; the one before is refused from now on."""
    key = key or _new_key()
    with transaction.atomic():
        Token.objects.filter(pk=token.pk).update(
            digest=digest_of(key), hint=key[:10], rotated_at=ClockTimestamp()
        )
        # Whoever had the key may have made some.
        Ticket.objects.filter(token=token).delete()
        audit.record("token rotated", [token.name])
    return key


def revoke(token: Token) -> bool:
    """Refuse it from now on, for ever; False if it was revoked before."""
    with transaction.atomic():
        done = Token.objects.filter(pk=token.pk, revoked_at=None).update(revoked_at=ClockTimestamp())
        if done:
            audit.record("token revoked", [token.name])
    return bool(done)


def find(key: str) -> Token | None:
    """The valid token with this key. Notes that it was used, once a minute."""
    token = Token.objects.valid().select_related("user").filter(digest=digest_of(key)).first()
    # Only looked at here; asked again by the statement, so that of many requests one writes.
    if token is not None and (token.last_used_at is None or _is_stale(token.last_used_at)):
        note_use([token.pk])
    return token


def note_use(ids: Iterable[int]) -> None:
    """Note that these tokens are used now, unless that was noted within the last minute."""
    stale = Q(last_used_at=None) | Q(last_used_at__lt=ClockTimestamp() - USED_EVERY)
    Token.objects.filter(stale, pk__in=ids).update(last_used_at=ClockTimestamp())


def _is_stale(time: datetime) -> bool:
    return datetime.now(time.tzinfo) - time > USED_EVERY


def _new_key() -> str:
    return PREFIX + secrets.token_urlsafe(32)


def digest_of(key: str) -> bytes:
    """What is kept of a key: 32 bytes."""
    return hashlib.sha256(key.encode()).digest()
