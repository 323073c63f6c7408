"""Who watches: with a token, with a ticket, logged in, or nobody in particular.

By key: that of a token as it is, of a ticket by its prefix, of a session with `SESSION` before it; empty for
whoever has shown none. A channel that is public anybody may watch, all others whoever may read them.
"""

import asyncio
from collections.abc import Mapping
from typing import Final

from django.db import connection
from rest_framework.exceptions import NotAuthenticated, PermissionDenied

from access_app.remembering import Holder, Remembered, RememberedSessions, RememberedTickets
from access_app.watching import sessions, tickets
from channels_app import presence
from messages_app.publishing.door import channel as known_channel
from relaybase.http.hot import plain
from relaycore.errors import ChannelUnknown
from relaycore.rights import READ, Grants

SESSION: Final = "session:"

NOT_GIVEN: Final = (
    "Authentication credentials were not provided. Programs send the key of a token, browsers a ticket "
    "(?ticket=), or they are logged in here."
)

LEAST_PASSING: Final = 429
"""What is refused with this status or more says nothing against who asks: he may come again."""

NO_FILTER: Final = (
    "A filter is asked of each message, which takes time: it is for those who have a token or a ticket, or "
    "are logged in. Watch without one, and choose yourself."
)


def key_of(headers: Mapping[bytes, bytes], ticket: str | None) -> str | None:
    """With which key it comes; empty: with none. None: it has one that cannot be meant."""
    if b"authorization" in headers:
        key = plain.key_of(headers)
        # What a cookie says, a cookie has to say: that is what `Origin` is looked at for.
        return None if key is None or key.startswith(SESSION) else key
    if ticket is not None:
        return ticket if ticket.startswith(tickets.PREFIX) and ticket.isascii() else None
    session = sessions.key_of(headers)
    return SESSION + session if session else ""


class Watchers:
    """Of one process: who has which key, from memory. An `Authority` (`relaybase.http.hot`)."""

    def __init__(self, tokens: Remembered) -> None:
        self._tokens = tokens
        self._tickets = RememberedTickets()
        self._sessions = RememberedSessions()

    def known(self, key: str) -> Holder | None:
        """Who has this key, if that is remembered.

        Raises:
            Disconnected: for too long PostgreSQL has confirmed nothing.
        """
        if not key:
            return NOBODY
        of, key = self._of(key)
        return of.known(key)

    async def find(self, key: str) -> Holder | None:
        """Who has this key, by PostgreSQL.

        Raises:
            Disconnected: it does not answer.
        """
        if not key:
            return NOBODY
        of, key = self._of(key)
        return await of.find(key)

    def _of(self, key: str) -> "tuple[Remembered | RememberedTickets | RememberedSessions, str]":
        if key.startswith(SESSION):
            return self._sessions, key.removeprefix(SESSION)
        return (self._tickets if key.startswith(tickets.PREFIX) else self._tokens), key


NOBODY: Final = Holder(0, "", Grants(()), frozenset(), float("inf"), "address")
"""Whoever has shown no key."""


async def refusal(holder: Holder, channel: str) -> str | None:
    """Why he may not watch this channel; None if he may.

    Raises:
        NotAuthenticated: nobody in particular may not, and somebody might.
        Disconnected: PostgreSQL does not say whether it is public.
    """
    said = holder.refusal(READ, channel)
    if said is None or await _is_public(channel):
        return None
    if holder is NOBODY:
        exc = NotAuthenticated(NOT_GIVEN)
        exc.auth_header = "Bearer"  # type: ignore[attr-defined]  # REST framework's views set it so.
        raise exc
    return said


def require_no_stranger(holder: Holder) -> None:
    """Nothing, if he may have a filter.

    Raises:
        PermissionDenied: nobody in particular may not.
    """
    if holder is NOBODY:
        raise PermissionDenied(NO_FILTER)


async def require_channel(name: str) -> None:
    """Nothing, if there is or was such a channel. Of one that there is, memory says so.

    Raises:
        ChannelUnknown: there never was.
        Disconnected, django.db.Error, PyMongoError: nobody says.
    """
    try:
        await known_channel(name)
    except ChannelUnknown:
        await asyncio.to_thread(_existed, name)


def _existed(name: str) -> None:
    try:
        presence.require(name)
    finally:
        connection.close()


async def _is_public(channel: str) -> bool:
    try:
        return (await known_channel(channel)).public
    except ChannelUnknown:
        return False
