"""Connections of redis-py that leave a server which is not, or no longer, the one that takes writes.

A primary that is demoted keeps its sockets, and so do its clients: for as long as they live each write is
refused, and each read tells what was true once. So a reply that only another server can give better ends
the connection, as if the network had, and the next command dials anew, which looks the address up again.
What waits for it to be there fails until then with `WrongServer`, a `redis.ConnectionError`: to everybody
who knows what to do without Redis, Redis is away.

Whoever only reads gets no such reply. So the connections of Relay's own clients ask now and then, before a
command, which role the server has. The broker's need not: a worker's `BRPOP` is refused each second.
"""

import time
from typing import Any, Final

import redis
from redis.connection import AbstractConnection, Connection, SSLConnection, UnixDomainSocketConnection

from relaycore.refusals import Refusal, classify

_LOOK_SECONDS: Final = 2.0


class WrongServer(redis.ConnectionError):
    """The server is a replica or a node of a cluster. The connection to it has ended."""


class _Leaving(AbstractConnection):
    def read_response(self, *args: Any, **options: Any) -> Any:
        """One reply.

        Raises:
            WrongServer: the connection has ended because of what the server is.
        """
        try:
            reply = super().read_response(*args, **options)
        except redis.ResponseError as exc:
            self._leave_if_wrong(exc)
            raise
        if type(reply) is list:  # After EXEC the errors of single commands stand in it.
            for part in reply:
                if isinstance(part, redis.ResponseError):
                    self._leave_if_wrong(part)
        return reply

    def _leave_if_wrong(self, exc: redis.ResponseError) -> None:
        text = as_sent(exc)
        if classify(text) is Refusal.WRONG_SERVER:
            self.disconnect()  # type: ignore[no-untyped-call]
            raise WrongServer(f"This Redis is not the one that takes writes: {text}") from exc


class _Looking(_Leaving):
    _looks_at = float("inf")

    def on_connect_check_health(self, *args: Any, **options: Any) -> None:
        """Say hello, as ever. Who it is was not looked at before it is used."""
        self._looks_at = float("inf")
        super().on_connect_check_health(*args, **options)
        self._looks_at = time.monotonic() + _LOOK_SECONDS

    def check_health(self) -> None:
        """Before a command is sent: now and then, see whether it is still the primary, or dial anew.

        Nothing was sent, so nothing can be done twice. (A WATCH would be forgotten; Relay uses none.)
        """
        if time.monotonic() < self._looks_at:
            return
        self._looks_at = time.monotonic() + _LOOK_SECONDS
        if self._is_replica():
            self.disconnect()  # type: ignore[no-untyped-call]
            self.connect()  # type: ignore[no-untyped-call]

    def _is_replica(self) -> bool:
        self.send_command("INFO", "replication", check_health=False)  # type: ignore[no-untyped-call]
        try:
            return b"role:slave" in self.read_response(disable_decoding=True)
        except redis.ResponseError:  # This user may not ask.
            return False
        except WrongServer:
            return True


class _Tcp(_Looking, Connection):
    pass


class _Tls(_Looking, SSLConnection):
    pass


class _UnixSocket(_Looking, UnixDomainSocketConnection):
    pass


class BrokerConnection(_Leaving, Connection):
    """For Celery's broker."""


class EncryptedBrokerConnection(_Leaving, SSLConnection):
    """The same over TLS."""


def connection_class(url: str) -> type[AbstractConnection]:
    """What connects to the Redis that this URL names."""
    return {"rediss": _Tls, "unix": _UnixSocket}.get(url.partition("://")[0], _Tcp)


def as_sent(exc: redis.ResponseError) -> str:
    """The error with its code, which redis-py takes off."""
    return f"{exc.status_code} {exc}" if exc.status_code else str(exc)
