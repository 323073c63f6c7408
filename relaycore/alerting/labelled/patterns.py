"""A pattern in RE2's syntax, read into a tree."""

import re
from dataclasses import dataclass
from typing import Final

from relaycore.alerting.labelled.characters import CLASSES, LAST, NAMED, Ranges, Symbols, complement
from relaycore.alerting.labelled.refused import BadMatcher

MOST_CHARACTERS: Final = 4_096
MOST_REPEATS: Final = 1_000
"""As in RE2."""

_MOST_LEVELS: Final = 50


@dataclass(frozen=True, slots=True)
class Sequence:
    """One after another."""

    parts: "tuple[Node, ...]"


@dataclass(frozen=True, slots=True)
class Alternatives:
    """One of these."""

    parts: "tuple[Node, ...]"


@dataclass(frozen=True, slots=True)
class Repeat:
    """So many times; `most` None: without an end."""

    part: "Node"
    least: int
    most: int | None


@dataclass(frozen=True, slots=True)
class Start:
    """Where the text begins."""


@dataclass(frozen=True, slots=True)
class End:
    """Where the text ends."""


Node = Symbols | Sequence | Alternatives | Repeat | Start | End


def parse(pattern: str) -> Node:
    """The tree of a pattern.

    Raises:
        BadMatcher: it is none, or has something that `regexes` does not know.
    """
    if len(pattern) > MOST_CHARACTERS:
        raise BadMatcher(f"A pattern may have {MOST_CHARACTERS} characters.")
    reader = _Reader(pattern)
    tree = reader.alternatives(_Flags(), 0)
    if reader.at < len(pattern):
        raise BadMatcher('The pattern has a ")" that closes nothing.')
    return tree


@dataclass(frozen=True, slots=True)
class _Flags:
    is_folded: bool = False
    is_dot_all: bool = False


class _Reader:
    def __init__(self, pattern: str) -> None:
        self.pattern = pattern
        self.at = 0

    def alternatives(self, flags: _Flags, level: int) -> Node:
        if level > _MOST_LEVELS:
            raise BadMatcher(f"Groups of a pattern may be nested {_MOST_LEVELS} deep.")
        found, parts = [], list[Node]()
        while self.at < len(self.pattern) and self.pattern[self.at] != ")":
            if self._takes("|"):
                found.append(Sequence(tuple(parts)))
                parts = []
            elif (given := self._flags(flags)) is not None:
                flags = given
            elif self._takes(r"\Q"):
                end = self.pattern.find(r"\E", self.at)
                text = self.pattern[self.at :] if end < 0 else self.pattern[self.at : end]
                self.at += len(text) + (0 if end < 0 else 2)
                parts += [_one(character, flags) for character in text]
            else:
                parts.append(self._repeated(self._atom(flags, level)))
        found.append(Sequence(tuple(parts)))
        return found[0] if len(found) == 1 else Alternatives(tuple(found))

    def _takes(self, text: str) -> bool:
        if not self.pattern.startswith(text, self.at):
            return False
        self.at += len(text)
        return True

    def _flags(self, flags: _Flags) -> _Flags | None:
        """Those of `(?i)`, which hold up to the end of the group they stand in."""
        found = _FLAGS.match(self.pattern, self.at)
        if found is None:
            return None
        self.at = found.end()
        return _changed(flags, found[1])

    def _atom(self, flags: _Flags, level: int) -> Node:
        found: Node
        character = self.pattern[self.at]
        self.at += 1
        if character in _REPEATED:
            raise BadMatcher(f'The pattern has a "{character}" with nothing before it to repeat.')
        match character:
            case "(":
                found = self._group(flags, level)
            case "[":
                found = Symbols(*self._class(), flags.is_folded)
            case ".":
                found = Symbols(() if flags.is_dot_all else ((10, 10),), is_negated=True)
            case "^":
                found = Start()
            case "$":
                found = End()
            case "\\":
                found = self._escape(flags)
            case _:
                found = _one(character, flags)
        return found

    def _group(self, flags: _Flags, level: int) -> Node:
        if self._takes("?"):
            found = _GROUP.match(self.pattern, self.at)
            if found is None:
                raise BadMatcher(
                    "The pattern has a group that is not known. Looking ahead or back is not; "
                    "(?:…), (?i:…) and (?P<name>…) are."
                )
            self.at = found.end()
            flags = _changed(flags, found[1] or "")
        tree = self.alternatives(flags, level + 1)
        if not self._takes(")"):
            raise BadMatcher('The pattern has a "(" that nothing closes.')
        return tree

    def _repeated(self, part: Node) -> Node:
        found = _REPEAT.match(self.pattern, self.at)
        if found is None:
            return part
        self.at = found.end()
        if _REPEAT.match(self.pattern, self.at):
            raise BadMatcher("The pattern repeats a repetition: put a group around it.")
        sign = found[1]
        if sign in _SIGNS:
            return Repeat(part, *_SIGNS[sign])
        least = int(found[2])
        most = least if found[3] is None else (int(found[4]) if found[4] else None)
        if max(least, most or 0) > MOST_REPEATS or (most is not None and most < least):
            raise BadMatcher(f"A pattern may repeat something up to {MOST_REPEATS} times, {{least,most}}.")
        return Repeat(part, least, most)

    def _escape(self, flags: _Flags) -> Node:
        letter = self.pattern[self.at : self.at + 1]
        if letter.lower() in CLASSES:
            self.at += 1
            return Symbols(CLASSES[letter.lower()], letter.isupper())
        if letter in ("A", "z"):
            self.at += 1
            return Start() if letter == "A" else End()
        return _one(chr(self._code()), flags)

    def _code(self) -> int:
        """The character that an escape means, behind its backslash."""
        found = _ESCAPED.match(self.pattern, self.at)
        if found is None:
            letter = self.pattern[self.at : self.at + 1]
            raise BadMatcher(
                f'The pattern has "\\{letter}", which is not known here.'
                if letter
                else "The pattern ends with a backslash."
            )
        self.at = found.end()
        if digits := found[1] or found[2]:
            code = int(digits, 16)
            if code > LAST:
                raise BadMatcher(f"The pattern has a character \\x{{{digits}}}, which there is not.")
            return code
        return ord(_CONTROLS.get(found[0], found[0]))

    def _class(self) -> tuple[Ranges, bool]:
        is_negated, ranges, is_first = self._takes("^"), list[tuple[int, int]](), True
        while is_first or not self._takes("]"):
            is_first = False
            if found := _POSIX.match(self.pattern, self.at):
                self.at = found.end()
                ranges += complement(NAMED[found[2]]) if found[1] else NAMED[found[2]]
                continue
            if found := _LETTER_CLASS.match(self.pattern, self.at):
                self.at = found.end()
                named = CLASSES[found[1].lower()]
                ranges += complement(named) if found[1].isupper() else named
                continue
            low = high = self._member()
            if self.pattern.startswith("-", self.at) and not self.pattern.startswith("-]", self.at):
                self.at += 1
                high = self._member()
            if high < low:
                raise BadMatcher("The pattern has a range whose end is below its beginning.")
            ranges.append((low, high))
        return tuple(ranges), is_negated

    def _member(self) -> int:
        if self.at >= len(self.pattern):
            raise BadMatcher('The pattern has a "[" that nothing closes.')
        character = self.pattern[self.at]
        self.at += 1
        return self._code() if character == "\\" else ord(character)


