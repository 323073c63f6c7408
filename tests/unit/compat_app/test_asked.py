"""What requests of the log queue say: query and body, in every dialect."""

from collections.abc import Callable
from typing import Any

import pytest
from rest_framework.exceptions import ParseError

from compat_app.log_queue.asked import Said, read
from compat_app.log_queue.failures import Failure


@pytest.mark.parametrize(
    ("query", "body", "topic"),
    [
        (b"topic=T", b"", "T"),
        (b"topic_name=T", b"  \n", "T"),
        (b"", b'{"name": "T"}', "T"),
        (b"name=T", b'{"topic": "U"}', "U"),
        (b"topic=T&x=1", b'{"topic": "U"}', "U"),
        (b"topic=T", b'{"name": "U"}', "T"),
        (b"topic=a+b%20c%26", b"{}", "a b c&"),
        (b"topic=%C5%BC", b"", "\u017c"),
    ],
)
def test_query_and_body_are_one(query: bytes, body: bytes, topic: str) -> None:
    assert read(query, body).topic() == topic


@pytest.mark.parametrize(
    ("query", "body"),
    [
        (b"topic=%FF", b""),
        (b"\xc5", b""),
        (b"&".join(b"a%d=1" % number for number in range(101)), b""),
        (b"message=a&topic=T&message=b", b""),
        (b"", b"[]"),
        (b"", b"null"),
        (b"topic=T", b'"T"'),
    ],
)
def test_what_cannot_be_read_is_a_failure(query: bytes, body: bytes) -> None:
    with pytest.raises(Failure):
        read(query, body)


@pytest.mark.parametrize(
    "body",
    [b"{", b"topic=T", b"\xff", b'{"a": "\\ud800"}', b"[" * 100_000, b'{"a": NaN}', b'{"a": 1, "a": 2}'],
)
def test_a_body_that_is_no_json_is_an_error(body: bytes) -> None:
    with pytest.raises(ParseError):
        read(b"", body)


@pytest.mark.parametrize("given", [0, "0", "007", 7, (1 << 63) - 1])
def test_an_id_is_a_number_or_its_text(given: Any) -> None:
    assert Said({"producer_id": given}).id("producer_id") == int(given)


@pytest.mark.parametrize("given", [None, "", " 7", "7.0", "+7", "-7", -7, 7.0, True, [7], "\u0667", 1 << 63])
def test_nothing_else_is_an_id(given: Any) -> None:
    with pytest.raises(Failure, match="producer_id"):
        Said({"producer_id": given}).id("producer_id")


@pytest.mark.parametrize("text", ["", "\n", "\0", " x ", "\u017c"])
def test_a_message_is_any_text(text: str) -> None:
    assert Said({"message": text}).message() == text


@pytest.mark.parametrize(
    "what",
    [
        lambda said: said.topic(),
        lambda said: said.message(),
        lambda said: said.id("consumer_id"),
        lambda said: said.number("offset"),
    ],
)
@pytest.mark.parametrize("given", [None, {}, [], True, 1.5])
def test_what_is_missing_or_of_another_kind_is_a_failure(what: Callable[[Said], object], given: Any) -> None:
    names = ("topic", "message", "consumer_id", "offset")
    for said in ({}, dict.fromkeys(names, given)):
        with pytest.raises(Failure):
            what(Said(said))


def test_who_a_program_says_it_is() -> None:
    assert Said({}).client() is None
    assert Said({"prod_client": 7}).client() == "7"
    for wrong in ("", "x" * 256, True, ["a"], "\0"):
        with pytest.raises(Failure):
            Said({"prod_client": wrong}).client()
