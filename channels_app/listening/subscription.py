"""The data connection of a listener: ONE Pub/Sub connection for all its channels."""

import logging
import uuid
from typing import Any

import hiredis

from channels_app.listening.outlet import Dialer, run_id_in
from relaybase.redis.wire import Wire
from relaycore.capturing.capture import REFUSAL
from relaycore.capturing.subscribing import Command
from relaycore.errors import Disconnected

log = logging.getLogger(__name__)

_MOST_SAID = 100


class Subscription:
    """Connects, sends what `relaycore.capturing.subscribing` says, and hands on what comes.

    identity:  of the connection, unique
    client_id: its number in Redis; None until it is known
    server:    the run id of the Redis server to which it leads; empty until it is known
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._dialer = Dialer(name)
        self._wire: Wire | None = None
        self._said: set[str] = set()
        self.identity = b""
        self.client_id: int | None = None
        self.server = ""

    @property
    def wire(self) -> Wire | None:
        """For a selector."""
        return self._wire

    @property
    def received_bytes(self) -> int:
        """What has come in on this connection."""
        return 0 if self._wire is None else self._wire.received_bytes

    def connect(self, now: float) -> bool:
        """If there is no connection, try to make one; True if a new one was made now."""
        if self._wire is not None:
            return False
        self._wire = self._dialer.dial(now)
        if self._wire is None:
            return False
        self.identity = uuid.uuid4().hex.encode()
        self.client_id = None
        self.server = ""
        # Before SUBSCRIBE: after it, a connection may ask nothing any more.
        self._send(("CLIENT", "ID"), ("INFO", "server"))
        return self._wire is not None

    def obey(self, command: Command) -> None:
        """Subscribe, or unsubscribe."""
        self._send((b"SUBSCRIBE" if command.subscribes else b"UNSUBSCRIBE", *command.channels))

    def receive(self) -> list[Any]:
        """What was heard in one read; nothing if the connection has ended. A refusal is told as a reply."""
        if self._wire is None:
            return []
        try:
            self._wire.flush()
            replies = self._wire.receive()
        except Disconnected as exc:
            self.drop(str(exc))
            return []
        # Nearly all are pushes, which are lists of three: what a standby spends on each one counts.
        if not [reply for reply in replies if type(reply) is not list]:
            return replies
        return [heard for reply in replies if (heard := self._read(reply)) is not None]

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

    def _read(self, reply: Any) -> list[Any] | None:
        if isinstance(reply, list):
            return reply
        if isinstance(reply, int):
            self.client_id = reply
        elif isinstance(reply, bytes):
            self.server = run_id_in(reply)
        elif isinstance(reply, hiredis.ReplyError):
            if self.server:
                self._say_once(f"Redis refuses SUBSCRIBE: {reply}")
                return [REFUSAL, b"", str(reply)]
            # CLIENT ID only serves a warning. What server this is the other connection has to say as well.
            self._say_once(f"Redis refuses CLIENT ID or INFO: {reply}")
        return None

    def _say_once(self, refusal: str) -> None:
        """What is refused is asked for again every few seconds, and for each of many channels."""
        if refusal not in self._said and len(self._said) < _MOST_SAID:
            self._said.add(refusal)
            log.error("%s: %s", self._name, refusal)

    def _send(self, *commands: tuple[str | bytes, ...]) -> None:
        if self._wire is None:
            return
        try:
            self._wire.send(*commands)
        except Disconnected as exc:
            self.drop(str(exc))
