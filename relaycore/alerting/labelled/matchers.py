"""Matchers: what is asked of one label. Their meaning is Alertmanager's: a label that is lacking is empty."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from relaycore.alerting.labelled import regexes
from relaycore.alerting.labelled.labels import Labels, quoted
from relaycore.alerting.labelled.refused import BadMatcher

MOST: Final = 50
"""Matchers in one list."""

_MOST_BYTES: Final = 4_096
_SIGNS: Final = {
    "=": (False, True),
    "!=": (False, False),
    "=~": (True, True),
    "!~": (True, False),
}
"""Whether it is a pattern, and whether it is to match."""

_TEXT: Final = re.compile(r'\s*("(?:[^"\\]|\\.)*"|[^\s=!~"{},]+)\s*(=~|!~|!=|=)\s*(.*)', re.DOTALL)
_PLAIN: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_QUOTED: Final = re.compile(r'"((?:[^"\\]|\\.)*)"\s*', re.DOTALL)
_ESCAPED: Final = re.compile(r"\\(.)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Matcher:
    """What is asked of one label.

    Raises:
        BadMatcher: it cannot be meant.
    """

    name: str
    value: str
    is_regex: bool = False
    is_equal: bool = True
    _regex: regexes.Regex | None = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if not self.name:
            raise BadMatcher("A matcher needs the name of a label.")
        if len(self.name) + len(self.value) > _MOST_BYTES or "\x00" in self.name + self.value:
            raise BadMatcher(f"A matcher may have {_MOST_BYTES} characters, and none of them NUL.")
        found = regexes.compiled(self.value) if self.is_regex else None
        object.__setattr__(self, "_regex", found)

    def match(self, labels: Labels) -> bool:
        """Whether these labels are as asked."""
        value = labels.get(self.name, "")
        is_so = value == self.value if self._regex is None else self._regex.match(value)
        return is_so is self.is_equal

    def shown(self) -> dict[str, Any]:
        """As the API has it."""
        return {
            "name": self.name,
            "value": self.value,
            "isRegex": self.is_regex,
            "isEqual": self.is_equal,
        }

    def __str__(self) -> str:
        sign = next(sign for sign, kind in _SIGNS.items() if kind == (self.is_regex, self.is_equal))
        name = self.name if _PLAIN.fullmatch(self.name) else quoted(self.name)
        return f"{name}{sign}{quoted(self.value)}"


def match_all(matchers: Iterable[Matcher], labels: Labels) -> bool:
    """Whether these labels are as all of them ask."""
    return all(matcher.match(labels) for matcher in matchers)


def of(given: object) -> Matcher:
    """One matcher, as the API has it or as text.

    Raises:
        BadMatcher: it is none.
    """
    if isinstance(given, str):
        return parse(given)
    if not isinstance(given, Mapping):
        raise BadMatcher('A matcher is {"name", "value", "isRegex", "isEqual"}, or a text as name="value".')
    name, value = given.get("name"), given.get("value")
    is_regex, is_equal = given.get("isRegex", False), given.get("isEqual", True)
    if not isinstance(name, str) or not isinstance(value, str):
        raise BadMatcher("name and value of a matcher must be texts.")
    if is_equal is None:
        is_equal = True
    if not isinstance(is_regex, bool) or not isinstance(is_equal, bool):
        raise BadMatcher("isRegex and isEqual of a matcher must be true or false.")
    return Matcher(name, value, is_regex, is_equal)


def several(given: object, name: str = "matchers") -> tuple[Matcher, ...]:
    """A list of them, in which none is there twice. `name`: what it is called.

    Raises:
        BadMatcher: it is no list, too long, or one of them is none.
    """
    if not isinstance(given, list | tuple):
        raise BadMatcher(f"{name} must be a list.")
    if len(given) > MOST:
        raise BadMatcher(f"{name} may have {MOST} matchers.")
    return tuple(dict.fromkeys(of(one) for one in given))


def parse(text: str) -> Matcher:
    """One of the forms `name=value`, `!=`, `=~`, `!~`; name and value may stand in double quotes.

    Raises:
        BadMatcher: it is none of these.
    """
    found = _TEXT.fullmatch(text)
    if found is None:
        raise BadMatcher('A matcher must be as name="value", with one of =, !=, =~ and !~.')
    name, sign, value = found.groups()
    is_regex, is_equal = _SIGNS[sign]
    return Matcher(_unquoted(name), _unquoted(value), is_regex, is_equal)


def _unquoted(text: str) -> str:
    if not text.startswith('"'):
        return text.rstrip()
    found = _QUOTED.fullmatch(text)
    if found is None:
        raise BadMatcher("A matcher has a double quote that nothing closes, or something behind it.")
    return _ESCAPED.sub(lambda one: {"n": "\n"}.get(one[1], _kept(one[1])), found[1])


def _kept(character: str) -> str:
    """Only these are escaped; before others a backslash is one, so that patterns need not double theirs."""
    return character if character in '"\\' else "\\" + character
