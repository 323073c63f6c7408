"""Echoes: what was published by HTTP, stands on the stream, and comes in by Redis as well.

Which rules there are, and why, is said in `relaycore.capturing`.
"""

from collections.abc import Iterator, Sequence
from itertools import chain
from typing import Any, TypeVar

from relaycore.capturing.notices import Echo

T = TypeVar("T", bound=Sequence[Any])


class Echoes:
    """The run that one listener is in, by what it relays, and which notices it knows.

    left: so many messages of the run are still to come
    """

    __slots__ = ("_channel", "_newest", "left")

    def __init__(self) -> None:
        self._newest = 0
        self._channel = b""
        self.left = 0

    def locate(self, newest: int) -> None:
        """There is a new connection, and what comes on it comes after the notice of this number."""
        self._newest = newest
        self.left = 0

    def pass_over(self, newest: int) -> None:
        """Up to this number all notices were heard, also those that are not relayed."""
        self._newest = max(self._newest, newest)

    def interrupt(self) -> None:
        """What is relayed next does not follow directly on what was relayed last."""
        self.left = 0

    def announce(self, notice: Echo) -> None:
        """The next ones of a channel are echoes, unless that notice was heard before."""
        if notice.number > self._newest:
            self._newest = notice.number
            self._channel, self.left = notice.channel, notice.count

    def skip(self, replies: Iterator[T]) -> Iterator[T]:
        """What comes behind the run, of the replies of a Pub/Sub connection."""
        while self.left:
            reply = next(replies, None)
            if reply is None:
                return replies  # The run goes on in the next read.
            if reply[0] != b"message" or reply[1] != self._channel:
                self.left = 0
                return chain((reply,), replies)
            self.left -= 1
        return replies
