"""Patterns of channel names, as Redis has them for PSUBSCRIBE and in its ACL.

==========  ==================================================================
`*`         any bytes, none as well
`?`         one byte
`[a-cx]`    one of these bytes; `[^a]` any but these
`\\`         takes the next character as it is
==========  ==================================================================

Source: `stringmatchlen` in Redis' util.c. It goes by bytes, so `?` is half of an `é`; a `]` ends a set
wherever it stands, and one that nothing ends reaches to the end of the pattern. What a range with one end
outside ASCII has in it depends in Redis on the processor; here bytes are numbers from 0 to 255.
"""

import functools
import re
from collections.abc import Callable, Iterator
from typing import Final

_STAR: Final = ord("*")
_NEVER: Final = "(?!a)a"


class Glob:
    """One pattern.

    literal:    the only name that it matches; None: there may be others
    prefix:     what all names that it matches begin with, and no other name does; None: it is not as simple
    expression: the same for PostgreSQL, a regular expression for names whose bytes are characters (Latin-1)
    """

    def __init__(self, pattern: str) -> None:
        self.pattern = pattern
        parts = list(_parts(pattern.encode()))
        self.literal = _text(parts)
        self.prefix = _text(parts[:-1]) if parts and parts[-1] is None else None
        self.expression = "^" + "".join(".*" if part is None else _one(part) for part in parts) + "$"
        self._parts = parts

    def matches(self, name: str) -> bool:
        """Whether this name is one of them."""
        if self.literal is not None:
            return name == self.literal
        if self.prefix is not None:
            return name.startswith(self.prefix)
        return self._fullmatch(name.encode("utf-8", "surrogatepass").decode("latin-1")) is not None

    @functools.cached_property
    def _fullmatch(self) -> Callable[[str], object]:
        return re.compile(_for_python(self._parts), re.DOTALL).fullmatch

    def __repr__(self) -> str:
        return f"Glob({self.pattern!r})"


def escaped(name: str) -> str:
    """The pattern that matches this name alone."""
    return re.sub(r"([*?\[\\])", r"\\\1", name)


Part = int | frozenset[int] | None
"""One byte; one of several; None: any number of any."""

_ANY: Final = frozenset(range(256))


def _parts(pattern: bytes) -> Iterator[Part]:
    at = 0
    while at < len(pattern):
        byte = pattern[at]
        if byte == _STAR:
            while pattern[at + 1 : at + 2] == b"*":
                at += 1
            yield None
        elif byte == ord("?"):
            yield _ANY
        elif byte == ord("["):
            found, at = _set(pattern, at + 1)
            yield found
        elif byte == ord("\\") and at + 1 < len(pattern):
            at += 1
            yield pattern[at]
        else:
            yield byte
        at += 1


def _set(pattern: bytes, at: int) -> tuple[frozenset[int], int]:
    """What stands from here on to the end of the set, and where its last byte is."""
    inverted = pattern[at : at + 1] == b"^"
    at += inverted
    found: set[int] = set()
    while at < len(pattern) and (byte := pattern[at]) != ord("]"):
        if byte == ord("\\") and at + 1 < len(pattern):
            at += 1
            found.add(pattern[at])
        elif pattern[at + 1 : at + 2] == b"-" and at + 2 < len(pattern):
            low, high = sorted((byte, pattern[at + 2]))
            found.update(range(low, high + 1))
            at += 2
        else:
            found.add(byte)
        at += 1
    return frozenset(_ANY - found if inverted else found), at


def _text(parts: list[Part]) -> str | None:
    """As text, if it is nothing but bytes."""
    plain = [part for part in parts if isinstance(part, int)]
    return bytes(plain).decode() if len(plain) == len(parts) else None


def _one(part: int | frozenset[int]) -> str:
    if isinstance(part, int):
        return _escaped(part)
    if part == _ANY:
        return "."
    return "[" + "".join(map(_escaped, sorted(part))) + "]" if part else _NEVER


def _escaped(byte: int) -> str:
    """As Python and PostgreSQL both read it, in a set as well."""
    return chr(byte) if chr(byte).isascii() and chr(byte).isalnum() else f"\\u{byte:04x}"


def _for_python(parts: list[Part]) -> str:
    """What follows a `*` is taken where it comes first, and never looked for again; only the end is fixed.

    So the time grows with the lengths of name and pattern, and not with a power of them.
    """
    pieces = [""]
    for part in parts:
        if part is None:
            pieces.append("")
        else:
            pieces[-1] += _one(part)
    if len(pieces) == 1:
        return pieces[0]
    first, *middle, last = pieces
    return first + "".join(f"(?>.*?{piece})" for piece in middle) + ".*" + last
