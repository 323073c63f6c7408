"""What a request may do: what its user may, by Django's permissions, and its token, by its grants.

Each view says what it needs, by method (`needs`). Whether a token has that right anywhere at all is asked as
soon as the request has come. Which channel is meant shows later, in an address, a parameter or a body: then
the view calls `require`, before it looks whether there is such a channel. What lists more than one channel
shows those that `shown` lets through, and counts no others.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import reduce
from operator import or_
from typing import Any, Final

from django.db.models import BooleanField, F, Func, Q, Value
from rest_framework.exceptions import PermissionDenied
from rest_framework.permissions import IsAuthenticated
from rest_framework.request import Request

from access_app.models import Token
from relaycore.globs import Glob
from relaycore.rights import CONSUME, MANAGE, PUBLISH, READ, Grants

LACKS: Final = 'The user of this token or session lacks the permission "{}".'


OF_USE: Final[Mapping[str, frozenset[str]]] = {
    READ: frozenset(
        {
            *("channels_app.view_channel", "channels_app.view_gap"),
            *("messages_app.view_message", "messages_app.view_quarantined"),
            *("subscribers_app.view_subscription", "alerts_app.view_rule", "alerts_app.view_silence"),
        }
    ),
    CONSUME: frozenset({"messages_app.view_message", "alerts_app.add_acknowledgement"}),
    PUBLISH: frozenset({"messages_app.add_message"}),
    MANAGE: frozenset(
        {
            *(f"channels_app.{verb}_channel" for verb in ("add", "change", "delete")),
            *(f"messages_app.{verb}_quarantined" for verb in ("change", "delete")),
            *(f"subscribers_app.{verb}_subscription" for verb in ("add", "change", "delete")),
            *(f"alerts_app.{verb}_rule" for verb in ("add", "change", "delete")),
            *("alerts_app.add_silence", "alerts_app.change_silence"),
        }
    ),
}
"""Of Django's permissions those that a user needs for all that a right is good for."""


@dataclass(frozen=True, slots=True)
class Need:
    """A right, which a token must have, and one of Django's permissions, which its user must have."""

    right: str
    permission: str


Needs = Mapping[str, Need | None]
"""By method; that of GET is asked for HEAD too. None: whoever is logged in."""


class InScope(IsAuthenticated):
    """Logged in, and within what the user and the token may do."""

    def has_permission(self, request: Request, view: Any) -> bool:
        """Whether the request may go on."""
        if not super().has_permission(request, view):
            return False
        method = "GET" if request.method == "HEAD" else str(request.method)
        needs: Needs = getattr(view, "needs", {})
        if method not in needs:
            # What the view does not answer, and what it says of itself. A method without a need is refused.
            return method == "OPTIONS" or not hasattr(view, method.lower())
        need = needs[method]
        self.message = None if need is None else refusal(request, need)
        return self.message is None


def lacking(user: Any, grants: Grants) -> list[str]:
    """The permissions without which this user's token cannot make full use of its grants."""
    wanted = {permission for right, of in OF_USE.items() if grants.allow(right) for permission in of}
    return sorted(permission for permission in wanted if not user.has_perm(permission))


def refusal(request: Request, need: Need, channel: str | None = None) -> str | None:
    """Why the request may not do this with the channel, or with none at all; None if it may."""
    grants = grants_of(request)
    if grants is not None and (said := grants.refusal(need.right, channel)) is not None:
        return said
    return None if request.user.has_perm(need.permission) else LACKS.format(need.permission)


def refusal_everywhere(request: Request, need: Need) -> str | None:
    """Why it may not do this with every channel, those that will be included; None if it may."""
    grants = grants_of(request)
    said = refusal(request, need)
    if said is None and grants is not None and not grants.is_everywhere(need.right):
        return f'This needs the scope "{need.right}" on *: it is about every channel.'
    return said


def require(request: Request, need: Need, channel: str | None = None) -> None:
    """Nothing, if the request may do this with the channel.

    Raises:
        PermissionDenied: it may not.
    """
    if (said := refusal(request, need, channel)) is not None:
        raise PermissionDenied(said)


def require_everywhere(request: Request, need: Need) -> None:
    """Nothing, if the request may do this with every channel, those that will be included.

    Raises:
        PermissionDenied: it may not.
    """
    if (said := refusal_everywhere(request, need)) is not None:
        raise PermissionDenied(said)


def allowed(request: Request, need: Need, channels: list[str]) -> list[str]:
    """Those of the channels with which the request may do this.

    Raises:
        PermissionDenied: there is none.
    """
    found = [channel for channel in channels if refusal(request, need, channel) is None]
    if not found:
        require(request, need, channels[0])
    return found


def grants_of(request: Request) -> Grants | None:
    """What its token allows; None: it came without one, so everything that its user may."""
    return request.auth.granted if isinstance(request.auth, Token) else None


def shown(request: Request, right: str, column: str = "channel") -> Q:
    """The rows of PostgreSQL whose channel the request has this right on, as a condition."""
    grants = grants_of(request)
    if grants is None or grants.is_everywhere(right):
        return ~Q(pk__in=())  # Not `Q()`, which is nothing: with "or" it would let the other side decide.
    return reduce(or_, (condition(glob, column) for glob in grants.globs(right)), Q(pk__in=()))


def condition(glob: Glob, column: str) -> Q:
    """The rows of PostgreSQL in whose `column` is a name that the pattern matches."""
    if glob.literal is not None:
        return Q(**{column: glob.literal})
    if glob.prefix is not None:
        return Q(**{f"{column}__startswith": glob.prefix})
    return Q(_Matches(F(column), Value(glob.expression)))


class _Matches(Func):
    """Whether the bytes of a text match, each taken for one character, as `Glob.expression` has it."""

    template = "(convert_from(convert_to(%(expressions)s))"
    arg_joiner = ", 'UTF8'), 'LATIN1') ~ ("
    output_field = BooleanField()
