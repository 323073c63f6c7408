"""What a producer speaks of: limits, messages on their way, batches, what an attempt has come to."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from relay_client.errors import RelayError, Undelivered

Handle = TypeVar("Handle")


@dataclass(frozen=True, slots=True)
class Limits:
    """Of the producer. Seconds, bytes of JSON, numbers of messages."""

    batch_messages: int = 1000
    batch_bytes: int = 1024 * 1024
    linger_seconds: float = 0.005
    most_under_way: int = 4
    buffer_messages: int = 100_000
    buffer_bytes: int = 32 * 1024 * 1024
    delivery_seconds: float = 120.0
    """How old a message may become before it is given up."""

    def __post_init__(self) -> None:
        if not 1 <= self.batch_messages <= 10_000 or not 1 <= self.batch_bytes <= 16 * 1024 * 1024:
            raise ValueError("Relay takes 1 to 10,000 messages and up to 16 MiB in one request.")
        if min(self.most_under_way, self.buffer_messages, self.buffer_bytes) < 1:
            raise ValueError("A producer needs room for one message, and one request for it.")
        if self.linger_seconds < 0 or self.delivery_seconds <= 0:
            raise ValueError("Seconds are not negative, and those of a delivery not 0.")


@dataclass(frozen=True, slots=True)
class Receipt:
    """Relay has the message: from here on it is durable. `id` is what GET /messages/ID asks for.

    `position` and `is_duplicate` are known where the producer waits for what is stored, else None. What was
    stored without a position went into quarantine. A duplicate was stored under its key before: with the text
    that it had then, and perhaps by an attempt whose answer was lost.
    """

    channel: str
    id: str
    idempotency_key: str
    position: str | None = None
    is_duplicate: bool | None = None


@dataclass(slots=True, eq=False)
class Outgoing(Generic[Handle]):
    """A message that is not settled. `line` is what is sent; `handle` is the shell's."""

    channel: str
    idempotency_key: str
    line: bytes = field(repr=False)
    handle: Handle
    number: int = 0
    added_at: float = 0.0
    expires_at: float = 0.0
    may_be_stored: bool = False

    @property
    def size(self) -> int:
        """Bytes in a batch, with the line break."""
        return len(self.line) + 1


@dataclass(frozen=True, slots=True, eq=False)
class Batch(Generic[Handle]):
    """What one request sends."""

    channel: str
    messages: tuple[Outgoing[Handle], ...]

    @property
    def body(self) -> bytes:
        """As NDJSON."""
        return b"\n".join(message.line for message in self.messages)


@dataclass(frozen=True, slots=True)
class Accepted:
    """One receipt for each message, in their order."""

    receipts: Sequence[Receipt]


@dataclass(frozen=True, slots=True)
class Refused:
    """For good. `index`: the message that is to blame; None: the request."""

    error: RelayError
    index: int | None = None


@dataclass(frozen=True, slots=True)
class TooMuch:
    """For one request."""

    error: RelayError


@dataclass(frozen=True, slots=True)
class Again:
    """Not now. `asked`: the seconds that Relay asks to wait. `may_be_stored`: it may have been taken."""

    error: RelayError
    may_be_stored: bool
    asked: float | None = None


Outcome = Accepted | Refused | TooMuch | Again


@dataclass(frozen=True, slots=True)
class Settled(Generic[Handle]):
    """A message that is done, and what became of it."""

    message: Outgoing[Handle]
    result: Receipt | Undelivered
