"""The channel of the alerts, played: the stream in Redis, which loses what came last, and what is stored."""

from dataclasses import dataclass, field
from typing import Final

from relaycore.position import first_of, next_position
from relaycore.publishing.standing import Awaited, Place, Seen, Stood

_FIRST_MS: Final = 1_700_000_000_000


class NotTaken(Exception):
    """It is not appended, or nobody knows."""


@dataclass
class Channel:
    """stream: what waits for the writer, each with its entry; stored: by key, in order."""

    is_away: bool = False
    writes: bool = True
    stream: list[tuple[str, bytes, str]] = field(default_factory=list)
    stored: dict[bytes, tuple[str, str]] = field(default_factory=dict)
    last: int = 0
    most_waited: int = 0

    def append(self, messages: list[tuple[bytes, str]]) -> Awaited:
        """All or none, in one entry each."""
        if self.is_away:
            raise NotTaken
        entries = []
        for key, message in messages:
            self.last += 1
            entries.append(f"{_FIRST_MS + self.last}-0")
            self.stream.append((entries[-1], key, message))
        self.most_waited = max(self.most_waited, len(self.stream))
        stood = Stood(entries, [1] * len(entries))
        return Awaited([key for key, _ in messages], stood, 0, may_repeat=False)

    def look(self) -> Seen:
        """Nobody knows anything while Redis is away. Its ids go on above what it has lost."""
        if self.is_away:
            return Seen()
        below = first_of(self.stream[0][0]) if self.stream else next_position(f"{_FIRST_MS + self.last}-0")
        return Seen(below, {key: Place(entry, 0) for key, (entry, _) in self.stored.items()})

    def write(self, most: int) -> None:
        """The writer: what is stored under a key is not stored again."""
        for _ in range(most if self.writes and not self.is_away else 0):
            if self.stream:
                entry, key, message = self.stream.pop(0)
                self.stored.setdefault(key, (entry, message))

    def lose(self, most: int) -> int:
        """What came last and is not stored yet."""
        lost = min(most, len(self.stream))
        del self.stream[len(self.stream) - lost :]
        return lost
