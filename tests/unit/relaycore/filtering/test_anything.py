"""Whatever comes: nothing raises but what is documented, nothing takes long, and it means what it should."""

import json
import time
from typing import Any

import pytest
from hypothesis import event, given
from hypothesis import strategies as st

from relaycore.errors import BadFilter
from relaycore.filtering.conditions import OPERATORS
from relaycore.filtering.policy import Filter, parse
from tests.unit.relaycore.filtering import naive
from tests.unit.relaycore.strategies import json_values, payloads

# Few of each, so that they meet.
texts = st.sampled_from(
    ["", "a", "A", "ab", "ba", "aab", "b*", "a\\", "10", "1e1", "10.0.0.1", "ß", "ss", "[1]", '["a", 10]']
)
numbers = st.sampled_from([0, 1, 10, 10.0, -1, 0.1, 1.5, 1e20, 10**20, 2**53 + 1])
scalars = st.one_of(st.none(), st.booleans(), numbers, texts)
keys = st.sampled_from(["a", "b", "a.b", "$or"])
patterns = st.sampled_from(["a", "A", "ab", "b", "*", "a*", "*b", "a*b", "*a*b*", "\\*", "b\\*", "ß"])
starts = st.sampled_from(["a", "A", "ab", "b", "1"])
signs = st.sampled_from(["=", "<", "<=", ">", ">="])

of_text = st.one_of(
    *(st.fixed_dictionaries({name: starts}) for name in ("prefix", "suffix", "equals-ignore-case")),
    st.fixed_dictionaries({"wildcard": patterns}),
)
but = st.one_of(
    scalars,
    st.lists(scalars, min_size=1, max_size=3),
    of_text,
    st.fixed_dictionaries({"prefix": st.lists(starts, min_size=1, max_size=3)}),
    st.fixed_dictionaries({"wildcard": st.lists(patterns, min_size=1, max_size=3)}),
)
ranges = st.tuples(st.sampled_from([">", ">="]), numbers, st.sampled_from(["<", "<="]), numbers)
conditions = st.one_of(
    scalars,
    of_text,
    st.fixed_dictionaries({"exists": st.booleans()}),
    st.fixed_dictionaries({"numeric": st.tuples(signs, numbers).map(list)}),
    st.fixed_dictionaries({"numeric": ranges.filter(lambda found: found[1] < found[3]).map(list)}),
    st.fixed_dictionaries({"cidr": st.sampled_from(["10.0.0.0/8", "10.0.0.1", "::/0"])}),
    st.fixed_dictionaries({"anything-but": but}),
)
lists = st.lists(conditions, min_size=1, max_size=3)
policies = st.dictionaries(
    keys,
    st.recursive(
        lists,
        lambda inner: (
            st.dictionaries(keys, inner, min_size=1, max_size=2)
            | st.lists(st.dictionaries(keys, inner, min_size=1, max_size=2), min_size=1, max_size=2)
        ),
        max_leaves=4,
    ),
    max_size=3,
)
bodies = st.dictionaries(
    keys,
    st.recursive(
        scalars,
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=2),
        max_leaves=6,
    ),
    max_size=4,
).map(json.dumps)
attributes = st.dictionaries(keys, texts, max_size=3)

almost = st.recursive(
    json_values,
    lambda inner: (
        st.dictionaries(st.sampled_from([*OPERATORS, "$or", "a"]), inner, max_size=2)
        | st.lists(inner, max_size=3)
    ),
    max_leaves=8,
)


def _parsed(policy: Any) -> Filter | None:
    try:
        return parse(policy)
    except BadFilter:
        return None


@given(policies, bodies)
def test_a_body_matches_as_the_naive_reading_says(policy: dict[str, Any], body: str) -> None:
    if (found := _parsed(policy)) is not None:
        event(f"matches: {found.matches_body(body)}")
        assert found.matches_body(body) == naive.matches_body(policy, body)


