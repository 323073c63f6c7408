"""Who is logged in: what a cookie says, outside Django's middlewares."""

from collections.abc import Mapping, Sequence
from http.cookies import CookieError, SimpleCookie
from types import SimpleNamespace
from typing import Any, Final, cast

from django.conf import settings
from django.contrib.auth import get_user
from django.contrib.sessions.backends.db import SessionStore
from django.http import HttpRequest

from access_app.holders import Holder, allowed, permissions_of
from relaycore import rights
from relaycore.rights import READ

_EVERYTHING: Final = rights.everywhere(READ)


def key_of(headers: Mapping[bytes, bytes]) -> str:
    """The key of the session in these headers; empty if there is none."""
    try:
        cookies = SimpleCookie(headers.get(b"cookie", b"").decode("latin-1"))
    except CookieError:
        return ""
    found = cookies.get(settings.SESSION_COOKIE_NAME)
    # No session has another name, and PostgreSQL is not asked for one.
    return found.value if found and found.value.isascii() and found.value.isalnum() else ""


def user_of(session: SessionStore) -> Any:
    """Who is logged in with it, or Django's anonymous user."""
    return get_user(cast(HttpRequest, cast(Any, SimpleNamespace(session=session))))


def valid(keys: Sequence[bytes]) -> dict[bytes, Holder]:
    """Who is logged in with which of these sessions. They may read what their user may.

    One that expires is noticed when all that is remembered is read again, without a change.
    """
    sessions = {key: SessionStore(key.decode()) for key in keys}
    users = {key: user_of(session) for key, session in sessions.items()}
    users = {key: user for key, user in users.items() if user.is_authenticated}
    permissions = permissions_of({user.pk for user in users.values()})
    found = {}
    for key, user in users.items():
        may = allowed(user, permissions)
        found[key] = Holder(user.pk, user.get_username(), _EVERYTHING, may, float("inf"), "user")
    return found
