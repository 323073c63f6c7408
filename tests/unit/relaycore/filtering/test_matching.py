"""Which messages a filter matches. The examples are those of SNS's documentation, where it has one."""

import json
from typing import Any

import pytest

from relaycore.filtering.policy import parse
from relaycore.filtering.values import Attributes, Body

Values = list[Any]

SAME_IN_BOTH: list[tuple[Values, list[str], list[str]]] = [
    # Conditions, texts that match them, texts that do not.
    (["rugby", "tennis"], ["rugby", "tennis"], ["baseball", "Rugby", ""]),
    ([{"prefix": "bas"}], ["baseball", "basketball", "bas"], ["rugby", "ba", "BASE"]),
    ([{"suffix": "ball"}], ["baseball", "ball"], ["rugby", "balls"]),
    ([{"equals-ignore-case": "tennis"}], ["tennis", "Tennis", "TENNIS"], ["tennis "]),
    ([{"equals-ignore-case": "Straße"}], ["STRASSE"], ["Strase"]),
    ([{"wildcard": "*ball"}], ["baseball", "ball"], ["rugby", "balls"]),
    ([{"wildcard": "a*b*c"}], ["abc", "a-b-c", "abcbc"], ["acb", "abcd"]),
    ([{"wildcard": "a*a"}], ["aa", "aba"], ["a"]),
    ([{"wildcard": "ab"}], ["ab"], ["a", "abb"]),
    ([{"wildcard": r"\*\\*"}], ["*\\", "*\\a"], ["a\\", "**"]),
    ([{"wildcard": "*"}], ["", "a\nb"], []),
    ([{"anything-but": ["rugby", "tennis"]}], ["baseball", "football"], ["rugby", "tennis"]),
    ([{"anything-but": "rugby"}], ["tennis"], ["rugby"]),
    ([{"anything-but": {"prefix": "order-"}}], ["data-entry"], ["order-1"]),
    ([{"anything-but": {"suffix": ["ball", "by"]}}], ["tennis"], ["baseball", "rugby"]),
    ([{"anything-but": {"equals-ignore-case": "Tennis"}}], ["rugby"], ["TENNIS"]),
    ([{"anything-but": {"wildcard": "*ball"}}], ["hockey"], ["baseball"]),
    ([{"cidr": "10.0.0.0/24"}], ["10.0.0.0", "10.0.0.255"], ["10.1.1.0", "10.0.0.256", "rugby", "", "::1"]),
    ([{"cidr": "10.0.0.7"}], ["10.0.0.7"], ["10.0.0.8"]),
    ([{"cidr": "10.0.0.7/24"}, {"cidr": "2001:db8::/32"}], ["10.0.0.1", "2001:db8::1"], ["2001:db9::1"]),
    ([{"exists": True}], ["rugby"], [""]),
    ([{"exists": False}], [""], ["rugby"]),
    ([{"exists": True}, {"exists": False}], ["", "rugby"], []),
]

NUMBERS: list[tuple[Values, list[str], list[str]]] = [
    ([{"numeric": ["=", 301.5]}], ["301.5", "3.015e2", "301.50"], ["301.51"]),
    ([{"numeric": ["<", 0]}], ["-1", "-0.0001"], ["0", "-0", "1"]),
    ([{"numeric": [">", 0, "<=", 150]}], ["0.1", "150", "1e2"], ["0", "150.000001", "-1"]),
    ([{"numeric": [">=", 0, "<", 150]}], ["0", "149.99"], ["150"]),
    ([{"numeric": [">=", 10]}, {"numeric": ["<=", -10]}], ["10", "-10"], ["9"]),
    ([{"anything-but": [100, 500]}], ["101", "100.1"], ["100", "1e2", "500.0"]),
    ([100], ["100", "100.0"], ["101"]),
    # Exactly: neither of these is the other as a binary fraction.
    ([{"numeric": ["=", 0.1]}], ["0.1"], ["0.1000000000000000055511151231257827"]),
    ([{"numeric": [">", 9007199254740992]}], ["9007199254740993"], ["9007199254740992"]),
    ([{"numeric": [">", 0]}], ["1e999999999999999999"], ["-1e999999999999999999"]),
]

