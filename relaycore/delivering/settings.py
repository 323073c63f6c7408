"""What a subscription is set to, as far as it decides what is handed out, and when."""

from dataclasses import dataclass
from typing import Final

LEAST_DEADLINE_SECONDS: Final = 1
MOST_DEADLINE_SECONDS: Final = 12 * 3600
"""As SQS has it. Google's Pub/Sub has 10 s to 10 min."""

DEADLINE_SECONDS: Final = 30
MOST_DELAY_SECONDS: Final = 12 * 3600
MOST_OUTSTANDING: Final = 1000
LARGEST_MOST_OUTSTANDING: Final = 100_000

CURSOR: Final = "cursor"
LEASE: Final = "lease"

NO_ORDER: Final = "none"
BY_CHANNEL: Final = "channel"
BY_FIELD: Final = "field"


@dataclass(frozen=True, slots=True)
class Settings:
    """Of a subscription whose messages are leased.

    deadline_ms:      so long a worker has for a message, unless it says more
    most_deliveries:  after so many attempts a message is dead; None: never
    most_outstanding: so many messages may be on their way
    is_ordered:       one after another, in order `channel`; in order `field` messages have keys (`holding`)
    """

    deadline_ms: int = DEADLINE_SECONDS * 1000
    most_deliveries: int | None = None
    most_outstanding: int = MOST_OUTSTANDING
    is_ordered: bool = False
