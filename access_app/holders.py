"""Who has a key, and what he may do: what is remembered of a token (`access_app.remembering`)."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from operator import or_
from typing import Any, Final

from django.contrib.auth.models import Permission
from django.db.models import F, Q

from access_app.models import Token
from access_app.permissions import LACKS
from relaybase.postgres.clock import ClockTimestamp
from relaycore.rights import CONSUME, MANAGE, PUBLISH, READ, Grants

PERMISSIONS: Final = {
    READ: "messages_app.view_message",
    CONSUME: "messages_app.view_message",
    PUBLISH: "messages_app.add_message",
    MANAGE: "channels_app.change_channel",
}
"""Which of Django's permissions the user of a token needs for a right. What is hot is about messages."""

_ALL: Final = frozenset(PERMISSIONS.values())


@dataclass(frozen=True, slots=True)
class Holder:
    """Who has a valid key. `until`: when it expires, by `time.monotonic`.

    id:          of the token, or of the user where there is none
    permissions: those of `PERMISSIONS` that its user has
    kind:        "token" or "user"
    """

    id: int
    name: str
    grants: Grants
    permissions: frozenset[str]
    until: float
    kind: str = "token"

    @property
    def who(self) -> str:
        """As limits count it."""
        return f"{self.kind}:{self.id}"

    def refusal(self, right: str, channel: str | None = None) -> str | None:
        """Why it has not this right on the channel, or on none at all; None if it has."""
        if (said := self.grants.refusal(right, channel)) is not None:
            return said
        permission = PERMISSIONS[right]
        return None if permission in self.permissions else LACKS.format(permission)


def valid(digests: Sequence[bytes], clock: Callable[[], float]) -> dict[bytes, Holder]:
    """Those of the keys with these digests that are valid, by PostgreSQL.

    How much is left of one's life is counted from before PostgreSQL was asked.
    """
    began = clock()
    left = F("expires_at") - ClockTimestamp()
    rows = Token.objects.valid().filter(digest__in=digests).annotate(left=left).select_related("user")
    tokens = list(rows.defer("user__password"))
    permissions = permissions_of({token.user_id for token in tokens})
    return {bytes(token.digest): _holder(token, permissions, began) for token in tokens}


def _holder(token: Any, permissions: Mapping[int, frozenset[str]], began: float) -> Holder:
    until = float("inf") if token.left is None else began + token.left.total_seconds()
    return Holder(token.pk, token.name, token.granted, allowed(token.user, permissions), until)


def allowed(user: Any, permissions: Mapping[int, frozenset[str]]) -> frozenset[str]:
    """Those of `PERMISSIONS` that this user has. `permissions`: by `permissions_of`."""
    return _ALL if user.is_superuser else permissions.get(user.pk, frozenset())


def permissions_of(users: Iterable[int]) -> dict[int, frozenset[str]]:
    """What each of these users may do, himself or by a group."""
    labels = [label.split(".") for label in _ALL]
    wanted = reduce(or_, (Q(content_type__app_label=app, codename=codename) for app, codename in labels))
    of_all = Permission.objects.filter(wanted)
    rows = of_all.filter(user__in=users).values_list("user", "content_type__app_label", "codename")
    by_group = of_all.filter(group__user__in=users)
    rows = rows.union(by_group.values_list("group__user", "content_type__app_label", "codename"))
    found: dict[int, set[str]] = {}
    for user, app, codename in rows:
        found.setdefault(user, set()).add(f"{app}.{codename}")
    return {user: frozenset(labels) for user, labels in found.items()}
