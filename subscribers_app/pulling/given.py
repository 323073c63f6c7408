"""What a fetch asks for, and what it is answered."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from relaycore.delivering.leasing import Delivery
from relaycore.delivering.reading import Document
from relaycore.delivering.skipping import Skip
from subscribers_app.pulling.room import Place


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a fetch asks for.

    share:      of the room for answers: what is handed out is taken up there, at the latest when it is leased
    until_gone: returns once the client has gone away
    """

    most: int
    most_bytes: int
    seconds: float
    share: Place
    until_gone: Callable[[], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Given:
    """What a fetch is answered.

    deliveries: by position, of what is leased
    position:   mode `cursor`: to commit; mode `lease`: where the cursor stands
    is_short:   there is something, and no room for the answer
    """

    position: str
    generation: int
    messages: Sequence[Document] = ()
    deliveries: Mapping[str, Delivery] = field(default_factory=dict)
    skipped: Skip | None = None
    is_active: bool = True
    is_short: bool = False


NOBODYS: Final = Given("", 0)
"""For whoever has gone away."""
