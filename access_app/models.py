"""Tokens and the audit log."""

import logging
from datetime import UTC, datetime
from typing import Any, ClassVar, Self

from django.conf import settings
from django.db import models
from django.db.models import Q

from relaybase.postgres.clock import ClockTimestamp
from relaycore import rights
from relaycore.errors import BadGrants

log = logging.getLogger(__name__)


class TokenQuerySet(models.QuerySet["Token"]):
    """Tokens by what PostgreSQL's clock says of them."""

    def valid(self) -> Self:
        """Neither revoked nor expired, of a user who may log in."""
        unexpired = Q(expires_at=None) | Q(expires_at__gt=ClockTimestamp())
        return self.filter(unexpired, revoked_at=None, user__is_active=True)


def reading() -> list[dict[str, Any]]:
    """To read every channel."""
    return rights.everywhere(rights.READ).as_json()


def granted(grants: object) -> rights.Grants:
    """What a column of grants allows: nothing, if somebody has written there what nobody can read."""
    try:
        return rights.parse(grants)
    except BadGrants as exc:
        log.warning("the grants of a token cannot be read, so it may do nothing: %s", exc)
        return rights.Grants(())


class Token(models.Model):
    """A program's right to act in the name of a user."""

    class Scope(models.TextChoices):
        """What it may do."""

        READ = rights.READ, "read: look at channels and messages"
        CONSUME = rights.CONSUME, "consume: read, and move subscriptions on"
        PUBLISH = rights.PUBLISH, "publish: publish by HTTP"
        MANAGE = rights.MANAGE, "manage: all of that, and start, change and stop channels"

    name = models.CharField(max_length=64, unique=True, help_text="What it is for, such as: billing import.")
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.CASCADE, related_name="tokens", help_text="In whose name it acts."
    )
    grants = models.JSONField(default=reading, help_text="What it may do, on which channels.")
    digest = models.BinaryField(max_length=32, unique=True, editable=False)
    hint = models.CharField(max_length=12, editable=False, help_text="What its key begins with.")
    created_at = models.DateTimeField(db_default=ClockTimestamp(), editable=False)
    rotated_at = models.DateTimeField(null=True, editable=False)
    expires_at = models.DateTimeField(null=True, blank=True, help_text="Empty: never.")
    revoked_at = models.DateTimeField(null=True, editable=False)
    last_used_at = models.DateTimeField(null=True, editable=False, help_text="To the minute.")

    objects = TokenQuerySet.as_manager()

    _granted: tuple[Any, rights.Grants] = (None, rights.Grants(()))
    """Grants that were read, and what they allow: a request may ask for each of a thousand channels."""

    class Meta:
        db_table = "tokens"
        ordering: ClassVar[list[str]] = ["name"]

    def __str__(self) -> str:
        return self.name

    @property
    def granted(self) -> rights.Grants:
        """What it may do."""
        of, found = self._granted
        # Forms set others later.
        if self.grants is not of:
            found = granted(self.grants)
            self._granted = (self.grants, found)
        return found

    @property
    def state(self) -> str:
        """For people: `valid`, `until DATE`, `expired` or `revoked`."""
        if self.revoked_at:
            return "revoked"
        if self.expires_at is None:
            return "valid"
        return "expired" if self.expires_at <= datetime.now(UTC) else f"until {self.expires_at:%Y-%m-%d}"


class Ticket(models.Model):
    """What a browser watches with, in the name of a token or of somebody who is logged in.

    An EventSource can send no header, and comes again with the same address: so a ticket stands there, and is
    good until it expires. It may read its channels live, as long as its token, or its user, may.
    """

    token = models.ForeignKey(Token, models.CASCADE, null=True, related_name="tickets")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="+")
    channels = models.JSONField()
    digest = models.BinaryField(max_length=32, unique=True)
    created_at = models.DateTimeField(db_default=ClockTimestamp())
    used_at = models.DateTimeField(null=True)
    expires_at = models.DateTimeField(db_index=True)

    class Meta:
        db_table = "tickets"

    def __str__(self) -> str:
        return f"{self.token or self.user}, until {self.expires_at:%Y-%m-%d %H:%M}"


class RightsMark(models.Model):
    """One row, which becomes another one in each transaction that changes what a token may do.

    Triggers do that (migrations 0002 and 0005), so nothing changes unseen: by code, in bulk, in the admin, by
    SQL. It is chance and no number: a PostgreSQL that was restored would come to the same numbers again.
    """

    id = models.SmallIntegerField(primary_key=True, default=1)
    mark = models.UUIDField()

    class Meta:
        db_table = "rights_mark"

    def __str__(self) -> str:
        return str(self.mark)


class AuditEntry(models.Model):
    """What somebody did. Rows are only ever added."""

    at = models.DateTimeField(db_default=ClockTimestamp(), db_index=True, editable=False)
    actor = models.CharField(max_length=150, help_text="A user of the site, or of the host of a command.")
    via = models.CharField(max_length=80, help_text="The name of a token, session, or command.")
    address = models.CharField(max_length=45, blank=True, help_text="Where the request came from.")
    action = models.CharField(max_length=40)
    target = models.CharField(max_length=255)
    details = models.JSONField(default=dict)

    class Meta:
        db_table = "audit"
        ordering: ClassVar[list[str]] = ["-at", "-id"]
        verbose_name_plural = "audit log"

    def __str__(self) -> str:
        return f"{self.actor} {self.action} {self.target}"
