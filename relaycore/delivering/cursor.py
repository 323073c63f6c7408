"""How far a subscription has come, and who may move it."""

from dataclasses import dataclass
from typing import Final

from relaycore.errors import CursorMoved
from relaycore.position import START

_SEEKS: Final = 1 << 20
"""Generations that one subscription has for itself. JSON has numbers for 2^33 subscriptions."""


def first_generation(number: int) -> int:
    """Where the generations of a subscription begin. `number`: no other one ever has it, whatever its name.

    So what was handed out by one settles nothing of another, nor of one that is made anew under its name.
    """
    return number * _SEEKS + 1


def _is_first(generation: int) -> bool:
    return generation % _SEEKS == 1


@dataclass(frozen=True, slots=True)
class Cursor:
    """Where a subscription stands.

    position:   everything up to here is done for this reader, or has a row
    fetched:    mode `cursor`: up to here somebody was given what there is. Never below `position`
    generation: raised by each seek; what carries another one is from before it, and moves nothing. Where it
                begins says `first_generation`
    """

    position: str = START
    fetched: str = START
    generation: int = 1

    def fetch(self, upto: str, generation: int) -> "Cursor":
        """What is above the cursor is about to be given to somebody, up to here.

        Raises:
            CursorMoved: somebody has sought meanwhile; what was read is not what is wanted.
        """
        self._require(generation)
        return Cursor(self.position, max(self.fetched, upto), self.generation)

    def commit(self, position: str, generation: int | None = None) -> "Cursor":
        """Everything up to here is done. The same once more changes nothing.

        generation: as it was fetched; None: whoever commits does not say it, which will do until a seek

        Raises:
            CursorMoved: it is from before a seek, goes back, or past what was fetched.
        """
        self._require(generation)
        if not self.position <= position <= self.fetched:
            raise CursorMoved(self.position, self.generation)
        return Cursor(position, self.fetched, self.generation)

    def stands_as(self, seen: "Cursor") -> bool:
        """Whether it is where it was seen: nobody has moved it since, or sought."""
        return (self.position, self.generation) == (seen.position, seen.generation)

    def step(self, seen: "Cursor", position: str) -> "Cursor | None":
        """The message right above where it was seen is handed out and done; None: it stands elsewhere by now.

        So of all who have seen the same one has this message.
        """
        if not self.stands_as(seen):
            return None
        return self.fetch(position, self.generation).commit(position, self.generation)

    def seek(self, position: str) -> "Cursor":
        """Go on above this position, whatever was done or is on its way."""
        return Cursor(position, position, self.generation + 1)

    def choose_anew(self) -> "Cursor":
        """Other messages are for this reader from now on, above the cursor.

        What was fetched and is not committed was chosen by what was so before. Who committed it would pass
        over what nobody was given.
        """
        return self.seek(self.position)

    def _require(self, generation: int | None) -> None:
        is_meant = _is_first(self.generation) if generation is None else generation == self.generation
        if not is_meant:
            raise CursorMoved(self.position, self.generation)
