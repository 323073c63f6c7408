"""What a client says is understood or refused, whatever it is, and what is written a client reads."""

import contextlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rest_framework.exceptions import ParseError
from socketio.packet import Packet

from live.socketio import asked, protocol
from live.socketio.asked import Auth, Join
from live.socketio.protocol import Kind, NotUnderstood, Said
from live.wanting import Wants
from relaycore.errors import BadEventId, BadFilter
from relaycore.position import START

POSITION = "1700000000000-0000000003-00007"

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=10,
)


def test_what_a_client_says() -> None:
    assert protocol.read("0") == Said(Kind.CONNECT, None, None, None)
    assert protocol.read('0{"token":"a"}') == Said(Kind.CONNECT, None, None, {"token": "a"})
    assert protocol.read("0/other,").is_elsewhere
    assert protocol.read("1") == Said(Kind.DISCONNECT, None, None, None)
    assert protocol.read('27["join",{"channel":"a"}]') == Said(
        Kind.EVENT, None, 7, ["join", {"channel": "a"}]
    )


@pytest.mark.parametrize(
    "said",
    # Binary attachments, answers, refusals, events without a name.
    ["", "x", "3[]", "4{}", '51-["a",{"_placeholder":true,"num":0}]', "61-[]", "2", "2{}", "2[]", "2[1]"]
    + ['2"a"', "0{", "2" + "[" * 60_000, "2[" + "9" * 60_000, b"2", None, {}],
)
def test_nothing_else_is_understood(said: object) -> None:
    with pytest.raises(NotUnderstood):
        protocol.read(said)


@given(st.text() | st.builds(lambda kind, data: f"{kind}{json.dumps(data)}", st.integers(0, 9), JSON))
def test_whatever_comes_is_understood_or_not(text: str) -> None:
    try:
        said = protocol.read(text)
    except NotUnderstood:
        return
    assert said.kind in Kind
    assert said.kind is not Kind.EVENT or isinstance(said.data[0], str)


def test_what_a_client_says_to_engine_io() -> None:
    for text in ("1", "2probe", "3", "5", "40", '40{"token":"a"}', "41", '427["join",{}]'):
        assert protocol.is_spoken(text)
    for text in ("", "0", "2", "3probe[", "6", "x", "4", "4{}", "43[]", "451-[]", "3[[", "bAAAA"):
        assert not protocol.is_spoken(text)


@given(JSON, st.integers(0, 10**6))
def test_answers_are_read_as_they_were_meant(data: Any, number: int) -> None:
    found = Packet(encoded_packet=protocol.answer(number, data).encode().removeprefix("4"))
    assert (found.id, found.data) == (number, [data])
    found = Packet(encoded_packet=protocol.event("gap", data).encode().removeprefix("4"))
    assert found.data == ["gap", data]


@given(JSON)
def test_whatever_authenticates_is_understood_or_refused(data: Any) -> None:
    for read in (asked.auth, lambda data: asked.join([data]), lambda data: asked.leave([data])):
        with contextlib.suppress(ParseError, BadEventId, BadFilter):
            read(data)


def test_what_is_asked_when_connecting() -> None:
    assert asked.auth(None) == Auth(None, ())
    said = {"token": "key", "join": [{"channel": "a"}, {"channel": "b", "after": "earliest"}]}
    assert asked.auth(said) == Auth("key", (Join("a", None), Join("b", START)))
    assert asked.join([{"channel": "a", "after": POSITION}]) == Join("a", POSITION)
    # Whatever a client says by itself, which may have been at another server before.
    assert asked.auth({"token": "a", "pid": "p", "offset": 7}) == Auth("a", (), "p", 7)


def test_a_filter_is_the_one_that_an_address_has() -> None:
    policy = {"level": ["error"], "kind": [1]}
    for scope in (None, "body", "attributes"):
        said = {"channel": "a", "filter": policy} | ({"filter_scope": scope} if scope else {})
        assert asked.join([said]) == Join("a", None, Wants(dict(reversed(policy.items())), scope or "body"))
        found = asked.auth({"join": [said, {"channel": "b"}]})
        assert [one.wants for one in found.joins] == [Wants(policy, scope or "body"), None]
    assert Wants(policy, "body") not in {Wants(policy, "attributes"), Wants({"level": ["error"]}, "body")}


@pytest.mark.parametrize(
    ("said", "error"),
    [
        ({"filter": []}, BadFilter),
        ({"filter": '{"a": ["b"]}'}, BadFilter),
        ({"filter": {"a": "b"}}, BadFilter),
        ({"filter": {"a": {"b": ["c"]}}, "filter_scope": "attributes"}, BadFilter),
        ({"filter": {"a": ["b"]}, "filter_scope": "head"}, ParseError),
        ({"filter": {"a": ["b"]}, "filter_scope": ["body"]}, ParseError),
        ({"filter_scope": "body"}, ParseError),
    ],
)
def test_what_is_no_filter_is_refused(said: Any, error: type[Exception]) -> None:
    with pytest.raises(error):
        asked.join([{"channel": "a", **said}])
    with pytest.raises(error):
        asked.auth({"join": [{"channel": "a", **said}]})


@pytest.mark.parametrize(
    "said",
    [
        {"token": "a", "join": [{"channel": "a"}, {"channel": "a"}]},
        {"token": "a", "join": [{"channel": str(number)} for number in range(51)]},
        {"token": "ä"},
        {"tokens": "a"},
        {"join": "a"},
        "a",
    ],
)
def test_what_cannot_be_meant_when_connecting(said: Any) -> None:
    with pytest.raises(ParseError):
        asked.auth(said)
