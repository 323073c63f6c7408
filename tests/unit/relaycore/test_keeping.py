"""What an entry says of its numbers is believed only if it can be so."""

import pytest

from relaycore.keeping import numbers


def test_the_number_of_the_last_message_and_how_many_there_are() -> None:
    assert numbers(b"7", b"3") == (7, 3)
    assert numbers(b"3", b"3") == (3, 3)
    assert numbers(b"9" * 15, b"1") == (999_999_999_999_999, 1)


@pytest.mark.parametrize(
    ("upto", "messages"),
    [(b"", b"1"), (b"1", b""), (b"x", b"1"), (b"-1", b"1"), (b" 1", b"1"), (b"2", b"3"), (b"9" * 16, b"1")],
)
def test_what_cannot_be_a_number_says_nothing(upto: bytes, messages: bytes) -> None:
    assert numbers(upto, messages) is None
