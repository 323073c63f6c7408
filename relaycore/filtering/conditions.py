"""What a policy asks of the value at one key: one of several conditions.

Conditions of one kind are put together, so that many of them cost little more than one.
"""

import ipaddress
import math
import operator
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from relaycore.errors import BadFilter
from relaycore.filtering import wildcards
from relaycore.filtering.kinds import KINDS, Kind
from relaycore.filtering.leaves import Leaf, One, Values

MOST_DIGITS: Final = 100
"""Of a whole number."""

POINTS: Final[Mapping[str, int]] = {"prefix": 1, "suffix": 1, "cidr": 1, "wildcard": 5, "numeric": 5}
"""What each costs where there are several. However many of the others there are, they cost as much as one."""

_MOST_SHOWN: Final = 60

Test = Callable[[Values], bool]


@dataclass(frozen=True, slots=True)
class Conditions:
    """One of them must hold.

    tests:  of all the values: whether it holds for one of them
    exists: whether there must be a value, whatever it is; both: it makes no difference
    count:  how many there are
    points: how long it takes to look whether a value is none of them; `POINTS`
    """

    tests: tuple[Test, ...]
    exists: frozenset[bool]
    count: int
    points: int

    def match(self, values: Values) -> bool:
        """Whether one of them holds for one of these values."""
        for test in self.tests:
            if test(values):
                return True
        return bool(self.exists) and values.is_something in self.exists


def parse(values: Sequence[object], path: str) -> Conditions:
    """Read what stands at a key.

    Raises:
        BadFilter: with the path, and a sentence that says what is wrong.
    """
    if not values:
        raise bad(path, 'is empty. List the values that match, or say [{"exists": true}].')
    literals: list[object] = []
    patterns: dict[str, list[str]] = {}
    tests: list[Test] = []
    exists: set[bool] = set()
    points = 0
    for index, value in enumerate(values):
        place = f"{path}[{index}]"
        if not isinstance(value, dict):
            literals.append(_checked(value, place))
            continue
        name, operand = _only(value, place, OPERATORS)
        place = f"{place}.{name}"
        points += _points(name, operand)
        if name in KINDS:
            patterns.setdefault(name, []).append(_pattern(name, operand, place))
        elif name == "exists":
            exists.add(_flag(operand, place))
        else:
            tests.append((_numeric if name == "numeric" else _anything_but)(operand, place))
    equal = [_equals(literals)] if literals else []
    together = [_some(KINDS[name], found) for name, found in patterns.items()]
    return Conditions((*equal, *together, *tests), frozenset(exists), len(values), points)


def _points(name: str, operand: object) -> int:
    if name != "anything-but":
        return POINTS.get(name, 0)
    if not isinstance(operand, dict):
        return 0
    return sum(
        POINTS.get(inner, 0) * (len(found) if isinstance(found, list) else 1)
        for inner, found in operand.items()
    )


def bad(path: str, text: str) -> BadFilter:
    """The error that something is wrong there. `path`: as `inside` makes it; empty: the whole policy."""
    return BadFilter(f"The filter {text}" if not path else f"In the filter, {path} {text}")


def inside(path: str, key: str) -> str:
    """The path of a key in what has this path."""
    return f"{path}.{shown(key)}" if path else shown(key)


def shown(text: str) -> str:
    """As a sentence can have it, on one line and not too long."""
    line = " ".join(text.encode("utf-8", "backslashreplace").decode().split())
    return line[:_MOST_SHOWN] + ("…" if len(line) > _MOST_SHOWN else "") if line else '""'


def is_storable(text: str) -> bool:
    """JSON can write NUL and half a surrogate pair, which PostgreSQL's jsonb cannot keep."""
    return not re.search("[\0\ud800-\udfff]", text)


def _only(value: Mapping[object, object], path: str, names: Sequence[str]) -> tuple[str, object]:
    """The operator of a condition, and what stands behind it."""
    if len(value) != 1:
        raise bad(path, f"has {len(value)} operators. Write each in an object of its own.")
    ((name, operand),) = value.items()
    if not isinstance(name, str) or name not in names:
        raise bad(path, f"has {shown(str(name))}, which is no operator here. Use {', '.join(names)}.")
    return name, operand


def _text(value: object, path: str) -> str:
    if not isinstance(value, str):
        raise bad(path, 'is not text. Write it in quotes, such as "orders".')
    if not is_storable(value):
        raise bad(path, "has a NUL or half a surrogate pair in it. Leave it out.")
    return value


def _flag(value: object, path: str) -> bool:
    if not isinstance(value, bool):
        raise bad(path, "is neither true nor false. Write one of them, without quotes.")
    return value