@given(policies, attributes)
def test_attributes_match_as_the_naive_reading_says(policy: dict[str, Any], said: dict[str, str]) -> None:
    if (found := _parsed(policy)) is not None:
        event(f"matches: {found.matches_attributes(said)}")
        assert found.matches_attributes(said) == naive.matches_attributes(policy, said)


@given(almost | st.dictionaries(st.sampled_from(["a", "$or"]), almost, max_size=2), bodies)
def test_a_policy_is_understood_or_refused(policy: Any, body: str) -> None:
    found = _parsed(policy)
    event(f"understood: {found is not None}")
    if found is not None:
        found.matches_body(body)
        assert found.as_json() == policy


ASKED = parse(
    {
        "a": [1, "x", {"numeric": [">", 0, "<", 5]}, {"prefix": "a"}, {"cidr": "::/0"}, {"wildcard": "*b*"}],
        "b": {"a": [{"anything-but": [1]}, {"equals-ignore-case": "X"}, {"exists": False}]},
    }
)


@given(payloads | bodies.map(str.encode) | st.text(max_size=20))
def test_no_body_raises(body: bytes | str) -> None:
    ASKED.matches_body(body)
    ASKED.matches_body(b'{"a": ' + (body if isinstance(body, bytes) else body.encode()) + b"}")


@given(st.dictionaries(st.sampled_from(["a", "b"]), st.text(st.characters(), max_size=20), max_size=2))
def test_no_attribute_raises(said: dict[str, str]) -> None:
    ASKED.matches_attributes(said)


@pytest.mark.parametrize(
    "value",
    [
        "9" * 100_000,
        "0." + "0" * 100_000 + "1",
        "1e999999999999999999",
        "1e9999999999999999999",
        "-1e-9999999999999999999",
        "NaN",
        "-Infinity",
        "[" * 100_000,
        "[" * 100_000 + "]" * 100_000,
        "[" * 400 + "1" + "]" * 400,
        '{"a":' * 100_000,
        '{"a": 1, "a": 2}',
        '1, "a": 2',
        r'"\ud800"',
        '"\x00"',
        r'"\u0000"',
        "1." + "1" * 15_000 + "x",
        "[" + ",".join(['"1.2.3.4.5"'] * 10_000) + "]",
    ],
    ids=lambda value: value[:20],
)
def test_what_is_hostile_neither_raises_nor_takes_long(value: str) -> None:
    began = time.thread_time()
    ASKED.matches_body(f'{{"a": {value}, "b": {{"a": {value}}}}}')
    ASKED.matches_attributes({"a": value, "b": "x"})

    assert time.thread_time() - began < 2


def test_deep_lists_are_looked_through() -> None:
    assert parse({"a": [1]}).matches_body('{"a":' + "[" * 400 + "1" + "]" * 400 + "}")


def test_no_wildcard_takes_long() -> None:
    began = time.thread_time()
    assert not parse({"a": [{"wildcard": "*a" * 60_000 + "*b"}]}).matches_attributes({"a": "a" * 16_000})
    assert not parse({"a": [{"wildcard": "*ab" * 500 + "*c"}]}).matches_attributes({"a": "ab" * 8_000})

    assert time.thread_time() - began < 2


@pytest.mark.parametrize(
    "asked",
    [
        lambda number: {"a": [f"x{number}"]},
        lambda number: {"a": [{"anything-but": [1]}], "b": [number]},
        lambda number: {"a": [{"equals-ignore-case": f"x{number}"}]},
        lambda number: {"a": [{"cidr": f"::{number:x}/128"}]},
        lambda number: {"a": [{"exists": False}]},
    ],
)
@pytest.mark.parametrize("one", ["1", '"b"', '"::z"', "null"])
def test_what_is_at_a_key_is_gone_through_once_however_many_choices_ask_of_it(asked: Any, one: str) -> None:
    wanted = parse({"$or": [asked(number) for number in range(150)]})
    body = f'{{"a": [{",".join([one] * ((64 << 10) // (len(one) + 1)))}]}}'
    began = time.thread_time()
    wanted.matches_body(body)

    assert time.thread_time() - began < 0.5
