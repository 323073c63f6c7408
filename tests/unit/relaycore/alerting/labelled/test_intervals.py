"""Time intervals, as Alertmanager's documentation has them."""

from datetime import datetime

import pytest

from relaycore.alerting.labelled import intervals
from relaycore.alerting.labelled.refused import BadMatcher
from relaycore.times import to_milliseconds


def _at(text: str) -> int:
    return to_milliseconds(datetime.fromisoformat(text))


@pytest.mark.parametrize(
    ("given", "inside", "outside"),
    [
        ({}, ["2026-01-01T00:00Z"], []),
        (
            {"times": [{"start_time": "09:00", "end_time": "17:00"}]},
            ["2026-01-01T09:00Z", "2026-01-01T16:59:59.999Z"],
            ["2026-01-01T08:59:59Z", "2026-01-01T17:00Z"],
        ),
        (
            {
                "times": [
                    {"start_time": "22:00", "end_time": "24:00"},
                    {"start_time": "00:00", "end_time": "06:00"},
                ]
            },
            ["2026-01-01T23:59Z", "2026-01-01T00:00Z"],
            ["2026-01-01T06:00Z", "2026-01-01T21:59Z"],
        ),
        # 2026-01-04 is a Sunday.
        (
            {"weekdays": ["monday:friday"]},
            ["2026-01-05T12:00Z", "2026-01-09T12:00Z"],
            ["2026-01-04T12:00Z", "2026-01-10T12:00Z"],
        ),
        (
            {"weekdays": ["Sunday", "saturday"]},
            ["2026-01-04T12:00Z", "2026-01-10T12:00Z"],
            ["2026-01-05T12:00Z"],
        ),
        ({"days_of_month": ["1:5"]}, ["2026-02-05T00:00Z"], ["2026-02-06T00:00Z"]),
        ({"days_of_month": ["-1"]}, ["2026-02-28T00:00Z", "2028-02-29T00:00Z"], ["2028-02-28T00:00Z"]),
        ({"days_of_month": ["-3:-1"]}, ["2026-04-28T00:00Z"], ["2026-04-27T00:00Z"]),
        ({"days_of_month": ["25:-2"]}, ["2026-04-29T00:00Z"], ["2026-04-30T00:00Z", "2026-04-24T00:00Z"]),
        ({"days_of_month": ["31"]}, ["2026-01-31T00:00Z"], ["2026-04-30T00:00Z"]),
        ({"days_of_month": ["30:31"]}, ["2026-04-30T00:00Z"], ["2026-02-28T00:00Z"]),
        (
            {"months": ["january:march", "12"]},
            ["2026-03-31T00:00Z", "2026-12-01T00:00Z"],
            ["2026-04-01T00:00Z"],
        ),
        ({"years": ["2026:2027", 2030]}, ["2027-01-01T00:00Z", "2030-01-01T00:00Z"], ["2028-01-01T00:00Z"]),
        # All fields must be so.
        (
            {"months": ["5"], "weekdays": ["friday"]},
            ["2026-05-01T00:00Z"],
            ["2026-05-02T00:00Z", "2026-06-05T00:00Z"],
        ),
        # With the clock of a zone, in summer and in winter.
        (
            {"times": [{"start_time": "09:00", "end_time": "10:00"}], "location": "Europe/Berlin"},
            ["2026-07-01T07:30Z", "2026-01-01T08:30Z"],
            ["2026-07-01T08:30Z", "2026-01-01T07:30Z"],
        ),
        (
            {"weekdays": ["monday"], "location": "Pacific/Auckland"},
            ["2026-01-04T12:00Z"],
            ["2026-01-05T12:00Z"],
        ),
    ],
)
def test_contain(given: object, inside: list[str], outside: list[str]) -> None:
    interval = intervals.of(given)
    assert [at for at in inside if not interval.contains(_at(at))] == []
    assert [at for at in outside if interval.contains(_at(at))] == []


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ([], "object"),
        ({"hours": []}, "object"),
        ({"times": {}}, "list"),
        ({"times": ["09:00"]}, "start_time"),
        ({"times": [{"start_time": "9:00", "end_time": "17:00"}]}, "start_time"),
        ({"times": [{"start_time": "09:00", "end_time": "24:01"}]}, "start_time"),
        ({"times": [{"start_time": "22:00", "end_time": "06:00"}]}, "Over midnight"),
        ({"weekdays": ["friday:monday"]}, "weekdays"),
        ({"weekdays": ["caturday"]}, "weekdays"),
        ({"weekdays": [True]}, "weekdays"),
        ({"months": ["13"]}, "months"),
        ({"months": ["may:april"]}, "months"),
        ({"days_of_month": ["0"]}, "days_of_month"),
        ({"days_of_month": ["32"]}, "days_of_month"),
        ({"days_of_month": ["5:1"]}, "days_of_month"),
        ({"days_of_month": ["-5:1"]}, "days_of_month"),
        ({"days_of_month": ["10:-25"]}, "days_of_month"),
        ({"days_of_month": ["x"]}, "days_of_month"),
        ({"years": ["2027:2026"]}, "years"),
        ({"years": ["0"]}, "years"),
        ({"years": ["1" * 5_000]}, "years"),
        ({"location": "Europe/Atlantis"}, "location"),
        ({"location": "../../etc/passwd"}, "location"),
        ({"location": "localtime"}, "location"),
        ({"location": "posixrules"}, "location"),
        ({"location": "Factory"}, "location"),
        ({"location": 1}, "location"),
        ({"years": ["2026"] * 51}, "years"),
    ],
)
def test_say_what_is_wrong(given: object, why: str) -> None:
    with pytest.raises(BadMatcher, match=why):
        intervals.of(given)


def test_are_a_list() -> None:
    assert intervals.several([]) == ()
    for given in ({}, "monday", [{}] * 51):
        with pytest.raises(BadMatcher, match="list"):
            intervals.several(given)
