"""Which policies there are, and what is said of those that are none."""

import json
from typing import Any

import pytest

from relaycore.errors import BadFilter
from relaycore.filtering.policy import ATTRIBUTES, MOST_BYTES, MOST_LEVELS, parse

REFUSED: list[tuple[Any, str]] = [
    (None, "The filter is not an object"),
    ([], "The filter is not an object"),
    ("{}", "The filter is not an object"),
    ({"a": []}, "a is empty"),
    ({"a": {}}, "a is an empty object"),
    ({"a": "x"}, "a is not a list"),
    ({"a": None}, "a is not a list"),
    ({"a": {"b": 1}}, "a.b is not a list"),
    ({"a": [["x"]]}, r"a\[0\] is no value"),
    ({"a": ["x", {}]}, r"a\[1\] has 0 operators"),
    ({"a": [{"prefix": "a", "suffix": "b"}]}, r"a\[0\] has 2 operators"),
    ({"a": [{"perfix": "a"}]}, r"a\[0\] has perfix, which is no operator here. Use prefix, "),
    ({"a": [{"prefix": 1}]}, r"a\[0\].prefix is not text"),
    ({"a": [{"prefix": ["x"]}]}, r"a\[0\].prefix is not text"),
    ({"a": [{"prefix": ""}]}, r"a\[0\].prefix is empty"),
    ({"a": [{"suffix": ""}]}, r"a\[0\].suffix is empty"),
    ({"a": [{"equals-ignore-case": True}]}, "is not text"),
    ({"a": [{"wildcard": "a\\b"}]}, "wildcard has a backslash"),
    ({"a": [{"wildcard": "a\\"}]}, "wildcard has a backslash"),
    ({"a": [{"exists": 1}]}, r"a\[0\].exists is neither true nor false"),
    ({"a": [{"exists": "true"}]}, "is neither true nor false"),
    *(
        ({"a": [{"cidr": network}]}, r"a\[0\].cidr is no")
        for network in ["", "x", "10.0.0.0/33", "10.0.0.0/", "10.0.0/8", "10.0.0.0/255.0.0.0", "::/129"]
    ),
    ({"a": [{"cidr": 10}]}, "cidr is not text"),
    *(
        ({"a": [{"numeric": operand}]}, r"a\[0\].numeric is no comparison")
        for operand in [
            None,
            1,
            [],
            [">"],
            ["!=", 1],
            [">", 1, "<"],
            ["<", 1, ">", 0],
            [">", 1, "<", 2, "<", 3],
        ]
    ),
    ({"a": [{"numeric": ["=", "1"]}]}, r"a\[0\].numeric is not a number"),
    ({"a": [{"numeric": ["=", True]}]}, "is not a number"),
    ({"a": [{"numeric": [">", 2, "<", 2]}]}, "begins where it should end"),
    ({"a": [{"numeric": ["=", float("nan")]}]}, "is not a finite number"),
    ({"a": [float("inf")]}, r"a\[0\] is not a finite number"),
    ({"a": [10**100]}, r"a\[0\] has more than 100 digits"),
    ({"a": [-(10**10_000)]}, r"a\[0\] has more than 100 digits"),
    ({"a": [{"anything-but": []}]}, r"a\[0\].anything-but is empty"),
    ({"a": [{"anything-but": ["x", ["y"]]}]}, r"a\[0\].anything-but\[1\] is no value"),
    ({"a": [{"anything-but": {}}]}, "anything-but has 0 operators"),
    ({"a": [{"anything-but": {"numeric": ["=", 1]}}]}, "has numeric, which is no operator here. Use prefix"),
    ({"a": [{"anything-but": {"prefix": []}}]}, "anything-but.prefix is empty"),
    ({"a": [{"anything-but": {"prefix": ["a", ""]}}]}, r"anything-but.prefix\[1\] is empty"),
    ({"a": [{"anything-but": {"anything-but": "x"}}]}, "no operator here"),
    ({"a": ["\0"]}, r"a\[0\] has a NUL"),
    ({"a": ["\ud800"]}, r"a\[0\] has a NUL or half"),
    ({"\0": [1]}, "The filter has a key with a NUL"),
    ({"a": {"\ud800": [1]}}, "a has a key with a NUL"),
    ({1: [1]}, "has a key"),
    ({"$or": []}, r"\$or is empty"),
    ({"$or": [{"a": [1]}, {}]}, r"\$or\[1\] is an empty object"),
    ({"$or": [{"a": [1]}, {"b": [{"exists": 0}]}]}, r"\$or\[1\].b\[0\].exists is neither"),
    ({"$or": [{"a": [1]}, "x"]}, r"\$or\[0\] has a, which is no operator"),
    ({str(key): [1] for key in range(6)}, "has 6 keys"),
    ({"a": [1] * 151}, "more than 150 combinations"),
    ({"a": [1] * 16, "b": [1] * 10}, "more than 150 combinations"),
    ({"a": {"b": [1] * 76}}, "more than 150 combinations"),
    ({"$or": [{"a": [1] * 100}, {"b": [1] * 51}]}, "more than 150 combinations"),
    ({"a": [{"wildcard": "*"}] * 31}, "takes too long"),
    ({"a": [{"anything-but": {"wildcard": ["*"] * 31}}]}, "takes too long"),
    ({"a": {"$or": [{str(key): [1]} for key in range(16)]}}, "takes too long"),
    ({"a": ["x" * MOST_BYTES]}, "has 262155 bytes"),
]

