"""What a program is given of a request that was verified."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from relay_client.rows import Message

MESSAGE: Final = "relay.message"
CONFIRMATION: Final = "relay.confirmation"


@dataclass(frozen=True, slots=True)
class Webhook:
    """One request that Relay has sent."""

    id: str
    """The same over all attempts: do what it asks for once."""
    attempted_at: datetime
    """By Relay's clock."""
    type: str
    """"relay.message" if it brings messages, in whatever format; else what Relay says."""
    messages: Sequence[Message]
    said: Mapping[str, Any] = field(repr=False, default_factory=dict)
    """The JSON object that came, where it brings no messages."""

    @property
    def message(self) -> Message:
        """The one that it brings. Raises ValueError if it brings none, or several."""
        if len(self.messages) != 1:
            raise ValueError(f"{len(self.messages)} messages, not one")
        return self.messages[0]

    @property
    def challenge(self) -> str | None:
        """What an answer has in it that wants to be sent messages; None: that is not asked."""
        found = self.said.get("challenge") if self.type == CONFIRMATION else None
        return found if isinstance(found, str) else None
