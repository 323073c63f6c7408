"""Another number of shards: what those of earlier divisions have come to with each key.

A new shard goes on from the least frontier of the shards before, so with most keys from before what was taken
of them. What an old shard has said and not kept is said again, so that it has to be said under the same
settings, and at the same times. An edit had come into force in one old shard perhaps, and not yet in another
one: then each key goes on as the shard that had it would have, until the edit comes into force here.

So a shard begins with the least revision that one of those before had in force, and what stands here holds
until it has come to another one.

A shard may be divided again before it has come to where those before it were: how far a key was taken is what
any division has come to with it, never what the last one has.

What a processor that was frozen adds of a key that somebody else has by now is nobody's (`is_left_over`).
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from relaycore.alerting.items import Frontier, Kind
from relaycore.alerting.naming import shard_of


class Settings(NamedTuple):
    """Those under which something is said."""

    revision: int
    kind: Kind[Any]


@dataclass(frozen=True, slots=True)
class Share:
    """One shard of a division, in which there were so many.

    term: the last of this division that has kept something there; 0: it is not known
    """

    division: int
    shard: int
    of: int
    term: int

    def has(self, rule: str, key: str) -> bool:
        """Whether it was the one that had this key. If it was alone it has a number among all shards."""
        return self.of == 1 or shard_of(rule, key, self.of) == self.shard


@dataclass(frozen=True, slots=True)
class Part(Share):
    """With what it has come to. `settings`: those in force there."""

    frontier: Frontier
    settings: Settings


class Beginning(NamedTuple):
    """Where a shard goes on that has not come anywhere itself: up to where, and under which settings."""

    frontier: Frontier
    settings: Settings


def beginning(parts: Iterable[Part], fresh: Beginning) -> Beginning:
    """Where a shard begins, by all parts of earlier divisions.

    The least frontier of the division before, with the least settings that were in force there. A shard of
    that which had not begun stands where the division before that has left it, and so on; those of the first
    one where the rule itself begins, `fresh`.
    """
    by_division: dict[int, list[Part]] = {}
    for part in parts:
        by_division.setdefault(part.division, []).append(part)
    known = fresh
    for _, of_it in sorted(by_division.items()):
        found = [Beginning(part.frontier, part.settings) for part in of_it]
        if len(of_it) < of_it[0].of:
            found.append(known)
        least = min((one.frontier for one in found), key=lambda one: (one.position, one.time))
        settings = min((one.settings for one in found), key=lambda one: one.revision)
        known = Beginning(replace(least, revision=settings.revision), settings)
    return known


def are_passed(earlier: Sequence[Part], today: Sequence[Part]) -> bool:
    """Whether everybody has begun in today's division, and is further: those before are of no use then."""
    frontiers = [part.frontier for part in earlier]
    position = max((one.position for one in frontiers), default="")
    time = max((one.time for one in frontiers), default=0)
    revision = max((one.revision for one in frontiers), default=0)
    return (
        bool(today)
        and len(today) == today[0].of
        and all(
            one.position >= position and one.time >= time and one.revision >= revision
            for one in (part.frontier for part in today)
        )
    )


class Written(NamedTuple):
    """By whom a state was written."""

    division: int
    shard: int
    term: int


def is_left_over(rule: str, key: str, by: Written, shares: Iterable[Share]) -> bool:
    """Whether this state was added after somebody else had begun with its key.

    They did not read it, and have come to the same by themselves; it may be long ago that it ended there.

    shares: all that the rule has. One stands only once all states of its keys were claimed for it
    """
    return any(
        share.has(rule, key)
        and (share.division > by.division or (share.division == by.division and share.term > by.term))
        for share in shares
    )


class Earlier:
    """All parts of earlier divisions that may be further than a shard of this one.

    rule: the UUID as hex
    """

    def __init__(self, rule: str, parts: Sequence[Part]) -> None:
        self._rule = rule
        self._parts = sorted(parts, key=lambda part: part.division, reverse=True)
        self._highest = max((part.settings.revision for part in parts), default=0)
        self._known: dict[str, _Known] = {}

    def is_behind(self, position: str, time: int, own: Settings) -> bool:
        """Whether nothing that stands here matters to a shard that has come so far."""
        frontiers = [part.frontier for part in self._parts]
        is_further = all(one.position <= position and one.time <= time for one in frontiers)
        return is_further and own.revision >= self._highest

    def passed(self, key: str) -> str:
        """Up to here everything of a key was taken; empty: nothing was."""
        return self._of(key).position

    def fired(self, key: str) -> int:
        """Up to this time all timers of a key have fired, ms."""
        return self._of(key).time

    def settings_of(self, key: str, own: Settings) -> Settings:
        """Those under which a key goes on. `own`: those in force in the shard that has it now."""
        found = self._of(key).settings if own.revision < self._highest else None
        return own if found is None else found

    def all_settings(self, own: Settings) -> Sequence[Settings]:
        """All under which some key may go on, each revision once, the shard's own first."""
        if own.revision >= self._highest:
            return (own,)
        others = {part.settings.revision: part.settings for part in self._parts}
        others.pop(own.revision, None)
        return (own, *others.values())

    def _of(self, key: str) -> "_Known":
        if key not in self._known:
            self._known[key] = self._look(key)
        return self._known[key]

    def _look(self, key: str) -> "_Known":
        mine = [part for part in self._parts if part.has(self._rule, key)]
        return _Known(
            max((part.frontier.position for part in mine), default=""),
            max((part.frontier.time for part in mine), default=0),
            self._settings(mine),
        )

    def _settings(self, mine: Sequence[Part]) -> Settings | None:
        """Under which settings a key went on in the last part that had it.

        A part that had come to an edit before everybody ahead of it went on as those ahead did.
        """
        for part in mine:
            before = (one for one in self._parts if one.division < part.division)
            if all(one.settings.revision <= part.settings.revision for one in before):
                return part.settings
        return mine[0].settings if mine else None


class _Known(NamedTuple):
    """Of one key, what `Earlier` says."""

    position: str
    time: int
    settings: Settings | None
