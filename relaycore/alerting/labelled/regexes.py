"""Regular expressions that whoever may write a silence may write: RE2's syntax, and no text that takes long.

Python's `re` tries things again, so `(a+)+b` may hold up a processor for years, and what it means may change
with Python. Here a pattern becomes an automaton without memory (Glushkov's): one step for each character,
whatever the pattern is, and the same answer for ever.

What of RE2 is there
    Literals, `.`, classes with `[:alpha:]`, `\\d \\w \\s`, groups (none captures), `|`, `* + ? {n,m}` and
    their lazy forms, `(?i)` and `(?s)`, `\\Q…\\E`; `^ \\A` and `$ \\z` where nothing could stand outside of
    them. What has no meaning for a whole text, or needs memory, is refused: `\\b`, `(?m)`, back references,
    looking around. So are `\\p{…}`: which characters there are changes with Unicode.
"""

import functools
from typing import Final

from relaycore.alerting.labelled.characters import Symbols
from relaycore.alerting.labelled.patterns import Alternatives, End, Node, Repeat, Sequence, Start, parse
from relaycore.alerting.labelled.refused import BadMatcher

MOST_POSITIONS: Final = 500
"""Characters of a pattern, once what is repeated is written out. A step takes time with their number."""

_MOST_STEPS: Final = 20_000
"""Of building one. What is empty has no position, and may be repeated all the same."""

_MOST_REMEMBERED: Final = 2_000


class Regex:
    """A pattern that a whole text matches or does not.

    Raises:
        BadMatcher: it is no pattern, or one that is not supported; the text says why.
    """

    def __init__(self, pattern: str) -> None:
        self.pattern = pattern
        self._symbols: list[Symbols] = []
        self._follows: list[int] = []
        self._steps = 0
        tree = _without_edge(_without_edge(parse(pattern), Start), End)
        self._is_nullable, first, self._last = self._build(tree)
        # The place before the first character is one more position, the highest bit.
        self._begin = 1 << len(self._symbols)
        self._follows.append(first)
        self._next: dict[tuple[int, str], int] = {}
        self._masks: dict[str, int] = {}

    def match(self, text: str) -> bool:
        """Whether all of this text matches."""
        if not text:
            return self._is_nullable
        at, known = self._begin, self._next
        for character in text:
            then = known.get((at, character))
            if then is None:
                then = self._step(at, character)
            if not then:
                return False
            at = then
        return bool(at & self._last)

    def _step(self, at: int, character: str) -> int:
        reached, left = 0, at
        while left:
            lowest = left & -left
            reached |= self._follows[lowest.bit_length() - 1]
            left ^= lowest
        then = reached & self._mask(character)
        if len(self._next) >= _MOST_REMEMBERED:
            self._next.clear()
        self._next[at, character] = then
        return then

    def _mask(self, character: str) -> int:
        """The positions at which this character may stand."""
        mask = self._masks.get(character)
        if mask is None:
            mask = sum(1 << place for place, symbols in enumerate(self._symbols) if character in symbols)
            if len(self._masks) >= _MOST_REMEMBERED:
                self._masks.clear()
            self._masks[character] = mask
        return mask

    # --- building: whether it may be empty, where it may begin, where it may end ----------------

    def _build(self, node: Node) -> tuple[bool, int, int]:
        self._steps += 1
        if self._steps > _MOST_STEPS or len(self._symbols) > MOST_POSITIONS:
            raise BadMatcher(
                f"The pattern is too large: written out it has more than {MOST_POSITIONS} characters."
            )
        match node:
            case Symbols():
                self._symbols.append(node)
                self._follows.append(0)
                place = 1 << len(self._symbols) - 1
                return False, place, place
            case Sequence(parts):
                built = (True, 0, 0)
                for part in parts:
                    built = self._join(built, self._build(part))
                return built
            case Alternatives(parts):
                is_nullable, first, last = False, 0, 0
                for part in parts:
                    one = self._build(part)
                    is_nullable, first, last = is_nullable or one[0], first | one[1], last | one[2]
                return is_nullable, first, last
            case Repeat(part, least, most):
                return self._repeat(part, least, most)
        raise BadMatcher("^ and $ may only stand where nothing can come before or after them.")

    def _repeat(self, part: Node, least: int, most: int | None) -> tuple[bool, int, int]:
        built = (True, 0, 0)
        for _ in range(least if most is not None else max(least - 1, 0)):
            built = self._join(built, self._build(part))
        if most is None:
            _, first, last = again = self._build(part)
            self._follow(last, first)
            return self._join(built, (again[0] or least == 0, first, last))
        for _ in range(most - least):
            built = self._join(built, (True, *self._build(part)[1:]))
        return built

    def _join(self, one: tuple[bool, int, int], other: tuple[bool, int, int]) -> tuple[bool, int, int]:
        self._follow(one[2], other[1])
        first = one[1] | other[1] if one[0] else one[1]
        last = one[2] | other[2] if other[0] else other[2]
        return one[0] and other[0], first, last

    def _follow(self, last: int, first: int) -> None:
        while last:
            lowest = last & -last
            self._follows[lowest.bit_length() - 1] |= first
            last ^= lowest


@functools.lru_cache(maxsize=1_000)
def compiled(pattern: str) -> Regex:
    """As `Regex`, once for all who use it."""
    return Regex(pattern)


def _without_edge(node: Node, edge: type[Start] | type[End]) -> Node:
    """Without what says where the text begins, or ends, wherever that is so in any case."""
    if isinstance(node, edge):
        return Sequence(())
    if isinstance(node, Alternatives):
        return Alternatives(tuple(_without_edge(part, edge) for part in node.parts))
    if isinstance(node, Sequence) and node.parts:
        at = 0 if edge is Start else -1
        parts = list(node.parts)
        parts[at] = _without_edge(parts[at], edge)
        if parts[at] == Sequence(()):
            # What is gone leaves the next one at the edge.
            del parts[at]
            return _without_edge(Sequence(tuple(parts)), edge)
        return Sequence(tuple(parts))
    return node
