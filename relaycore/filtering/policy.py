"""A filter policy, read once, and whether a message matches it. What it means: `relaycore.filtering`."""

import copy
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from relaycore.filtering.conditions import OPERATORS, Conditions, bad, inside, is_storable
from relaycore.filtering.conditions import parse as parse_conditions
from relaycore.filtering.values import Attributes, Body, Fields, Object

BODY: Final = "body"
ATTRIBUTES: Final = "attributes"
SCOPES: Final = (BODY, ATTRIBUTES)

MOST_KEYS: Final = 5
"""Of a policy; those deeper down are not counted."""

MOST_COMBINATIONS: Final = 150
MOST_POINTS: Final = 150
"""With as many, a hostile body may take some seconds for each MiB (`conditions.POINTS`)."""

POINTS_OF_INNER_KEY: Final = 10
MOST_BYTES: Final = 256 << 10
"""As JSON."""

MOST_LEVELS: Final = 32
"""Of objects in objects, those of `$or` as well."""

_OR: Final = "$or"
_NOTHING: Final = Object({})


@dataclass(frozen=True, slots=True)
class All:
    """What one object of a policy asks: all of this.

    values:  of values, by key
    objects: of objects, by key
    choices: each: one of these
    """

    values: tuple[tuple[str, Conditions], ...]
    objects: tuple[tuple[str, "All"], ...]
    choices: tuple[tuple["All", ...], ...]

    def match(self, fields: Fields) -> bool:
        """Whether what has these fields is as asked."""
        for key, conditions in self.values:
            if not conditions.match(fields.values(key)):
                return False
        for key, asked in self.objects:
            if not asked.match_one(fields.objects(key)):
                return False
        return all(any(asked.match(fields) for asked in choice) for choice in self.choices)

    def match_one(self, objects: Iterable[Fields]) -> bool:
        """Whether one of these objects is as asked; if there is none: whether an empty one would be."""
        there = False
        for one in objects:
            there = True
            if self.match(one):
                return True
        return not there and self.match(_NOTHING)

    def combinations(self, level: int = 1) -> int:
        """How many SNS would count; beyond `MOST_COMBINATIONS` perhaps too few."""
        factors = [
            *(conditions.count * level for _, conditions in self.values),
            *(asked.combinations(level + 1) for _, asked in self.objects),
            *(sum(asked.combinations(level) for asked in choice) for choice in self.choices),
        ]
        count = 1
        for factor in factors:
            count *= factor
            if count > MOST_COMBINATIONS:
                break
        return count

    @property
    def points(self) -> int:
        """How long a message may take: what is asked of objects may be asked of each of a long list."""
        inner = [asked for _, asked in self.objects]
        return (
            sum(conditions.points for _, conditions in self.values)
            + sum(asked.points for choice in (*self.choices, inner) for asked in choice)
            + sum(asked.keys * POINTS_OF_INNER_KEY for asked in inner)
        )

    @property
    def keys(self) -> int:
        """How many, without those of objects in it."""
        inner = (asked.keys for choice in self.choices for asked in choice)
        return len(self.values) + len(self.objects) + sum(inner)


class Filter:
    """One policy. Never changed; may be asked from any thread."""

    def __init__(self, policy: dict[str, Any], asked: All) -> None:
        self._policy = policy
        self._asked = asked

    def matches_body(self, body: str | bytes | Body) -> bool:
        """Whether this payload matches. A `Body` is decoded once for all filters that are asked."""
        if not self._policy:
            return True
        found = (body if isinstance(body, Body) else Body(body)).object
        return found is not None and self._asked.match(found)

    def matches_attributes(self, attributes: Mapping[str, str] | Attributes | None) -> bool:
        """Whether a message with these attributes matches."""
        if not self._policy:
            return True
        found = attributes if isinstance(attributes, Attributes) else Attributes(attributes)
        return bool(found) and self._asked.match(found)

    @property
    def points(self) -> int:
        """How long a message may take, beside what it takes to read it: up to `MOST_POINTS`."""
        return self._asked.points

    def as_json(self) -> dict[str, Any]:
        """The policy as it was given: the form in which `parse` takes it."""
        return copy.deepcopy(self._policy)

    def __repr__(self) -> str:
        return f"Filter({self._policy!r})"


def parse(policy: object, scope: str = BODY) -> Filter:
    """Read a policy from decoded JSON.

    scope: what it is for, one of `SCOPES`: attributes have no objects in them

    Raises:
        BadFilter: with the path of the key, and a sentence that says what to do.
    """
    if not isinstance(policy, dict):
        raise bad("", 'is not an object. Write one, such as {"store": ["example_corp"]}.')
    if len(policy) > MOST_KEYS:
        raise bad("", f"has {len(policy)} keys. Write at most {MOST_KEYS}, or make several filters.")
    asked = _all(policy, "", scope, MOST_LEVELS) if policy else All((), (), ())
    if asked.combinations() > MOST_COMBINATIONS:
        raise bad(
            "",
            f"has more than {MOST_COMBINATIONS} combinations: how many values a key has, times how deep it "
            f"stands, all multiplied; those in {_OR} are added. Take values out, or make several filters.",
        )
    if asked.points > MOST_POINTS:
        raise bad(
            "",
            "takes too long: a prefix, suffix or cidr counts for 1, a wildcard or numeric for 5, each "
            f"key in an object for {POINTS_OF_INNER_KEY}, {MOST_POINTS} at most. Make several filters.",
        )
    if (size := len(json.dumps(policy, ensure_ascii=False).encode())) > MOST_BYTES:
        raise bad("", f"has {size} bytes. Write at most {MOST_BYTES}, or make several filters.")
    return Filter(copy.deepcopy(policy), asked)


def _all(policy: Mapping[object, object], path: str, scope: str, levels: int) -> All:
    if not policy:
        raise bad(path, "is an empty object. Write a key into it, or leave it out.")
    if not levels:
        raise bad(path, f"stands deeper than {MOST_LEVELS} objects in each other. Write it flatter.")
    values: list[tuple[str, Conditions]] = []
    objects: list[tuple[str, All]] = []
    choices: list[tuple[All, ...]] = []
    for key, value in policy.items():
        if not isinstance(key, str) or not is_storable(key):
            raise bad(path, "has a key with a NUL or half a surrogate pair in it. Leave it out.")
        place = inside(path, key)
        if key == _OR and isinstance(value, list) and _are_choices(value):
            found = enumerate(value)
            choices.append(tuple(_all(one, f"{place}[{at}]", scope, levels - 1) for at, one in found))
        elif isinstance(value, list):
            values.append((key, parse_conditions(value, place)))
        elif not isinstance(value, dict):
            raise bad(place, "is not a list. Write what matches into one, such as [1] for 1.")
        elif scope == ATTRIBUTES:
            raise bad(
                place, f'is an object, and attributes have none. Write a list, or use the scope "{BODY}".'
            )
        else:
            objects.append((key, _all(value, place, scope, levels - 1)))
    return All(tuple(values), tuple(objects), tuple(choices))


def _are_choices(values: list[Any]) -> bool:
    """Whether `$or` is one. Else it is a key, as it was before SNS knew it."""
    return bool(values) and all(
        isinstance(value, dict) and value.keys().isdisjoint(OPERATORS) for value in values
    )
