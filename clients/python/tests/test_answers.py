"""What Relay answered, as errors and waiting times."""

from datetime import UTC, datetime

import pytest

from relay_client import ApiError, BadMessage, BadRequest, Throttled, TooLarge, Unavailable
from relay_client.answers import Answer, error_of, retry_after
from relay_client.errors import OF_STATUS


@pytest.mark.parametrize(
    ("status", "error"), [*OF_STATUS.items(), (418, ApiError), (500, ApiError), (302, ApiError)]
)
def test_each_status_has_its_error(status: int, error: type[ApiError]) -> None:
    made = error_of(Answer(status, {}, b""))
    assert type(made) is error
    assert made.status == status
    assert str(made) == f"{status}: There is no more to the answer than its status."


@pytest.mark.parametrize(
    "body",
    [b"", b"<html>", b"[]", b"7", b"null", b'"text"', b"\xff", b'{"type": 7, "detail": null, "title": []}'],
)
def test_what_is_no_problem_is_an_error_nevertheless(body: bytes) -> None:
    made = error_of(Answer(503, {}, body))
    assert (type(made), made.type, made.title, made.help) == (Unavailable, "about:blank", "", "")


@pytest.mark.parametrize(
    ("index", "made"),
    [("7", BadMessage), ("0", BadMessage), ("true", BadRequest), ('"7"', BadRequest), ("null", BadRequest)],
)
def test_a_bad_message_is_one_with_an_index(index: str, made: type[ApiError]) -> None:
    body = f'{{"type": "urn:relay:problem:bad-message", "detail": "Bad.", "index": {index}}}'
    error = error_of(Answer(400, {}, body.encode()))
    assert type(error) is made
    if isinstance(error, BadMessage):
        assert error.index == int(index)


def test_a_message_that_is_too_large_is_named() -> None:
    found = [error_of(Answer(413, {}, body)) for body in (b'{"index": 3}', b"{}")]
    assert [isinstance(error, TooLarge) and error.index for error in found] == [3, None]


def test_another_problem_with_an_index_is_none() -> None:
    assert type(error_of(Answer(400, {}, b'{"type": "urn:relay:problem:other", "index": 1}'))) is BadRequest


NOON = "Thu, 26 Nov 2026 12:00:00 GMT"


@pytest.mark.parametrize(
    ("said", "date", "seconds"),
    [
        ("2", "", 2.0),
        (" 120 ", "", 120.0),
        ("0", "", 0.0),
        ("", "", None),
        ("-1", "", None),
        ("1.5", "", None),
        ("soon", "", None),
        ("²", "", None),
        ("Thu, 26 Nov 2026 12:00:30 GMT", NOON, 30.0),
        ("Thu, 26 Nov 2026 11:00:00 GMT", NOON, 0.0),
        ("Thu, 26 Nov 2026 12:00:30 GMT", "", 20.0),
        ("Thu, 26 Nov 2026 12:00:30 GMT", "nonsense", 20.0),
        ("Thu, 26 Nov 2026 12:00:30 -0000", NOON, 30.0),
        ("Thu, 99 Nov 2026 12:00:30 GMT", NOON, None),
    ],
)
def test_what_retry_after_asks_for(said: str, date: str, seconds: float | None) -> None:
    now = datetime(2026, 11, 26, 12, 0, 10, tzinfo=UTC)
    headers = {"retry-after": said} | ({"date": date} if date else {})
    assert retry_after(headers, now) == seconds


@pytest.mark.parametrize("status", [429, 502, 503, 504])
def test_who_is_asked_to_wait_is_told_how_long(status: int) -> None:
    error = error_of(Answer(status, {"retry-after": "7"}, b""))
    assert isinstance(error, Throttled | Unavailable)
    assert error.retry_after_seconds == 7
