"""Which characters may stand at one place of a pattern, and the sets of them that have names in RE2."""

from dataclasses import dataclass
from typing import Final

LAST: Final = 0x10FFFF
"""The last character that there is."""

Ranges = tuple[tuple[int, int], ...]
"""Of characters by their numbers, both ends in it."""


@dataclass(frozen=True, slots=True)
class Symbols:
    """One character: one of these, or none of these."""

    ranges: Ranges
    is_negated: bool = False
    is_folded: bool = False

    def __contains__(self, character: str) -> bool:
        some = {character, character.lower(), character.upper()} if self.is_folded else {character}
        codes = [ord(one) for one in some if len(one) == 1]
        is_among = any(low <= code <= high for code in codes for low, high in self.ranges)
        return is_among is not self.is_negated


def complement(ranges: Ranges) -> Ranges:
    """All others."""
    found, low = [], 0
    for first, last in sorted(ranges):
        if first > low:
            found.append((low, first - 1))
        low = last + 1
    return (*found, (low, LAST))


def _ranges(text: str) -> Ranges:
    """Of pairs of characters."""
    return tuple((ord(low), ord(high)) for low, high in zip(text[::2], text[1::2], strict=True))


CLASSES: Final = {"d": _ranges("09"), "w": _ranges("09AZaz__"), "s": _ranges("\t\n\f\r  ")}
NAMED: Final = {
    "alnum": _ranges("09AZaz"),
    "alpha": _ranges("AZaz"),
    "ascii": _ranges("\x00\x7f"),
    "blank": _ranges("\t\t  "),
    "cntrl": _ranges("\x00\x1f\x7f\x7f"),
    "digit": _ranges("09"),
    "graph": _ranges("!~"),
    "lower": _ranges("az"),
    "print": _ranges(" ~"),
    "punct": _ranges("!/:@[`{~"),
    "space": _ranges("\t\r  "),
    "upper": _ranges("AZ"),
    "word": _ranges("09AZaz__"),
    "xdigit": _ranges("09AFaf"),
}
