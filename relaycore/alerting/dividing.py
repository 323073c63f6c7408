"""Another number of shards: what those of earlier divisions have come to with each key.

A new shard goes on from the least frontier of the shards before, so with most keys from before what was taken
of them. What an old shard has said and not kept is said again, so that it has to be said under the same
settings, and at the same times. An edit had come into force in one old shard perhaps, and not yet in another
one: then each key goes on as the shard that had it would have, until the edit comes into force here.

So a shard begins with the least revision that one of those before had in force, and what stands here holds
until it has come to another one.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from relaycore.alerting.items import Kind
from relaycore.alerting.naming import shard_of


class Settings(NamedTuple):
    """Those under which something is said."""

    revision: int
    kind: Kind[Any]


@dataclass(frozen=True, slots=True)
class Part:
    """The frontier of one shard of an earlier division, in which there were so many.

    position, time: as in `Frontier`
    settings:       those in force there
    """

    division: int
    shard: int
    of: int
    position: str
    time: int
    settings: Settings

    def has(self, rule: str, key: str) -> bool:
        """Whether it was the one that had this key. If it was alone it has a number among all shards."""
        return self.of == 1 or shard_of(rule, key, self.of) == self.shard


class Earlier:
    """All parts of earlier divisions that may be further than a shard of this one.

    rule: the UUID as hex
    """

    def __init__(self, rule: str, parts: Sequence[Part]) -> None:
        self._rule = rule
        self._parts = sorted(parts, key=lambda part: part.division, reverse=True)
        self._highest = max((part.settings.revision for part in parts), default=0)
        self._known: dict[str, tuple[Part, Settings] | None] = {}

    def is_behind(self, position: str, time: int, own: Settings) -> bool:
        """Whether nothing that stands here matters to a shard that has come so far."""
        is_further = all(part.position <= position and part.time <= time for part in self._parts)
        return is_further and own.revision >= self._highest

    def passed(self, key: str) -> str:
        """Up to here everything of a key was taken; empty: nothing was."""
        found = self._of(key)
        return "" if found is None else found[0].position

    def fired(self, key: str) -> int:
        """Up to this time all timers of a key have fired, ms."""
        found = self._of(key)
        return 0 if found is None else found[0].time

    def settings_of(self, key: str, own: Settings) -> Settings:
        """Those under which a key goes on. `own`: those in force in the shard that has it now."""
        found = self._of(key) if own.revision < self._highest else None
        return own if found is None else found[1]

    def all_settings(self, own: Settings) -> Sequence[Settings]:
        """All under which some key may go on, each revision once, the shard's own first."""
        if own.revision >= self._highest:
            return (own,)
        others = {part.settings.revision: part.settings for part in self._parts}
        others.pop(own.revision, None)
        return (own, *others.values())

    def _of(self, key: str) -> tuple[Part, Settings] | None:
        if key not in self._known:
            self._known[key] = self._look(key)
        return self._known[key]

    def _look(self, key: str) -> tuple[Part, Settings] | None:
        """The last part that had it, and under which settings it went on there."""
        last: Part | None = None
        for at, part in enumerate(self._parts):
            if not part.has(self._rule, key) or (last is not None and part.division == last.division):
                continue
            last = last or part
            before = (one for one in self._parts[at:] if one.division < part.division)
            if all(one.settings.revision <= part.settings.revision for one in before):
                return last, part.settings
        return None if last is None else (last, last.settings)