def _one(character: str, flags: _Flags) -> Symbols:
    return Symbols(((ord(character), ord(character)),), is_folded=flags.is_folded)


def _changed(flags: _Flags, letters: str) -> _Flags:
    is_on, is_folded, is_dot_all = True, flags.is_folded, flags.is_dot_all
    for letter in letters:
        if letter == "-":
            is_on = False
        elif letter == "i":
            is_folded = is_on
        elif letter == "s":
            is_dot_all = is_on
        elif letter == "m" and is_on:
            raise BadMatcher("The pattern has the flag m: it is asked of a whole text, and not of its lines.")
    return _Flags(is_folded, is_dot_all)


_FLAGS: Final = re.compile(r"\(\?([imsU]*(?:-[imsU]+)?)\)")
_GROUP: Final = re.compile(r"(?:([imsU]*(?:-[imsU]+)?):|P?<[A-Za-z_][A-Za-z0-9_]*>)")
_REPEAT: Final = re.compile(r"([*+?]|\{([0-9]{1,4})(,([0-9]{1,4})?)?\})\??")
_ESCAPED: Final = re.compile(r"x(?:([0-9A-Fa-f]{2})|\{([0-9A-Fa-f]{1,8})\})|[aftnrv]|[!-/:-@\[-`{-~]")
_POSIX: Final = re.compile(
    r"\[:(\^?)(alnum|alpha|ascii|blank|cntrl|digit|graph|lower|print|punct|space|upper|word|xdigit):\]"
)
_LETTER_CLASS: Final = re.compile(r"\\([dswDSW])")
_SIGNS: Final[dict[str, tuple[int, int | None]]] = {"*": (0, None), "+": (1, None), "?": (0, 1)}
_REPEATED: Final = frozenset(_SIGNS)
_CONTROLS: Final = {"a": "\a", "f": "\f", "t": "\t", "n": "\n", "r": "\r", "v": "\v"}
