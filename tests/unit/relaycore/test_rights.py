"""What a token may do, and on which channels."""

from typing import Any

import pytest

from relaycore.errors import BadGrants
from relaycore.rights import INCLUDES, MOST_PATTERNS, SCOPES, Grants, everywhere, parse

SHOP = [
    {"scope": "publish", "channels": ["orders.*", "refunds"]},
    {"scope": "consume", "channels": ["prices"]},
]


def test_what_a_scope_includes() -> None:
    allowed = {scope: {right for right in SCOPES if everywhere(scope).allow(right)} for scope in SCOPES}

    assert allowed == {
        "read": {"read"},
        "consume": {"consume", "read"},
        "publish": {"publish"},
        "manage": {"read", "consume", "publish", "manage"},
    }
    assert allowed == {scope: set(rights) for scope, rights in INCLUDES.items()}


@pytest.mark.parametrize(
    ("right", "channel", "may"),
    [
        ("publish", "orders.new", True),
        ("publish", "refunds", True),
        ("publish", "refunds.new", False),
        ("publish", "prices", False),
        ("read", "orders.new", False),
        ("read", "prices", True),
        ("consume", "prices", True),
        ("manage", "prices", False),
        ("publish", None, True),
        ("read", None, True),
        ("manage", None, False),
        ("nonsense", None, False),
    ],
)
def test_a_grant_is_for_its_channels(right: str, channel: str | None, may: bool) -> None:
    assert parse(SHOP).allow(right, channel) is may
    assert (parse(SHOP).refusal(right, channel) is None) is may


def test_a_refusal_says_what_there_is() -> None:
    shop = parse(SHOP)

    assert shop.refusal("manage") == (
        'This token has the scope "publish" and "consume", which does not include "manage".'
    )
    assert shop.refusal("publish", "a") == (
        'This token has the scope "publish" on orders.*, refunds. "a" is none of these channels.'
    )
    assert Grants(()).refusal("read") == "This token has no scope."


def test_only_a_star_is_everywhere() -> None:
    assert everywhere("manage").is_everywhere("read")
    assert not parse(SHOP).is_everywhere("publish")
    assert not everywhere("publish").is_everywhere("read")


def test_grants_are_written_as_they_are_read() -> None:
    assert parse(SHOP).as_json() == SHOP
    assert parse(parse(SHOP).as_json()) == parse(SHOP)
    assert str(parse(SHOP)) == "publish orders.* refunds, consume prices"


@pytest.mark.parametrize(
    "value",
    [
        None,
        {},
        [],
        "read",
        ["read"],
        [{"scope": "read"}],
        [{"scope": "read", "channels": []}],
        [{"scope": "read", "channels": "orders"}],
        [{"scope": "read", "channels": [1]}],
        [{"scope": "read", "channels": [""]}],
        [{"scope": "read", "channels": ["a\0"]}],
        [{"scope": "read", "channels": ["a\n"]}],
        [{"scope": "read", "channels": ["\ud800"]}],
        [{"scope": "read", "channels": ["é" * 128]}],
        [{"scope": "read", "channels": ["a"] * (MOST_PATTERNS + 1)}],
        [{"scope": "write", "channels": ["a"]}],
        [{"scope": "read", "channels": ["a"], "more": 1}],
    ],
)
def test_what_cannot_be_meant_is_refused(value: Any) -> None:
    with pytest.raises(BadGrants):
        parse(value)
