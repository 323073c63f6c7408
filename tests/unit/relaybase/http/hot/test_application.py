"""What a hot endpoint answers, beside REST framework's view for the same."""

import contextlib
import logging
from typing import Any

import pytest
from rest_framework.test import APIRequestFactory

from relaybase.http.hot import Endpoint
from tests.unit.relaybase.http.hot.conftest import (
    AWAY,
    ERRORS,
    FOREIGN,
    GONE,
    READER,
    REFUSAL,
    Things,
    World,
    over,
)


def django(method: str, name: str = "a", body: bytes = b"", content_type: str = "") -> Any:
    """What the view answers to somebody who may."""
    request = APIRequestFactory().generic(method, f"/api/v1/things/{name}", body, content_type)
    view = Things.as_view(authentication_classes=(), permission_classes=(), throttle_classes=())
    return view(request, name=name).render()


def same(answered: Any, other: Any) -> bool:
    more = {name.lower(): value for name, value in other.headers.items()}
    return (answered.status, answered.body) == (
        other.status_code,
        other.content and other.content + b"\n",  # Which a middleware adds to Django's.
    ) and answered.headers | more == answered.headers


def test_an_answer_is_that_of_the_view(ask: World) -> None:
    answered = ask()

    assert same(answered, django("GET"))
    assert answered.headers["x-frame-options"] == "DENY"
    assert answered.headers["content-length"] == str(len(answered.body))
    assert answered.headers["allow"] == "GET, POST, HEAD, OPTIONS"
    assert ask.counted == [("GET", "thing", 200)]


@pytest.mark.parametrize("name", [name for name in ERRORS if name != "bug"])
def test_an_error_is_answered_as_by_the_view(ask: World, name: str) -> None:
    answered = ask(path=f"/api/v1/things/{name}")

    assert same(answered, django("GET", name))
    assert answered.status >= 400
    assert answered.headers["content-type"] == "application/problem+json"
    assert ask.counted == [("GET", "thing", answered.status)]


def test_what_nobody_expected_stands_in_the_log_and_not_in_the_answer(
    ask: World, caplog: pytest.LogCaptureFixture
) -> None:
    answered = ask(path="/api/v1/things/bug", x_request_id="abc")

    assert (answered.status, answered.data["title"]) == (500, "Internal Server Error")
    assert b"payload" not in answered.body
    assert answered.headers["x-request-id"] == "abc"
    assert "allow" not in answered.headers
    (record,) = caplog.records
    assert (record.levelno, record.exc_info and record.exc_info[1]) == (logging.ERROR, ERRORS["bug"])


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (b'{"a": [1, "\xc3\xa9"]}', "application/json"),
        (b"[]", "application/json; charset=latin-1"),
        (b'{"a": 1}', "Application/JSON"),
        (b"", "application/json"),
        (b"", "text/plain"),
        (b"{", "application/json"),
        (b"[NaN]", "application/json"),
        (b'"\\ud800"', "application/json"),
        (b"\xff", "application/json"),
        (b"[" * 900, "application/json"),
        (b"a=1", "application/x-www-form-urlencoded"),
        (b"{}", "text/plain"),
        (b"{}", "nonsense"),
    ],
)
def test_a_body_is_read_as_by_the_view(ask: World, body: bytes, content_type: str) -> None:
    answered = ask(
        "POST", body=[body[:1], body[1:]], content_type=content_type, content_length=str(len(body))
    )

    assert not answered.by_django
    assert same(answered, django("POST", body=body, content_type=content_type))


def test_a_body_that_is_announced_as_too_large_is_not_read(ask: World) -> None:
    answered = ask("POST", content_length="1001", authorization="Bearer unknown")

    assert (answered.status, ask.read) == (413, 0)
    assert answered.headers["connection"] == "close"
    assert answered.data["detail"] == "The body may have at most 1000 bytes."
    assert not ask.tokens.found


def test_a_body_without_an_end_is_read_until_it_is_too_large(ask: World) -> None:
    answered = ask(
        "POST", body=[b"x" * 400] * 100, transfer_encoding="chunked", content_type="application/json"
    )

    assert (answered.status, ask.read) == (413, 3)


def test_a_client_that_has_gone_is_not_answered(ask: World) -> None:
    answered = ask("POST", body=[b"x", GONE], transfer_encoding="chunked", content_type="application/json")

    assert answered.status == 0
    assert not ask.counted


def test_an_unknown_key_is_401(ask: World) -> None:
    answered = ask(authorization="Bearer unknown")

    assert answered.status == 401
    assert answered.headers["www-authenticate"] == "Bearer"
    assert answered.data["detail"] == "This token is unknown, expired or revoked."
    assert ask.tokens.found == ["unknown"]


def test_a_key_that_is_not_remembered_is_looked_up(ask: World) -> None:
    assert ask(authorization=f"Bearer {READER}").status == 200
    assert ask().status == 200
    assert ask.tokens.found == [READER]


def test_without_the_right_the_answer_is_403(ask: World) -> None:
    answered = ask("POST", authorization=f"Bearer {READER}", body=[b"{}"], content_length="2")

    assert (answered.status, answered.data["detail"]) == (403, REFUSAL)
    assert not ask.read


def test_the_right_is_asked_for_the_channel_before_anything_else(ask: World) -> None:
    answered = ask(path=f"/api/v1/things/{FOREIGN}")

    assert (answered.status, answered.data["detail"]) == (403, REFUSAL)
    assert ask("POST", f"/api/v1/things/{FOREIGN}").status == 202


def test_an_endpoint_whose_address_does_not_name_its_channel_is_a_mistake() -> None:
    with pytest.raises(ValueError, match="names no channel"):
        Endpoint("thing", "things/(?P<name>.+)", Things, "read", {}, channel="channel")


def test_when_nobody_can_say_who_asks_the_answer_is_503(ask: World) -> None:
    answered = ask(authorization=f"Bearer {AWAY}")

    assert (answered.status, answered.headers["retry-after"]) == (503, "2")
    assert answered.data["type"] == "urn:relay:problem:server-away"


@pytest.mark.parametrize(
    ("given", "is_kept"), [("abc-1", True), ("", False), ("a b", False), ("é", False), ("a" * 65, False)]
)
def test_each_answer_has_a_request_id(ask: World, given: str, is_kept: bool) -> None:
    known_as = ask(x_request_id=given).headers["x-request-id"]

    assert (known_as == given) == is_kept
    assert known_as


def test_what_came_by_https_is_told_so(ask: World) -> None:
    headers = ask(scope={"scheme": "https"}).headers

    assert headers["strict-transport-security"] == "max-age=1"
    assert "x-frame-options" not in headers


def test_a_large_answer_comes_in_pieces_and_a_small_one_at_once(ask: World) -> None:
    small, large = ask(), ask(path="/api/v1/large")

    assert (small.pieces, large.pieces) == (1, 4)
    assert large.data == {"name": "large" * 40_000}
    assert int(large.headers["content-length"]) == len(large.body)


@pytest.mark.parametrize("can_send", [True, False])
def test_what_was_taken_up_is_given_back_once_it_was_sent_or_cannot_be(ask: World, can_send: bool) -> None:
    over.clear()
    ask.can_send = can_send

    with contextlib.nullcontext() if can_send else pytest.raises(OSError, match="cut"):
        ask(path="/api/v1/large")
    assert over == [1]
