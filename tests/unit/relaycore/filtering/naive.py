"""What a filter means, said a second time: slowly, and straight from the policy."""

import ipaddress
import json
from fractions import Fraction
from typing import Any

from relaycore.filtering.conditions import OPERATORS


def matches_body(policy: Any, body: str) -> bool:
    return policy == {} or holds(policy, json.loads(body))


def matches_attributes(policy: Any, attributes: dict[str, str]) -> bool:
    return policy == {} or (
        attributes != {} and holds(policy, {k: _of_text(v) for k, v in attributes.items()})
    )


class Both(str):
    """Text that is a number too."""


def _of_text(text: str) -> Any:
    try:
        if isinstance(found := json.loads(text), list):
            return found
    except ValueError:
        return text
    is_number = isinstance(found, int | float) and not isinstance(found, bool)
    return Both(text) if is_number else text


def holds(policy: dict[str, Any], members: dict[str, Any]) -> bool:
    return all(_key_holds(key, asked, members) for key, asked in policy.items())


def _key_holds(key: str, asked: Any, members: dict[str, Any]) -> bool:
    if key == "$or" and _is_choice(asked):
        return any(holds(one, members) for one in asked)
    found = _flat(members[key]) if key in members else []
    if isinstance(asked, dict):
        return any(holds(asked, one) for one in [one for one in found if isinstance(one, dict)] or [{}])
    plain = [one for one in found if not isinstance(one, dict)]
    return any(_condition_holds(one, plain) for one in asked)


def _is_choice(asked: Any) -> bool:
    objects = isinstance(asked, list) and all(isinstance(one, dict) for one in asked)
    return objects and not any(name in OPERATORS for one in asked for name in one)


def _flat(value: Any) -> list[Any]:
    return [inner for one in value for inner in _flat(one)] if isinstance(value, list) else [value]


def _condition_holds(asked: Any, found: list[Any]) -> bool:
    if isinstance(asked, dict) and "exists" in asked:
        return asked["exists"] == any(one is not None and one != "" for one in found)
    return any(_fits(asked, one) for one in found)


def _fits(asked: Any, value: Any) -> bool:
    if not isinstance(asked, dict):
        return _equal(asked, value)
    ((name, operand),) = asked.items()
    if name == "anything-but":
        if isinstance(operand, dict):
            ((inner, patterns),) = operand.items()
            return not any(_fits({inner: one}, value) for one in _flat(patterns))
        return not any(_equal(one, value) for one in _flat(operand))
    if name == "numeric":
        return _number(value) is not None and all(
            eval(f"a {'==' if sign == '=' else sign} b", {"a": _number(value), "b": _number(bound)})
            for sign, bound in zip(operand[::2], operand[1::2], strict=True)
        )
    return isinstance(value, str) and _text_fits(name, operand, str(value))


def _text_fits(name: str, operand: str, text: str) -> bool:
    if name == "prefix":
        return text[: len(operand)] == operand
    if name == "suffix":
        return text[len(text) - len(operand) :] == operand and len(text) >= len(operand)
    if name == "equals-ignore-case":
        return text.casefold() == operand.casefold()
    if name == "wildcard":
        return _wild(operand, text)
    try:
        return ipaddress.ip_address(text) in ipaddress.ip_network(operand, strict=False)
    except ValueError:
        return False


def _wild(pattern: str, text: str) -> bool:
    if not pattern:
        return not text
    if pattern[0] == "*":
        return any(_wild(pattern[1:], text[at:]) for at in range(len(text) + 1))
    taken = 2 if pattern[0] == "\\" else 1
    return text[:1] == pattern[taken - 1] and _wild(pattern[taken:], text[1:])


def _number(value: Any) -> Fraction | None:
    if isinstance(value, Both):
        return Fraction(str(value))
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return Fraction(repr(value))


def _equal(asked: Any, value: Any) -> bool:
    if asked is None or isinstance(asked, bool):
        return asked is value
    if isinstance(asked, str):
        return isinstance(value, str) and asked == str(value)
    return _number(asked) == _number(value)
