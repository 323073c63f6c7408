"""What a message has at a key, as the conditions of a filter look at it.

A body is decoded at most once, and so is each attribute that is a JSON list: whoever asks several filters
hands all of them the same `Body` or `Attributes`. What is at a key is gone through once, however many choices
(`$or`) ask of it: each value is kept once, and so is what conditions make of all of them.
"""

import functools
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal
from typing import Any, Final, Protocol

from relaycore.filtering.leaves import Leaf, Many, One, Values


class Fields(Protocol):
    """What has keys."""

    def values(self, key: str) -> Values:
        """What is at this key and is no object."""

    def objects(self, key: str) -> "Iterable[Fields]":
        """The objects at this key, those in lists one by one."""


class Object:
    """An object of a body."""

    __slots__ = ("_known", "_members")

    def __init__(self, members: Mapping[str, Any]) -> None:
        self._members = members
        self._known: dict[str, Values] | None = None  # There may be very many of these.

    def values(self, key: str) -> Values:
        value = self._members.get(key, _EMPTY)
        if value is _EMPTY or isinstance(value, dict):
            return _NO_VALUES
        if not isinstance(value, list):
            return One(_leaf(value))
        if self._known is None:
            self._known = {}
        if (found := self._known.get(key)) is None:
            found = self._known[key] = Many(_leaves(value))
        return found

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
        self._known: dict[str, Values] = {}

    def __bool__(self) -> bool:
        return bool(self._attributes)

    def values(self, key: str) -> Values:
        if (text := self._attributes.get(key)) is None:
            return _NO_VALUES
        if (found := self._known.get(key)) is None:
            found = self._known[key] = _of_attribute(text)
        return found

    def objects(self, key: str) -> Iterable[Fields]:
        return ()


_EMPTY: Final[list[Any]] = []
_NO_VALUES: Final = Many(())
_OBJECT_BEGINS: Final = re.compile(r"[ \t\r\n]*+\{")
_LIST_BEGINS: Final = re.compile(r"[ \t\r\n]*+\[")
# Possessive: nothing is tried twice.
_NUMBER: Final = re.compile(r"[+-]?+(?:[0-9]++(?:\.[0-9]*+)?+|\.[0-9]++)(?:[eE][+-]?+[0-9]++)?+")


def _of_attribute(text: str) -> Values:
    if _LIST_BEGINS.match(text) and isinstance(found := _decoded(text), list):
        return Many(_leaves(found))
    number = _number(text) if _NUMBER.fullmatch(text) else None
    return One(Leaf(text, number if isinstance(number, Decimal) else None))


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
