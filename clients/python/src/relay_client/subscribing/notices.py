"""What a consumer has to tell besides messages. None of it is an error: it goes on."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from relay_client.errors import RelayError
from relay_client.rows import Message
from relay_client.subscribing.rows import Skipped


@dataclass(frozen=True, slots=True)
class Moved:
    """The cursor was moved by somebody else, or there was a seek: what had been fetched is let go.

    `position`: where it stands; None: it is not known yet.
    """

    position: str | None
    generation: int

    def __str__(self) -> str:
        where = "" if self.position is None else f" to {self.position}"
        return f"the cursor was moved elsewhere{where} (generation {self.generation}): fetched anew"


@dataclass(frozen=True, slots=True)
class Lost:
    """The lease of a message that the program has, or had: somebody else may be given it too."""

    message: Message
    why: str

    def __str__(self) -> str:
        return f"message {self.message.id} may be handed out again: {self.why}"


@dataclass(frozen=True, slots=True)
class Away:
    """A request has failed that may go well later. It is said once until one goes well."""

    error: RelayError = field(compare=False)

    def __str__(self) -> str:
        return f"it is tried again: {self.error}"


Notice = Skipped | Moved | Lost | Away
"""What a consumer tells: see each of them."""

Told = Callable[[Notice], object]


def tell(log: logging.Logger, name: str, told: Told | None, notices: Sequence[Notice]) -> None:
    """Call whoever wants to be told, or else warn."""
    for notice in notices:
        if told is None:
            log.warning("subscription %s: %s", name, notice)
            continue
        try:
            told(notice)
        except Exception:  # Messages must not stop for it.
            log.exception("subscription %s: who is told of %s fails", name, type(notice).__name__)
