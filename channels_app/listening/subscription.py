"""The data connection of a listener: ONE Pub/Sub connection for all its channels."""

import logging
import uuid
from collections.abc import Iterable
from typing import Any

import hiredis

from channels_app.listening.outlet import Dialer
from relaycore.errors import Disconnected
from relayproject.wire import Wire

log = logging.getLogger(__name__)

_CHANNELS_AT_ONCE = 500


class Subscription:
    """Keeps a set of channels subscribed. Every new connection begins with all of them.

    `internal` are the channels that the listener needs for itself. They come last: what hears
    a tick has heard everything since the tick before. `client_id` is the number of the connection
    in Redis; None until it is known.
    """

    def __init__(self, name: str, internal: Iterable[bytes]) -> None:
        self._name = name
        self._dialer = Dialer(name)
        self._wire: Wire | None = None
        self._internal = list(internal)
        self._channels: set[bytes] = set()
        self.identity = b""
        self.client_id: int | None = None

    @property
    def wire(self) -> Wire | None:
        """For a selector."""
        return self._wire

    @property
    def received_bytes(self) -> int:
        """What has come in on this connection."""
        return 0 if self._wire is None else self._wire.received_bytes

    def add(self, channels: list[bytes]) -> None:
        """Subscribe. Redis confirms each one, also those that it has already."""
        self._channels.update(channels)
        self._send(b"SUBSCRIBE", channels)

    def remove(self, channels: list[bytes]) -> None:
        """Unsubscribe."""
        self._channels.difference_update(channels)
        self._send(b"UNSUBSCRIBE", channels)

    def connect(self, now: float) -> bool:
        """If there is no connection, try to make one; True if a new one was made now."""
        if self._wire is not None:
            return False
        self._wire = self._dialer.dial(now)
        if self._wire is None:
            return False
        self.identity = uuid.uuid4().hex.encode()
        self.client_id = None
        # Before SUBSCRIBE: after it, a connection may ask nothing any more.
        self._send(b"CLIENT", [b"ID"])
        self._send(b"SUBSCRIBE", [*self._channels, *self._internal])
        return self._wire is not None

    def receive(self) -> list[Any]:
        """What was heard in one read; nothing if the connection has ended."""
        if self._wire is None:
            return []
        try:
            self._wire.flush()
            replies = self._wire.receive()
        except Disconnected as exc:
            self.drop(str(exc))
            return []
        # Nearly all are pushes, which are lists of three: what a standby spends on each one counts.
        others = [reply for reply in replies if type(reply) is not list]
        if not others:
            return replies
        for reply in others:
            if isinstance(reply, int):
                self.client_id = reply
            elif isinstance(reply, hiredis.ReplyError):
                # For example NOPERM: this user may not subscribe to a channel.
                log.error("%s: Redis refuses: %s", self._name, reply)
        return [reply for reply in replies if type(reply) is list]

    def drop(self, why: str) -> None:
        """End the connection: the next `connect` makes a new one."""
        if self._wire is not None:
            log.warning("%s: not heard for a moment: %s", self._name, why)
            self._wire.close()
            self._wire = None

    def close(self) -> None:
        """End the connection for good."""
        if self._wire is not None:
            self._wire.close()
            self._wire = None

    def _send(self, command: bytes, arguments: list[bytes]) -> None:
        if self._wire is None:
            return
        try:
            for at in range(0, len(arguments), _CHANNELS_AT_ONCE):
                self._wire.send((command, *arguments[at : at + _CHANNELS_AT_ONCE]))
        except Disconnected as exc:
            self.drop(str(exc))