def _number(value: object, path: str) -> Decimal:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise bad(path, "is not a number. Write one, without quotes.")
    if isinstance(value, float):
        if not math.isfinite(value):
            raise bad(path, "is not a finite number. Write one that is.")
        return Decimal(repr(value))
    if abs(value) >= 10**MOST_DIGITS:
        raise bad(path, f"has more than {MOST_DIGITS} digits. Write a smaller number.")
    return Decimal(value)


def _checked(value: object, path: str) -> object:
    """Text, true, false, None, or a Decimal for a number."""
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        return _text(value, path)
    if isinstance(value, int | float):
        return _number(value, path)
    raise bad(path, "is no value. Write text, a number, true, false or null.")


@dataclass(frozen=True, slots=True)
class _Literals:
    """Text, numbers and words that a value may be equal to."""

    texts: frozenset[str]
    numbers: frozenset[Decimal]
    words: frozenset[str]

    @classmethod
    def of(cls, values: Sequence[object]) -> "_Literals":
        names = ((None, "null"), (True, "true"), (False, "false"))
        return cls(
            frozenset(value for value in values if isinstance(value, str)),
            frozenset(value for value in values if isinstance(value, Decimal)),
            frozenset(word for value, word in names if any(one is value for one in values)),
        )

    def has(self, leaf: Leaf) -> bool:
        return leaf.text in self.texts or leaf.number in self.numbers or leaf.word in self.words

    def has_one(self, values: Values) -> bool:
        if isinstance(values, One):
            return self.has(values.leaf)
        return not (
            self.texts.isdisjoint(values.texts)
            and self.numbers.isdisjoint(values.numbers)
            and self.words.isdisjoint(values.words)
        )


def _equals(values: Sequence[object]) -> Test:
    return _Literals.of(values).has_one


def _some(kind: Kind, patterns: Sequence[str]) -> Test:
    fits, what = kind.fits(patterns), kind.what
    return lambda values: any(map(fits, what(values)))


OPERATORS: Final = (*KINDS, "numeric", "exists", "anything-but")

_IN_ANYTHING_BUT: Final = ("prefix", "suffix", "equals-ignore-case", "wildcard")


def _pattern(name: str, operand: object, path: str) -> str:
    """Checked for what its operator can use."""
    text = _text(operand, path)
    if name in ("prefix", "suffix") and not text:
        raise bad(path, 'is empty, and would match any text. Write some, or say {"exists": true}.')
    if name == "wildcard" and wildcards.pieces(text) is None:
        raise bad(path, "has a backslash before what needs none. Write \\* for a star, \\\\ for a backslash.")
    if name == "cidr" and not _is_network(text):
        raise bad(path, "is no network. Write an address and its bits, such as 10.0.0.0/8.")
    return text


def _is_network(text: str) -> bool:
    try:
        ipaddress.ip_network(text, strict=False)
    except ValueError:
        return False
    return re.fullmatch(r"[^/]+(/[0-9]+)?", text) is not None  # No mask in dots.


_COMPARE: Final[Mapping[str, Callable[[Decimal, Decimal], bool]]] = {
    "=": operator.eq,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


def _numeric(operand: object, path: str) -> Test:
    match operand:
        case ["=" | "<" | "<=" | ">" | ">=" as sign, number]:
            fits = _compares(_COMPARE[sign], _number(number, path))
            return lambda values: any(map(fits, values.numbers))
        case [">" | ">=" as above, low, "<" | "<=" as below, high]:
            bottom, top = _number(low, path), _number(high, path)
            if bottom >= top:
                raise bad(path, "begins where it should end. Write the smaller number first, or use =.")
            is_above, is_below = _compares(_COMPARE[above], bottom), _compares(_COMPARE[below], top)
            return lambda values: any(is_above(number) and is_below(number) for number in values.numbers)
    raise bad(path, 'is no comparison. Write ["=", 5], or <, <=, >, >= for =, or [">=", 1, "<", 5].')


def _compares(compare: Callable[[Decimal, Decimal], bool], bound: Decimal) -> Callable[[Decimal], bool]:
    return lambda number: compare(number, bound)


def _anything_but(operand: object, path: str) -> Test:
    if not isinstance(operand, dict):
        literals = _Literals.of([_checked(one, place) for one, place in _each(operand, path)])
        return lambda values: not all(map(literals.has, values.leaves))
    name, inner = _only(operand, path, _IN_ANYTHING_BUT)
    path = f"{path}.{name}"
    kind = KINDS[name]
    fits = kind.fits([_pattern(name, one, place) for one, place in _each(inner, path)])
    return lambda values: values.has_others or not all(map(fits, kind.what(values)))


def _each(operand: object, path: str) -> list[tuple[object, str]]:
    """What stands in a list, or alone, with its path."""
    if not isinstance(operand, list):
        return [(operand, path)]
    if not operand:
        raise bad(path, 'is empty, and would match anything. Write a value, or say {"exists": true}.')
    return [(one, f"{path}[{index}]") for index, one in enumerate(operand)]
