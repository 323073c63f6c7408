"""What a desk is asked for, and what it answers."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

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


AT_ONCE_SECONDS: Final = 0.2
"""Whoever is answered so soon has had no time to go away."""


class Leaving:
    """Whether a client has gone away, watched only once it has had time to. May be asked in any thread."""

    def __init__(self, wanted: Wanted) -> None:
        self._wanted = wanted
        self._gone: asyncio.Future[None] | None = None
        self._later = asyncio.get_running_loop().call_later(AT_ONCE_SECONDS, self.watch)

    def watch(self) -> "asyncio.Future[None]":
        """Watch from now on; it is done once the client has gone."""
        if self._gone is None:
            self._gone = asyncio.ensure_future(self._wanted.until_gone())
        return self._gone

    def has_gone(self) -> bool:
        """As far as that shows."""
        return self._gone is not None and self._gone.done()

    def close(self) -> None:
        """Nobody needs to know any more."""
        self._later.cancel()
        if self._gone is not None:
            self._gone.cancel()


@dataclass(frozen=True, slots=True)
class Given:
    """What a fetch is answered.

    deliveries: by position, of what is leased
    position:   mode `cursor`: to commit; mode `lease`: where the cursor stands
    is_short:   there is something, and no room for the answer with one of it
    has_only_moved: nothing is given, and there may be something at once (`leasing.Leased.has_only_moved`)
    settled:    what became of the tokens that came with it; None: none came
    """

    position: str
    generation: int
    messages: Sequence[Document] = ()
    deliveries: Mapping[str, Delivery] = field(default_factory=dict)
    skipped: Skip | None = None
    is_active: bool = True
    is_short: bool = False
    has_only_moved: bool = False
    settled: Sequence[Mapping[str, Any]] | None = None


class SettingsOutdated(Exception):
    """The subscription is set to something else by now than this desk knows."""


NOBODYS: Final = Given("", 0)
"""For whoever has gone away."""