BODIES: list[tuple[dict[str, Any], list[str], list[str]]] = [
    # A policy, bodies that match it, bodies that do not.
    (
        {"a": [True, None]},
        ['{"a": true}', '{"a": null}'],
        ['{"a": 1}', '{"a": "true"}', "{}", '{"a": false}'],
    ),
    ({"a": [1]}, ['{"a": 1}', '{"a": 1.0}'], ['{"a": true}', '{"a": "1"}']),
    ({"a": ["1"]}, ['{"a": "1"}'], ['{"a": 1}']),
    ({"a": [{"numeric": [">", 0]}]}, ['{"a": 1}'], ['{"a": "1"}', '{"a": true}', '{"a": null}']),
    (
        {"a": [{"anything-but": "x"}]},
        ['{"a": 1}', '{"a": null}', '{"a": ["x", "y"]}'],
        ['{"a": ["x"]}', "{}"],
    ),
    (
        {"a": [{"anything-but": [None, True, 1]}]},
        ['{"a": false}'],
        ['{"a": null}', '{"a": true}', '{"a": 1}'],
    ),
    ({"a": [{"anything-but": 100}]}, ['{"a": [100, 50]}'], ['{"a": 100}', '{"a": []}', '{"a": {"b": 1}}']),
    (
        {"a": [{"exists": True}]},
        ['{"a": 0}', '{"a": false}', '{"a": [null, 1]}'],
        ["{}", '{"a": null}', '{"a": ""}', '{"a": []}', '{"a": [[]]}', '{"a": {"b": 1}}'],
    ),
    ({"a": [{"exists": False}]}, ["{}", '{"a": null}', '{"a": []}', '{"a": {"b": 1}}'], ['{"a": [null, 1]}']),
    ({"a": ["x"]}, ['{"a": ["y", "x"]}', '{"a": [[["x"]]]}', '{"b": 1, "a": "x"}'], ['{"a": [{"a": "x"}]}']),
    # SNS: payload-based filtering, as its announcement has it.
    (
        {
            "Records": {
                "s3": {"object": {"key": [{"prefix": "auto-"}]}},
                "eventName": [{"prefix": "Created:"}],
            }
        },
        [
            '{"Records": [{"eventName": "Created:Put", "s3": {"object": {"key": "auto-1"}}}]}',
            '{"Records": [1, {"eventName": "Created:Put", "s3": {"object": [[{"key": "auto-1"}]]}}]}',
        ],
        [
            '{"Records": [{"eventName": "Removed", "s3": {"object": {"key": "auto-1"}}}]}',
            # One element has the one, and another the other.
            '{"Records": [{"eventName": "Created:Put"}, {"s3": {"object": {"key": "auto-1"}}}]}',
        ],
    ),
    (
        {
            "object": {"key": [{"prefix": "auto-"}, "set"], "nested": [{"exists": False}]},
            "test": [{"exists": False}],
        },
        ['{"object": {"key": "auto-test"}}', '{"object": {"key": "set"}}'],
        [
            '{"object": {"key": "test-auto"}}',
            '{"object": {"key": "auto-test"}, "test": "there"}',
            '{"object": {"key": "auto-test", "nested": "there"}}',
            '{"test": "auto-test"}',
        ],
    ),
    (
        {"a": {"b": [{"exists": False}]}},
        ["{}", '{"a": 1}', '{"a": []}', '{"a": {"c": 1}}'],
        ['{"a": {"b": 1}}'],
    ),
    ({"a.b": [1]}, ['{"a.b": 1}'], ['{"a": {"b": 1}}']),
    ({"a": {"b": [1]}}, ['{"a": {"b": 1}}'], ['{"a.b": 1}']),
    (
        {
            "$or": [{"metricName": ["CPUUtilization", "ReadLatency"]}, {"namespace": ["AWS/EC2"]}],
            "detail": {"scope": ["Service"], "$or": [{"source": ["aws.cloudwatch"]}, {"type": ["Change"]}]},
        },
        [
            '{"metricName": "ReadLatency", "detail": {"scope": "Service", "source": "aws.cloudwatch"}}',
            '{"namespace": "AWS/EC2", "detail": {"scope": "Service", "type": "Change"}}',
        ],
        [
            '{"metricName": "ReadLatency", "detail": {"scope": "Other", "type": "Change"}}',
            '{"metricName": "ReadLatency", "detail": {"scope": "Service"}}',
            '{"detail": {"scope": "Service", "type": "Change"}}',
        ],
    ),
    # Keys of an operator's name make it a key as any other.
    ({"$or": ["x", {"prefix": "ab"}]}, ['{"$or": "x"}', '{"$or": "abc"}'], ["{}", '{"x": 1}']),
    (
        {"$or": [{"numeric": ["=", 1]}, {"prefix": "b"}]},
        ['{"$or": 1}'],
        ['{"numeric": "="}', '{"prefix": "b"}'],
    ),
    ({"$or": {"a": [1]}}, ['{"$or": {"a": 1}}'], ['{"a": 1}']),
    ({"$or": [{"a": [1]}]}, ['{"a": 1}'], ["{}"]),
]


