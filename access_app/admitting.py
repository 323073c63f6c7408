"""Who has shown who he is, before a body is taken in: by a token, or by a session."""

import asyncio
from collections.abc import Mapping

from django.contrib.sessions.backends.db import SessionStore
from django.db import connection

from access_app.remembering import Remembered
from access_app.watching import sessions
from relaybase.http.hot import plain
from relaybase.http.hot.application import holder_of


class Admitted:
    """Asks PostgreSQL only for what is not remembered. May be awaited for each request with a large body."""

    def __init__(self, remembered: Remembered) -> None:
        self._remembered = remembered

    async def __call__(self, headers: Mapping[bytes, bytes]) -> bool:
        """Whether these are the headers of somebody who is known.

        Raises:
            AuthenticationFailed: they have a token that nobody has.
            Disconnected: PostgreSQL does not say it now.
        """
        if (key := plain.key_of(headers)) is not None:
            await holder_of(self._remembered, key)
            return True
        session = sessions.key_of(headers)
        return bool(session) and await asyncio.to_thread(_has_user, session)


def _has_user(key: str) -> bool:
    try:
        return bool(sessions.user_of(SessionStore(key)).is_authenticated)
    finally:
        connection.close()
