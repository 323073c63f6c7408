"""By which a worker says which of its messages it means."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relaycore.delivering.tokens import Token

from .places import at, positions


@given(st.integers(0, 10**15 - 1), st.integers(0, 10**9 - 1), positions)
def test_what_was_given_is_understood(generation: int, attempt: int, position: str) -> None:
    token = Token(generation, attempt, position)
    assert Token.parse(str(token)) == token


@pytest.mark.parametrize(
    "text",
    [
        None,
        5,
        "",
        b"1.1." + at(1).encode(),
        f"1.1.{at(1)} ",
        f"1.1.{at(1)}\n",
        f"-1.1.{at(1)}",
        f"1.{at(1)}",
        f"1.1.{at(1)[1:]}",
        f"1.1234567890.{at(1)}",
        f"1.١.{at(1)}",
        "1.1." + "9" * 30,
    ],
)
def test_anything_else_is_none(text: object) -> None:
    assert Token.parse(text) is None


@given(st.text())
def test_no_text_is_too_strange(text: str) -> None:
    found = Token.parse(text)
    assert found is None or str(found).count(".") == 2
