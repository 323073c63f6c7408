"""`Retry-After`, as seconds and as dates."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relaycore.outbound.retry_after import read

NOW = 784_111_700.0  # Sun, 06 Nov 1994 08:48:20 GMT


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("0", 0.0),
        ("120", 120.0),
        (" 120 ", 120.0),
        ("9999999999", 9_999_999_999.0),
        ("99999999999", 1e10),
        ("9" * 1000, 1e10),
        ("Sun, 06 Nov 1994 08:49:37 GMT", 77.0),
        ("Sunday, 06-Nov-94 08:49:37 GMT", 77.0),
        ("Sun Nov  6 08:49:37 1994", 77.0),
        ("Sun, 06 Nov 1994 09:49:37 +0100", 77.0),
        ("Sun, 06 Nov 1994 08:00:00 GMT", 0.0),
    ],
)
def test_what_is_said(value: str, seconds: float) -> None:
    assert read(value, NOW) == seconds


@pytest.mark.parametrize(
    "value",
    [
        "",
        "soon",
        "-1",
        "1.5",
        "1e3",
        "+1",
        "１２",
        "Sun, 99 Nov 1994 08:49:37 GMT",
        "1 2",
        "inf",
        "nan",
    ],
)
def test_what_says_nothing(value: str) -> None:
    assert read(value, NOW) is None


@given(
    st.text(max_size=40) | st.from_regex(r"[A-Z][a-z]{2}, [0-9]{2} [A-Z][a-z]{2} [0-9]{1,9} [0-9:]{8} .{0,6}")
)
def test_nothing_is_an_error(value: str) -> None:
    assert (read(value, NOW) or 0.0) >= 0.0
