"""What a message has at a key, as the conditions of a filter look at it.

A body is decoded at most once, and so is each attribute that is a JSON list: whoever asks several filters
hands all of them the same `Body` or `Attributes`.
"""

import functools
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any, Final, NamedTuple, Protocol


class Leaf(NamedTuple):
    """A value that is neither a list nor an object.

    text, number: what it is as the one or the other; an attribute may be both
    word:         "true", "false" or "null"
    """

    text: str | None = None
    number: Decimal | None = None
    word: str | None = None

    @property
    def is_something(self) -> bool:
        """Whether there is more to it than that it is there."""
        return self.text != "" and self.word != "null"


class Fields(Protocol):
    """What has keys."""

    def leaves(self, key: str) -> Iterable[Leaf]:
        """The values at this key, those in lists one by one."""

    def objects(self, key: str) -> "Iterable[Fields]":
        """The objects at this key, those in lists one by one."""


class Object:
    """An object of a body."""

    __slots__ = ("_members",)

    def __init__(self, members: Mapping[str, Any]) -> None:
        self._members = members

    def leaves(self, key: str) -> Iterable[Leaf]:
        value = self._members.get(key, _EMPTY)
        if isinstance(value, list):
            return _leaves(value)
        return () if isinstance(value, dict) else (_leaf(value),)

    def objects(self, key: str) -> "Iterable[Object]":
        value = self._members.get(key, _EMPTY)
        if isinstance(value, list):
            return (Object(one) for one in _spread(value) if isinstance(one, dict))
        return (Object(value),) if isinstance(value, dict) else ()


class Body:
    """The payload of a message."""

    def __init__(self, payload: str | bytes) -> None:
        self._payload = payload

    @functools.cached_property
    def object(self) -> Object | None:
        """None: it is not a JSON object."""
        try:
            text = self._payload if isinstance(self._payload, str) else self._payload.decode()
        except UnicodeDecodeError:
            return None
        # Most of what is none shows it with its first character.
        members = _decoded(text) if _OBJECT_BEGINS.match(text) else None
        return Object(members) if isinstance(members, dict) else None


class Attributes:
    """The attributes of a message."""

    def __init__(self, attributes: Mapping[str, str] | None) -> None:
        self._attributes = attributes or {}
        self._known: dict[str, Sequence[Leaf]] = {}

    def __bool__(self) -> bool:
        return bool(self._attributes)

    def leaves(self, key: str) -> Iterable[Leaf]:
        if key not in self._known:
            text = self._attributes.get(key)
            self._known[key] = () if text is None else tuple(_of_attribute(text))
        return self._known[key]

    def objects(self, key: str) -> Iterable[Fields]:
        return ()


_EMPTY: Final[list[Any]] = []
_OBJECT_BEGINS: Final = re.compile(r"[ \t\r\n]*+\{")
_LIST_BEGINS: Final = re.compile(r"[ \t\r\n]*+\[")
# Possessive: nothing is tried twice.
_NUMBER: Final = re.compile(r"[+-]?+(?:[0-9]++(?:\.[0-9]*+)?+|\.[0-9]++)(?:[eE][+-]?+[0-9]++)?+")


def _of_attribute(text: str) -> Iterable[Leaf]:
    if _LIST_BEGINS.match(text) and isinstance(found := _decoded(text), list):
        return _leaves(found)
    number = _number(text) if _NUMBER.fullmatch(text) else None
    return (Leaf(text, number if isinstance(number, Decimal) else None),)


def _leaves(values: list[Any]) -> Iterator[Leaf]:
    return (_leaf(value) for value in _spread(values) if not isinstance(value, dict))


def _leaf(value: Any) -> Leaf:
    match value:
        case str():
            return Leaf(text=value)
        case bool():
            return Leaf(word="true" if value else "false")
        case Decimal():
            return Leaf(number=value)
        case None:
            return Leaf(word="null")
    return Leaf()


def _spread(values: list[Any]) -> Iterator[Any]:
    """What this list has in it, however deep in other lists. In any order."""
    waiting = list(values)
    while waiting:
        one = waiting.pop()
        if isinstance(one, list):
            waiting.extend(one)
        else:
            yield one


_BEYOND: Final = object()
"""A number whose exponent has more than 18 digits. It is equal to none, and in no range."""


def _number(text: str) -> Decimal | object:
    try:
        return Decimal(text)
    except ArithmeticError:
        return _BEYOND


def _refuse(constant: str) -> Any:
    raise ValueError(f"{constant} is not a JSON number")


_decoder: Final = json.JSONDecoder(parse_int=_number, parse_float=_number, parse_constant=_refuse)


def _decoded(text: str) -> Any:
    """What this JSON is; None: it is none, or nested too deeply."""
    try:
        return _decoder.decode(text)
    except (ValueError, RecursionError):
        return None
