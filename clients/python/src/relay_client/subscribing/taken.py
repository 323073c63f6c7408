"""A message as the program has it."""

from collections.abc import Mapping
from types import TracebackType
from typing import Protocol, Self

from relay_client.rows import Message
from relay_client.subscribing.holding import Held, State


class _Owner(Protocol):
    def _ack(self, held: Held) -> None: ...

    def _nack(self, held: Held, delay: float | None) -> None: ...


class Taken:
    """A message that the program works on, until it says that it is done.

    `with message:` does so at its end, and gives the message back if something is raised. Nothing here waits
    for Relay, which is told soon, of many messages at once. Its text is not in its repr.
    """

    __slots__ = ("_held", "_owner", "message")

    def __init__(self, held: Held, owner: _Owner) -> None:
        self._held = held
        self._owner = owner
        self.message: Message = held.message

    @property
    def id(self) -> str:
        """The same each time that it is handed out: by it a program knows what it has done before."""
        return self.message.id

    @property
    def channel(self) -> str:
        """Where it was published."""
        return self.message.channel

    @property
    def position(self) -> str:
        """Grows with each message of a channel."""
        return self.message.position

    @property
    def payload(self) -> bytes:
        """What was published, byte for byte."""
        return self.message.payload

    @property
    def text(self) -> str:
        """As the API gives it: base64 if `message.encoding` says so."""
        return self.message.text

    @property
    def attributes(self) -> Mapping[str, str]:
        """What was published with it."""
        return self.message.attributes

    @property
    def attempt(self) -> int | None:
        """So often it was leased, this time included; None in mode `cursor`."""
        return None if self.message.lease is None else self.message.lease.attempt

    @property
    def is_lost(self) -> bool:
        """Somebody else may have it, or the cursor was moved: that it is done cannot be said any more."""
        return self._held.state is State.GONE

    def ack(self) -> None:
        """It is done. Once more, or after `nack`, it changes nothing.

        Raises:
            Closed: the consumer is closed, and the message will come again.
        """
        self._owner._ack(self._held)

    def nack(self, delay_seconds: float | None = None) -> None:
        """It is not done, and is to be handed out again, not before this time.

        Without one: after 1 s, doubling to 10 min. In mode `cursor` all that is behind it waits for it.
        """
        if delay_seconds is not None and delay_seconds < 0:
            raise ValueError("Seconds are not negative.")
        self._owner._nack(self._held, delay_seconds)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None:
            self.ack()
        else:
            self.nack()

    def __repr__(self) -> str:
        return f"<message {self.id} of {self.channel!r}>"
