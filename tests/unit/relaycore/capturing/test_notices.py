"""Notices on the wire."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relaycore.capturing import notices
from relaycore.capturing.notices import Echo, Look
from relaycore.capturing.ticks import Tick, seal

KEY = b"key"


def sealed(body: bytes, key: bytes = KEY) -> bytes:
    return body + b" " + seal(body, key)


@given(st.text().filter(lambda name: not any("\ud800" <= letter <= "\udfff" for letter in name)))
def test_what_was_made_is_read(name: str) -> None:
    assert notices.parse(notices.look(name, KEY), KEY) == Look(name)


@given(st.integers(0, 10**19 - 1), st.binary(min_size=1), st.integers(0, 10**9 - 1))
def test_an_echo_that_was_made_is_read(number: int, channel: bytes, count: int) -> None:
    assert notices.parse(notices.echo(number, channel, count, KEY), KEY) == Echo(number, channel, count)


def test_the_wire_form_is_the_documented_one() -> None:
    assert notices.echo(7, b"a 1 b", 20, KEY) == sealed(b"echo 7 a 1 b 20")
    assert notices.look("a b", KEY) == sealed(b"look a b")
    assert notices.look("", KEY) == sealed(b"look ")


@pytest.mark.parametrize(
    "payload",
    [
        *(b"", b" ", b"orders", b"look", b"look ", b"look orders", b"\xff\xfe", b"x" * 100),
        *(notices.look("orders", b"another key"), notices.look("orders", KEY)[:-1]),
        *(notices.look("orders", KEY) + b"\n", b" " + notices.look("orders", KEY)),
        *(notices.look("orders", KEY).upper(), notices.look("orders", KEY).replace(b"orders", b"border")),
        *(b"echo 1 orders 1", notices.echo(1, b"orders", 1, b"another key")),
        *(notices.echo(1, b"orders", 1, KEY).replace(b"1", b"2"), notices.echo(1, b"orders", 1, KEY) + b" "),
    ],
)
def test_what_is_not_sealed_is_nothing(payload: bytes) -> None:
    assert notices.parse(payload, KEY) is None


@pytest.mark.parametrize(
    "body",
    [
        *(b"look", b"look \xff", b"looks a", b"1 2 3 leading 5 6 run -", b"echo 1 1", b"echo 1  1"),
        *(b"echo 1 orders", b"echo orders 1", b"echo -1 orders 1", b"echo 1 orders -1", b"echo 1 orders 1 "),
        *(b"echo 1 orders 1\n", b"echoes 1 orders 1", b"echo " + b"9" * 20 + b" orders 1"),
    ],
)
def test_what_is_sealed_and_no_notice_is_none(body: bytes) -> None:
    assert notices.parse(sealed(body), KEY) is None


def test_a_tick_is_no_notice_and_a_notice_is_no_tick() -> None:
    tick = sealed(b"1 2 3 leading 5 6 run -")
    assert Tick.parse(tick, KEY) is not None
    assert notices.parse(tick, KEY) is None
    assert Tick.parse(notices.look("1 2 3 leading 5 6 run -", KEY), KEY) is None
