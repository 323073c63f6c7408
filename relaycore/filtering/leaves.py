"""The values at one key, and what conditions make of all of them."""

import contextlib
import functools
import ipaddress
import re
from collections.abc import Collection, Iterable, Sequence
from decimal import Decimal
from typing import Final, NamedTuple, Protocol


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


class Values(Protocol):
    """What is at one key and is no object, those in lists one by one: each value once, in any order.

    is_something: whether there is more to one of them than that it is there
    has_others:   whether one of them is no text
    folded:       the texts, without capital letters
    addresses:    of those texts that are one: its version, and its bits as a number
    """

    @property
    def leaves(self) -> tuple[Leaf, ...]: ...
    @property
    def is_something(self) -> bool: ...
    @property
    def has_others(self) -> bool: ...
    @property
    def texts(self) -> Collection[str]: ...
    @property
    def folded(self) -> Collection[str]: ...
    @property
    def numbers(self) -> Collection[Decimal]: ...
    @property
    def words(self) -> Collection[str]: ...
    @property
    def addresses(self) -> Collection[tuple[int, int]]: ...


class One:
    """One value, as nearly always: nothing of it is worth keeping."""

    __slots__ = ("leaf",)

    def __init__(self, leaf: Leaf) -> None:
        self.leaf = leaf

    @property
    def leaves(self) -> tuple[Leaf, ...]:
        return (self.leaf,)

    @property
    def is_something(self) -> bool:
        return self.leaf.is_something

    @property
    def has_others(self) -> bool:
        return self.leaf.text is None

    @property
    def texts(self) -> Collection[str]:
        text = self.leaf.text
        return () if text is None else (text,)

    @property
    def folded(self) -> Collection[str]:
        text = self.leaf.text
        return () if text is None else (text.casefold(),)

    @property
    def numbers(self) -> Collection[Decimal]:
        number = self.leaf.number
        return () if number is None else (number,)

    @property
    def words(self) -> Collection[str]:
        word = self.leaf.word
        return () if word is None else (word,)

    @property
    def addresses(self) -> Collection[tuple[int, int]]:
        return _addresses(self.texts)


class Many:
    """Any number of them, and what is made of all of them, once."""

    def __init__(self, leaves: Iterable[Leaf]) -> None:
        self.leaves = tuple(dict.fromkeys(leaves))

    @functools.cached_property
    def is_something(self) -> bool:
        return any(leaf.is_something for leaf in self.leaves)

    @functools.cached_property
    def has_others(self) -> bool:
        return any(leaf.text is None for leaf in self.leaves)

    @functools.cached_property
    def texts(self) -> Collection[str]:
        return frozenset(leaf.text for leaf in self.leaves if leaf.text is not None)

    @functools.cached_property
    def folded(self) -> Collection[str]:
        return frozenset(map(str.casefold, self.texts))

    @functools.cached_property
    def numbers(self) -> Collection[Decimal]:
        return frozenset(leaf.number for leaf in self.leaves if leaf.number is not None)

    @functools.cached_property
    def words(self) -> Collection[str]:
        return frozenset(leaf.word for leaf in self.leaves if leaf.word is not None)

    @functools.cached_property
    def addresses(self) -> Collection[tuple[int, int]]:
        return frozenset(_addresses(self.texts))


_ADDRESS: Final = re.compile(r"[0-9A-Fa-f]*+[.:]")
"""How one begins. To refuse what is none takes longer than to read one."""


def _addresses(texts: Iterable[str]) -> Sequence[tuple[int, int]]:
    found = []
    for text in texts:
        if _ADDRESS.match(text):
            with contextlib.suppress(ValueError):
                address = ipaddress.ip_address(text)
                found.append((address.version, int(address)))
    return found
