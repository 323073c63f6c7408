"""Notices on the wire."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relaycore.capturing import notices
from relaycore.capturing.notices import Look
from relaycore.capturing.ticks import Tick, seal

KEY = b"key"


def sealed(body: bytes, key: bytes = KEY) -> bytes:
    return body + b" " + seal(body, key)


@given(st.text().filter(lambda name: not any("\ud800" <= letter <= "\udfff" for letter in name)))
def test_what_was_made_is_read(name: str) -> None:
    assert notices.parse(notices.look(name, KEY), KEY) == Look(name)


def test_the_wire_form_is_the_documented_one() -> None:
    assert notices.look("a b", KEY) == sealed(b"look a b")
    assert notices.look("", KEY) == sealed(b"look ")


@pytest.mark.parametrize(
    "payload",
    [
        *(b"", b" ", b"orders", b"look", b"look ", b"look orders", b"\xff\xfe", b"x" * 100),
        *(notices.look("orders", b"another key"), notices.look("orders", KEY)[:-1]),
        *(notices.look("orders", KEY) + b"\n", b" " + notices.look("orders", KEY)),
        *(notices.look("orders", KEY).upper(), notices.look("orders", KEY).replace(b"orders", b"border")),
    ],
)
def test_what_is_not_sealed_is_nothing(payload: bytes) -> None:
    assert notices.parse(payload, KEY) is None


@pytest.mark.parametrize(
    "body", [b"look", b"look \xff", b"looks a", b"echo 1 orders 1", b"1 2 3 leading 5 6 run -"]
)
def test_what_is_sealed_and_no_look_is_none(body: bytes) -> None:
    assert notices.parse(sealed(body), KEY) is None


def test_a_tick_is_no_notice_and_a_notice_is_no_tick() -> None:
    tick = sealed(b"1 2 3 leading 5 6 run -")
    assert Tick.parse(tick, KEY) is not None
    assert notices.parse(tick, KEY) is None
    assert Tick.parse(notices.look("1 2 3 leading 5 6 run -", KEY), KEY) is None
