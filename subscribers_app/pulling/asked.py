"""What a desk is asked for, and what it answers."""

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

    place:      what the answer takes up, from before anything is leased for it
    until_gone: returns once the client has gone away
    """

    most: int
    most_bytes: int
    seconds: float
    place: Place
    until_gone: Callable[[], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Given:
    """What a fetch is answered.

    deliveries: by position, of what is leased
    position:   mode `cursor`: to commit; mode `lease`: where the cursor stands
    is_short:   there is something, and no room for the answer with one of it
    """

    position: str
    generation: int
    messages: Sequence[Document] = ()
    deliveries: Mapping[str, Delivery] = field(default_factory=dict)
    skipped: Skip | None = None
    is_active: bool = True
    is_short: bool = False


class SettingsOutdated(Exception):
    """The subscription is set to something else by now than this desk knows."""


NOBODYS: Final = Given("", 0)
"""For whoever has gone away."""
