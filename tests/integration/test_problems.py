"""The table of errors and their HTTP answers."""

from collections.abc import Iterator
from typing import Any

import pytest
from django.db import connection
from django.http import HttpRequest
from rest_framework.exceptions import ValidationError

from relaybase.http import problems
from relaybase.http.problems import ANSWERS
from relaycore.errors import RelayError


def _all(kind: type[RelayError]) -> Iterator[type[RelayError]]:
    for below in kind.__subclasses__():
        yield below
        yield from _all(below)


def test_every_error_of_relay_has_an_answer() -> None:
    assert set(_all(RelayError)) == set(ANSWERS)


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("method", "address", "status", "kind", "title"),
    [
        ("get", "/api/v1/channels/nothing", 404, "urn:relay:problem:channel-unknown", "Not Found"),
        ("get", "/api/v1/nothing", 404, "about:blank", "Not Found"),
        ("get", "/api/v1/messages", 400, "about:blank", "Bad Request"),
        ("post", "/api/v1/start-listening", 400, "urn:relay:problem:invalid", "Bad Request"),
        ("put", "/api/v1/channels", 405, "about:blank", "Method Not Allowed"),
    ],
)
def test_errors_are_problem_details(
    api: Any, method: str, address: str, status: int, kind: str, title: str
) -> None:
    answer = getattr(api, method)(address, {}, format="json") if method != "get" else api.get(address)

    assert answer["Content-Type"] == "application/problem+json"
    body = answer.json()
    assert (answer.status_code, body["status"], body["type"], body["title"]) == (status, status, kind, title)
    assert body["detail"]


@pytest.mark.django_db
def test_what_nobody_expected_tells_a_program_nothing_but_that(
    api: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any) -> None:
        raise RuntimeError("with a secret")

    monkeypatch.setattr("channels_app.registration.start", fail)
    api.raise_request_exception = False

    answer = api.post("/api/v1/start-listening", {"channel": "orders"}, format="json")

    assert (answer.status_code, answer["Content-Type"]) == (500, "application/problem+json")
    assert "secret" not in answer.content.decode()


@pytest.mark.django_db
def test_while_postgresql_is_read_only_a_change_is_503(api: Any) -> None:
    api.get("/api/v1/channels")  # Then its token was used a moment ago, which is not noted again.
    connection.check_constraints()  # What was put off until now writes as well.
    with connection.cursor() as cursor:
        cursor.execute("SET TRANSACTION READ ONLY")

    answer = api.post("/api/v1/start-listening", {"channel": "orders"}, format="json")

    assert answer.status_code == 503
    assert answer.json()["type"] == "urn:relay:problem:read-only"
    assert int(answer["Retry-After"]) > 0
    assert api.get("/api/v1/channels").status_code == 200


@pytest.mark.django_db
@pytest.mark.parametrize(
    "address",
    [
        "/api/v1/messages?channel=a&channel=b",
        "/api/v1/messages?channel=a&limit=1&limit=1",
        "/api/v1/messages/export?channel=a&format=csv&format=ndjson",
        "/api/v1/channels?search=a&search=b",
        "/api/v1/channels?format=json&format=json",
        "/api/v1/gaps?open=true&open=false",
    ],
)
def test_a_parameter_that_is_given_twice_is_refused(api: Any, address: str) -> None:
    answer = api.get(address)

    assert answer.status_code == 400
    assert "once only" in answer.json()["detail"]


def test_of_many_errors_the_first_are_said() -> None:
    many = {f"field {number}": [f"wrong {n}" for n in range(100)] for number in range(10_000)}

    answer = problems.answer(ValidationError(many), {"request": HttpRequest()})

    assert answer is not None
    assert len(answer.data["errors"]) == problems.MOST_FIELDS + 1
    assert answer.data["errors"]["non_field_errors"] == ["And 9990 more."]
    assert answer.data["errors"]["field 0"][-1] == "And 90 more."
    assert answer.data["detail"].endswith("And 9990 more.")