TAKEN: list[dict[str, Any]] = [
    {},
    {"": ["", 1, -1.5, True, False, None]},
    {"a": [1] * 150},
    {"a": [1] * 15, "b": [1] * 10},
    {"a": {"b": [1] * 75}},
    # SNS's own example of 72 combinations: 4 values on the third level, 3 on the second.
    {"key_a": {"key_b": {"key_c": [1, 2, 3, 4]}}, "key_d": {"key_e": [1, 2, 3]}},
    {"$or": [{"a": [1] * 100}, {"b": [1] * 50}]},
    {str(key): [1] for key in range(5)},
    {"a": {str(key): [1] for key in range(7)}},
    {"a": [{"wildcard": "**"}] * 30},
    {"a": [{"prefix": "x"}] * 150},
    {"a": [{"anything-but": ["x"] * 10_000}]},
    {"a": [10**100 - 1, 1.7976931348623157e308]},
]


@pytest.mark.parametrize(("policy", "said"), REFUSED)
def test_what_cannot_be_meant_is_refused_with_its_place(policy: Any, said: str) -> None:
    with pytest.raises(BadFilter, match=said) as caught:
        parse(policy)
    assert isinstance(caught.value, ValueError)
    assert str(caught.value).startswith(("The filter ", "In the filter, "))
    assert len(str(caught.value)) < 300


@pytest.mark.parametrize("policy", TAKEN)
def test_a_policy_is_given_back_as_it_came(policy: dict[str, Any]) -> None:
    given = json.loads(json.dumps(policy))

    found = parse(given)
    assert found.as_json() == policy
    assert parse(found.as_json()).as_json() == policy


def test_a_filter_does_not_change_with_what_it_was_read_from() -> None:
    given = {"a": ["x"]}
    found = parse(given)
    given["a"].append("y")
    found.as_json()["a"].append("z")

    assert found.as_json() == {"a": ["x"]}


def test_attributes_have_no_objects_in_them() -> None:
    with pytest.raises(BadFilter, match=r'a is an object, and attributes have none. .*"body"'):
        parse({"a": {"b": [1]}}, ATTRIBUTES)
    parse({"$or": [{"a": [1]}, {"b": [1]}]}, ATTRIBUTES)


def test_a_filter_of_bodies_can_be_asked_for_attributes() -> None:
    assert not parse({"a": {"b": [1]}}).matches_attributes({"a": '{"b": 1}'})


@pytest.mark.parametrize("inner", [lambda policy: {"a": policy}, lambda policy: {"$or": [policy]}])
def test_objects_stand_in_each_other_only_so_deep(inner: Any) -> None:
    policy: Any = {"a": [1]}
    for _ in range(MOST_LEVELS - 1):
        policy = inner(policy)
    if "$or" in policy:
        parse(policy)
    for _ in range(10_000):
        policy = inner(policy)
    with pytest.raises(BadFilter, match="stands deeper than 32 objects"):
        parse(policy)


def test_a_long_key_is_not_said_in_full() -> None:
    with pytest.raises(BadFilter, match=r"In the filter, x{60}… is empty"):
        parse({"x" * 1000: []})
    with pytest.raises(BadFilter, match=r'In the filter, a b."" is empty'):
        parse({"a\nb": {"": []}})