@pytest.mark.parametrize(("values", "matched", "others"), [*SAME_IN_BOTH, *NUMBERS])
def test_attributes_match_by_their_text(values: Values, matched: list[str], others: list[str]) -> None:
    asked = parse({"key": values})

    assert [text for text in matched if not asked.matches_attributes({"key": text})] == []
    assert [text for text in others if asked.matches_attributes({"key": text})] == []


@pytest.mark.parametrize(("values", "matched", "others"), SAME_IN_BOTH)
def test_text_in_a_body_matches_alike(values: Values, matched: list[str], others: list[str]) -> None:
    asked = parse({"key": values})

    assert [text for text in matched if not asked.matches_body(json.dumps({"key": text}))] == []
    assert [text for text in others if asked.matches_body(json.dumps({"key": text}))] == []


@pytest.mark.parametrize(("values", "matched", "others"), NUMBERS)
def test_numbers_in_a_body_match_by_their_value(
    values: Values, matched: list[str], others: list[str]
) -> None:
    asked = parse({"key": values})

    assert [text for text in matched if not asked.matches_body(f'{{"key": {text}}}')] == []
    assert [text for text in others if asked.matches_body(f'{{"key": {text}}}')] == []


@pytest.mark.parametrize(("policy", "matched", "others"), BODIES)
def test_bodies_match_by_what_is_in_them(
    policy: dict[str, Any], matched: list[str], others: list[str]
) -> None:
    asked = parse(policy)

    assert [body for body in matched if not asked.matches_body(body)] == []
    assert [body for body in others if asked.matches_body(body)] == []


def test_all_keys_must_match() -> None:
    asked = parse({"customer_interests": ["rugby"], "price_usd": [{"numeric": [">", 100]}]})

    assert asked.matches_attributes({"customer_interests": "rugby", "price_usd": "100.5", "store": "x"})
    assert not asked.matches_attributes({"customer_interests": "rugby", "price_usd": "100"})
    assert not asked.matches_attributes({"price_usd": "101"})


def test_an_attribute_that_is_a_json_list_matches_by_its_elements() -> None:
    assert parse({"a": ["rugby"]}).matches_attributes({"a": '["rugby", "tennis"]'})
    assert parse({"a": [{"anything-but": ["rugby"]}]}).matches_attributes({"a": ' ["rugby", "baseball"]'})
    assert not parse({"a": [{"anything-but": ["rugby"]}]}).matches_attributes({"a": '["rugby"]'})
    assert parse({"a": [True]}).matches_attributes({"a": "[false, true]"})
    assert not parse({"a": [True]}).matches_attributes({"a": "true"})
    assert parse({"a": [{"exists": False}]}).matches_attributes({"a": "[]"})
    assert parse({"a": ["[rugby]"]}).matches_attributes({"a": "[rugby]"})


@pytest.mark.parametrize(
    "text", ["1_000", " 1", "1 ", "NaN", "Infinity", "١", "0x1", "1e", "", ".", "1e9" + "9" * 30]
)
def test_text_that_only_looks_like_a_number_is_none(text: str) -> None:
    assert not parse({"a": [{"numeric": [">", -1]}, {"numeric": ["<", 1]}]}).matches_attributes({"a": text})


def test_a_message_without_attributes_matches_no_filter_of_them() -> None:
    asked = parse({"store": [{"exists": False}]})

    assert asked.matches_attributes({"customer_interests": '["baseball"]'})
    assert not asked.matches_attributes({})
    assert not asked.matches_attributes(None)


def test_an_empty_policy_is_no_filter() -> None:
    assert parse({}).matches_body(b"\xff")
    assert parse({}).matches_attributes(None)


@pytest.mark.parametrize(
    "body", [b"", b"x", b"[]", b'"a"', b"1", b"null", b'{"a": 1', b'\xff{"a": 1}', "\ufeff{}", b'{"a": NaN}']
)
def test_a_body_that_is_no_json_object_matches_nothing(body: str | bytes) -> None:
    assert not parse({"b": [{"exists": False}]}).matches_body(body)


def test_several_filters_share_what_was_decoded() -> None:
    body, attributes = Body('{"a": 1, "b": [1, 2]}'), Attributes({"a": "[1]"})

    assert parse({"a": [1]}).matches_body(body)
    assert not parse({"a": [2]}).matches_body(body)
    assert body.object is body.object
    assert parse({"a": [1]}).matches_attributes(attributes)
    assert attributes.values("a") is attributes.values("a")
    assert body.object is not None
    assert body.object.values("b") is body.object.values("b")
    assert body.object.values("c") is body.object.values("d")
