"""The connection on which a follower hears the news of its partition (`relaycore.following.news`).

What it brings is a hint, so nothing depends on it but how soon one looks. It is made again when it ends. One
that brings nothing for a while is asked whether it lives, by subscribing once more: that needs no further
right, and the answer says that the subscription stands.
"""

import logging
from typing import Any, Final

import hiredis

from relaybase.connections import open_wire
from relaybase.redis.wire import Wire
from relaycore.errors import Disconnected
from relaycore.following import news
from relaycore.following.news import News

log = logging.getLogger(__name__)

_DIAL_SECONDS: Final = 1.0
_REFUSED_SECONDS: Final = 30.0
_SILENT_SECONDS: Final = 5.0

_NOT_YET: Final = "Redis has not said yet that it is heard"


class Ear:
    """For one thread. `now`: monotonic, in seconds.

    has_begun: it was subscribed since this was looked at last: what came before was not heard
    trouble:   why nothing is heard; empty: Redis has said that it is, and nothing speaks against it since
    """

    def __init__(self, channel: str, key: bytes) -> None:
        self._channel = channel
        self._key = key
        self._wire: Wire | None = None
        self._dials_at = float("-inf")
        self._heard_at = float("-inf")
        self._is_asked = False
        self.has_begun = False
        self.trouble = _NOT_YET
        self._deaf_since: float | None = None

    @property
    def wire(self) -> Wire | None:
        """For a selector."""
        return self._wire

    def turn(self, now: float) -> None:
        """Connect if there is no connection; see whether it lives. Waits for Redis as long as any command."""
        if self._deaf_since is None:
            self._deaf_since = now
        if self._wire is None:
            if now >= self._dials_at:
                self._dial(now)
        elif now - self._heard_at > _SILENT_SECONDS:
            if self._is_asked:
                self._drop(now, "it does not answer any more")
            else:
                self._ask(self._wire, now)

    def hear(self, now: float) -> list[News]:
        """What has come."""
        if self._wire is None:
            return []
        try:
            pushes = self._wire.receive()
        except Disconnected as exc:
            self._drop(now, str(exc))
            return []
        if pushes:
            self._heard_at, self._is_asked = now, False
        return [found for push in pushes if (found := self._take(push, now)) is not None]

    def fail(self, why: str, now: float) -> None:
        """Nothing is heard for now. Said once, until something is heard again."""
        if self.trouble in {"", _NOT_YET}:
            log.warning("%s: nothing is heard: %s. New messages are seen a second late.", self._channel, why)
        if not self.trouble:
            self._deaf_since = now
        self.trouble = why

    def deaf_seconds(self, now: float) -> float:
        """For so long nothing is heard; 0: it is."""
        return 0.0 if not self.trouble or self._deaf_since is None else now - self._deaf_since

    def close(self) -> None:
        """End the connection."""
        if self._wire is not None:
            self._wire.close()
            self._wire = None

    def _take(self, push: Any, now: float) -> News | None:
        match push:
            case hiredis.ReplyError():
                self._drop(now, str(push))
                self._dials_at = now + _REFUSED_SECONDS
            case [b"subscribe", *_]:
                self.has_begun = True
                self._well()
            case [b"message", _, payload]:
                self._well()
                return news.parse(payload, self._key)
        return None

    def _dial(self, now: float) -> None:
        self._dials_at = now + _DIAL_SECONDS
        try:
            self._wire = open_wire("relay-follower")
        except Disconnected as exc:
            self.fail(str(exc), now)
        else:
            self._ask(self._wire, now)

    def _ask(self, wire: Wire, now: float) -> None:
        self._heard_at, self._is_asked = now, True
        try:
            wire.send(("SUBSCRIBE", self._channel))
        except Disconnected as exc:
            self._drop(now, str(exc))

    def _drop(self, now: float, why: str) -> None:
        self.fail(why, now)
        self.close()
        self._dials_at = now + _DIAL_SECONDS

    def _well(self) -> None:
        if self.trouble not in {"", _NOT_YET}:
            log.warning("%s: it is heard again", self._channel)
        self.trouble = ""
