"""What makes two messages the same, as an operator writes it."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relaycore.errors import BadPolicy
from relaycore.policy import CONTENT, EVERY, MAX_FIELD_LENGTH, Policy, parse

field_names = st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=MAX_FIELD_LENGTH
)
policies = st.sampled_from([CONTENT, EVERY]) | field_names.map(lambda name: Policy("field", name))


@given(policies)
def test_what_is_written_is_read_again(policy: Policy) -> None:
    assert parse(json.loads(json.dumps(policy.as_json()))) == policy


def test_there_are_three_forms() -> None:
    assert parse("content") == Policy("content", "")
    assert parse("every") == Policy("every", "")
    assert parse({"field": "id"}) == Policy("field", "id")
    assert [policy.as_json() for policy in (CONTENT, EVERY, Policy("field", "id"))] == [
        "content",
        "every",
        {"field": "id"},
    ]


def test_the_same_text_is_stored_once_where_nothing_is_said() -> None:
    assert Policy() == CONTENT


def test_people_read_it_without_brackets() -> None:
    assert [str(policy) for policy in (CONTENT, EVERY, Policy("field", "id"))] == [
        "content",
        "every",
        "field id",
    ]


@pytest.mark.parametrize(
    "value",
    [
        None,
        "",
        "Content",
        "field",
        "none",
        0,
        True,
        [],
        ["content"],
        {},
        {"field": ""},
        {"field": None},
        {"field": 1},
        {"field": ["id"]},
        {"field": "x" * 101},
        {"field": "a\0b"},
        {"field": "\ud800"},
        {"field": "id\udfff"},
        {"field": "id", "other": 1},
        {"Field": "id"},
        {"content": True},
        {"every": {}},
    ],
    ids=repr,
)
def test_anything_else_is_refused_with_the_three_forms(value: Any) -> None:
    with pytest.raises(BadPolicy, match=r'"content", "every" or \{"field": "NAME"\}'):
        parse(value)


@pytest.mark.parametrize(
    "name", ["x" * 100, "é" * 100, "a b", "a.b", "$id", "\x01", "\ud7ff", "\ue000", "😀"]
)
def test_a_field_may_have_any_name_that_postgresql_can_keep(name: str) -> None:
    assert parse({"field": name}) == Policy("field", name)
