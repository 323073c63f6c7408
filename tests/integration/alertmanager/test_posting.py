"""`POST /alerts`: what is taken, what is refused, and what becomes a message of the channel."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from alerts_app.receiving import posting
from alerts_app.receiving.models import HeardAlert, Transition
from relaybase.postgres import values
from relaycore.alerting.labelled import posted
from tests.integration.alertmanager.conftest import Api, Told

pytestmark = pytest.mark.django_db(transaction=True)

Wait = Callable[..., None]

ZERO = "0001-01-01T00:00:00.000Z"


def alert(
    name: str, *, starts: float | None = None, ends: float | None = None, **more: Any
) -> dict[str, Any]:
    """As Prometheus sends one. Times: seconds from now."""
    times = {"startsAt": starts, "endsAt": ends}
    return {
        "labels": {"alertname": name, **more.pop("labels", {})},
        "annotations": {},
        **{key: ZERO if value is None else _at(value) for key, value in times.items()},
        **more,
    }


def _at(seconds: float) -> str:
    return (datetime.now(UTC) + timedelta(seconds=seconds)).isoformat()


def _names(api: Api) -> list[str]:
    return sorted(one["labels"]["alertname"] for one in api.well("GET", "/alerts"))


def _said(told: Told) -> list[tuple[str, str]]:
    return [(one["status"], one["labels"]["alertname"]) for one in told()]


def test_repetitions_are_no_messages(api: Api, told: Told, wait_until: Wait) -> None:
    for value in range(5):
        api.well(
            "POST", "/alerts", [alert("a", starts=-60, ends=240 + value, annotations={"value": str(value)})]
        )
    api.well("POST", "/alerts", [alert("b", ends=300)])
    wait_until(lambda: len(told()) == 2)
    assert _said(told) == [("firing", "a"), ("firing", "b")]
    # What is shown is the newest.
    (found,) = api.well("GET", "/alerts?filter=alertname%3Da")
    assert found["annotations"] == {"value": "4"}


def test_an_end_is_told_once_however_often_it_is_sent(api: Api, told: Told, wait_until: Wait) -> None:
    api.well("POST", "/alerts", [alert("a", starts=-60, ends=240)])
    ended = alert("a", starts=-60, ends=-1)
    for _ in range(3):
        api.well("POST", "/alerts", [ended])
    assert _names(api) == []
    api.well("POST", "/alerts", [alert("last", ends=300)])
    wait_until(lambda: len(told()) == 3)
    assert _said(told) == [("firing", "a"), ("resolved", "a"), ("firing", "last")]
    # It may begin again.
    api.well("POST", "/alerts", [alert("a", starts=0, ends=240)])
    wait_until(lambda: len(told()) == 4)
    assert _said(told)[3] == ("firing", "a")


def test_whoever_was_never_heard_does_not_end(api: Api, told: Told, wait_until: Wait) -> None:
    api.well("POST", "/alerts", [alert("a", starts=-60, ends=-1)])
    api.well("POST", "/alerts", [alert("b", ends=300)])
    wait_until(lambda: len(told()) == 1)
    assert _said(told) == [("firing", "b")]


def test_the_valid_ones_are_taken_though_the_answer_is_400(api: Api) -> None:
    given = [
        alert("good", ends=300),
        {"labels": {}},
        {"labels": {"empty": ""}},
        alert("turned", starts=10, ends=-10),
        "nonsense",
        {"labels": {"alertname": 1}},
        alert("bad time", startsAt="yesterday"),
        alert("also good", ends=300),
    ]
    status, said = api.ask("POST", "/alerts", given)
    assert status == 400
    assert [f"alert {index}:" in said for index in range(8)] == [False, *[True] * 6, False]
    assert _names(api) == ["also good", "good"]


@pytest.mark.parametrize("cut", [b"\\ud83d", b"\xf0\x9f"])
def test_a_text_that_was_cut_off_in_a_character_costs_nobody_an_alert(
    api: Api, told: Told, wait_until: Wait, cut: bytes
) -> None:
    body = b'[{"labels": {"alertname": "cut"}, "annotations": {"a": "fire ' + cut
    body += b'"}, "generatorURL": "http://x/' + cut + b'"}, {"labels": {"alertname": "whole"}}]'
    assert api.ask("POST", "/alerts", raw=body) == (200, None)
    assert _names(api) == ["cut", "whole"]
    wait_until(lambda: ("firing", "cut") in _said(told))
    (said,) = (one for one in told() if one["labels"]["alertname"] == "cut")
    assert (said["annotations"], said["generatorURL"]) == ({"a": "fire \ufffd"}, "http://x/\ufffd")


def test_whoever_says_never_and_whoever_says_no_zone_is_understood(api: Api) -> None:
    since = datetime.now(UTC).replace(tzinfo=None).isoformat()
    api.well("POST", "/alerts", [alert("a", startsAt=since, endsAt="9999-12-31T23:59:59.9999999Z")])
    (found,) = api.well("GET", "/alerts")
    assert (found["startsAt"][:19], found["endsAt"][:4]) == (since[:19], "9000")


def test_two_of_one_request_are_taken_in_their_order(api: Api, told: Told, wait_until: Wait) -> None:
    api.well("POST", "/alerts", [alert("a", starts=-60, ends=240), alert("a", starts=-60, ends=-1)])
    api.well("POST", "/alerts", [alert("a", starts=0, ends=240), alert("b", ends=240)])
    wait_until(lambda: len(told()) == 4)
    assert _said(told)[:2] == [("firing", "a"), ("resolved", "a")]
    assert sorted(_said(told)[2:]) == [("firing", "a"), ("firing", "b")]


@pytest.mark.parametrize("body", [b"", b"{}", b"null", b"[", b"\xff", b"[" * 100_000])
def test_what_is_no_array_of_alerts_is_400(api: Api, body: bytes) -> None:
    status, said = api.ask("POST", "/alerts", raw=body)
    assert status == 400
    assert isinstance(said, str)


def test_it_is_never_too_much_for_a_sender(api: Api) -> None:
    many = [alert(str(number), ends=300) for number in range(1_000)]
    api.well("POST", "/alerts", many)
    assert len(api.well("GET", "/alerts")) == 1_000
    assert api.ask("POST", "/alerts", [{}] * 10_001)[0] == 400


def test_all_that_go_on_are_one_statement(monkeypatch: pytest.MonkeyPatch) -> None:
    at, later = 1_700_000_000_000, 4_000_000_000_000
    given = [{"labels": {"alertname": str(number)}} for number in range(50)]
    begun = [replace(posted.read(one, at, 1_000), starts=at, ends=later, is_timed_out=False) for one in given]
    assert posting.take(begun)
    assert Transition.objects.count() == 50
    Transition.objects.all().delete()
    many: list[str] = []
    ask = values.execute_values

    def count(sql: Any, statement: str, *rest: Any, **more: Any) -> Any:
        many.append(statement)
        return ask(sql, statement, *rest, **more)

    monkeypatch.setattr(posting, "execute_values", count)
    with CaptureQueriesContext(connection) as others:
        assert not posting.take([replace(one, ends=later + 60_000) for one in begun])
    assert (len(many), len(others)) == (1, 0)
    assert set(HeardAlert.objects.values_list("ends", flat=True)) == {later + 60_000}
    assert not Transition.objects.exists()


def test_addresses_and_methods(api: Api) -> None:
    assert api.ask("GET", "/nonsense") == (404, "There is no such address.")
    assert api.ask("DELETE", "/alerts")[0] == 405
    assert api.ask("GET", "/silence/nonsense")[0] == 404
    assert api.ask("DELETE", "/silence/00000000-0000-4000-8000-000000000000")[0] == 404
    assert api.ask("GET", "/alerts?active=perhaps")[0] == 400
    assert api.ask("GET", "/alerts?filter=%7B")[0] == 400
    assert api.ask("GET", "/alerts?receiver=%5B")[0] == 400
    assert api.well("GET", "/receivers") == [{"name": "relay", "labels": {}}]
    assert api.well("GET", "/alerts/groups") == []
    assert api.well("GET", "/status/")["cluster"]["status"] == "disabled"
    assert api.ask("POST", "/silences", {"matchers": []}, Origin="http://elsewhere.example")[0] == 403


def test_what_webhooks_bring_back_too_often_is_refused(api: Api) -> None:
    assert api.ask("POST", "/alerts", [alert("a", ends=300)], relay_hops="8")[0] == 200
    status, why = api.ask("POST", "/alerts", [alert("b", ends=300)], relay_hops="9")

    assert status == 508
    assert "in a circle" in why
    assert _names(api) == ["a"]
