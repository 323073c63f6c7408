"""How a consumer is set: how much it takes at once, and when it says what is done."""

from dataclasses import dataclass
from typing import Final

MOST_MESSAGES: Final = 10_000
MOST_BYTES: Final = 16 * 1024 * 1024
MOST_WAIT_SECONDS: Final = 20.0
"""What Relay takes in one request."""


@dataclass(frozen=True, slots=True)
class Pace:
    """Of a consumer. Seconds, bytes of payloads, numbers of messages."""

    page_messages: int = 100
    page_bytes: int = 4 * 1024 * 1024
    is_ahead: bool = True
    """The next page is fetched while half of this one waits; else once nothing waits. No more is held."""
    wait_seconds: float = 5.0
    """How long Relay waits for messages. In mode `lease` closing may take so long."""
    settle_messages: int = 100
    settle_seconds: float = 0.5
    """What is done is said after so many messages or so long, and at once if nothing else is to be done."""
    hold_seconds: float = 3600.0
    """Mode `lease`: how long a message is kept from others, if the program says nothing of it."""
    closing_seconds: float = 10.0
    """How long a close tries to say what is done."""

    def __post_init__(self) -> None:
        if not 1 <= self.page_messages <= MOST_MESSAGES // 2 or not 1 <= self.page_bytes <= MOST_BYTES // 2:
            raise ValueError("A page has 1 to 5,000 messages, and up to 8 MiB.")
        if not 0 < self.wait_seconds <= MOST_WAIT_SECONDS:
            raise ValueError("Relay waits for up to 20 s.")
        if not 1 <= self.settle_messages <= MOST_MESSAGES:
            raise ValueError("Relay is told of 1 to 10,000 messages at once.")
        if min(self.settle_seconds, self.closing_seconds) < 0 or self.hold_seconds <= 0:
            raise ValueError("Seconds are not negative, and those of holding not 0.")
