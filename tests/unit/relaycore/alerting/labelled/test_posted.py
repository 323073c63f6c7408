"""What senders say of an alert: read, merged, and written as a message."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relaycore.alerting.labelled import labels, posted, transitions
from relaycore.alerting.labelled.posted import Alert
from relaycore.alerting.labelled.refused import BadAlert

_NOW = 1_700_000_000_000
_TIMEOUT = 300_000
_ZERO = "0001-01-01T00:00:00.000Z"
_NEVER = round(datetime(9000, 12, 31, tzinfo=UTC).timestamp() * 1000)


def _read(**given: Any) -> Alert:
    return posted.read({"labels": {"alertname": "a"}, **given}, _NOW, _TIMEOUT)


def _text(at: int) -> str:
    return transitions.written(at)


@pytest.mark.parametrize(
    ("given", "starts", "ends", "is_timed_out"),
    [
        ({}, _NOW, _NOW + _TIMEOUT, True),
        # As amtool sends what nobody has said.
        ({"startsAt": _ZERO, "endsAt": _ZERO}, _NOW, _NOW + _TIMEOUT, True),
        ({"startsAt": "", "endsAt": None}, _NOW, _NOW + _TIMEOUT, True),
        ({"startsAt": _text(_NOW - 5_000)}, _NOW - 5_000, _NOW + _TIMEOUT, True),
        ({"endsAt": _text(_NOW - 5_000)}, _NOW - 5_000, _NOW - 5_000, False),
        ({"startsAt": _text(_NOW), "endsAt": _text(_NOW + 7)}, _NOW, _NOW + 7, False),
        # With another offset, without fractions, and with more digits than a microsecond has.
        ({"startsAt": "2023-11-14T23:13:20+01:00"}, _NOW, _NOW + _TIMEOUT, True),
        ({"startsAt": "2023-11-14T22:13:20.123456789Z"}, _NOW + 123, _NOW + _TIMEOUT, True),
        # As `datetime.utcnow().isoformat()` has it; and as some languages write never.
        ({"startsAt": "2023-11-14T22:13:20.123456"}, _NOW + 123, _NOW + _TIMEOUT, True),
        ({"startsAt": _text(_NOW), "endsAt": "9999-12-31T23:59:59.9999999Z"}, _NOW, _NEVER, False),
        ({"endsAt": "9999-12-31T23:59:59Z"}, _NEVER, _NEVER, False),
    ],
)
def test_has_the_times_that_alertmanager_gives_it(
    given: dict[str, Any], starts: int, ends: int, is_timed_out: bool
) -> None:
    found = _read(**given)
    assert (found.starts, found.ends, found.is_timed_out) == (starts, ends, is_timed_out)


@pytest.mark.parametrize(
    "given",
    [
        {"labels": {}},
        {"labels": {"a": ""}},
        {"labels": None},
        {"annotations": []},
        {"generatorURL": 1},
        {"generatorURL": "x" * 10_000},
        {"startsAt": "yesterday"},
        {"startsAt": 1},
        {"startsAt": "9999-12-31T23:59:59Z"},
        {"startsAt": "1950-01-01T00:00:00Z"},
        {"startsAt": "2026-02-30T00:00:00Z"},
        {"endsAt": "9999-12-31T23:59:59-23:59"},
        {"startsAt": _text(_NOW), "endsAt": _text(_NOW - 1)},
    ],
)
def test_is_refused_where_it_cannot_be_meant(given: dict[str, Any]) -> None:
    with pytest.raises(BadAlert):
        _read(**given)
    with pytest.raises(BadAlert):
        posted.read("nonsense", _NOW, _TIMEOUT)


def _alert(starts: int, ends: int, *, is_timed_out: bool = False) -> Alert:
    return Alert("f", {"a": "b"}, {}, "", starts, ends, is_timed_out)


@pytest.mark.parametrize(
    ("known", "said", "merged"),
    [
        # A repetition moves the end on.
        (_alert(10, 50), _alert(10, 60), _alert(10, 60)),
        # One that overlaps begins with the earlier.
        (_alert(10, 50), _alert(30, 60), _alert(10, 60)),
        # Now is 20. An end that was said stands over one that was not.
        (_alert(10, 50), _alert(12, 40, is_timed_out=True), _alert(10, 50)),
        (_alert(10, 50, is_timed_out=True), _alert(12, 40), _alert(10, 40)),
        # It has ended: that holds, whatever was said before.
        (_alert(10, 50), _alert(10, 15), _alert(10, 15)),
        # Of two ends that are over, the later one.
        (_alert(5, 18), _alert(5, 12), _alert(5, 18)),
        # What does not overlap is another one.
        (_alert(1, 5), _alert(15, 60), _alert(15, 60)),
        (_alert(0, 0), _alert(15, 60), _alert(15, 60)),
    ],
)
def test_is_merged_with_what_is_known_as_in_alertmanager(known: Alert, said: Alert, merged: Alert) -> None:
    assert posted.merged(known, said, 20) == merged


_TIMES = st.integers(0, 30)


@given(_TIMES, _TIMES, _TIMES, _TIMES)
def test_goes_on_without_more_than_an_end_where_it_does(
    starts: int, lasts: int, begins: int, more: int
) -> None:
    """What one statement does for all of a request: `alerts_app.receiving.posting`."""
    known = _alert(starts, starts + lasts)
    said = _alert(begins, known.ends + more)
    if known.starts <= said.starts < known.ends:
        assert posted.merged(known, said, known.ends - 1) == _alert(known.starts, said.ends)


def test_is_read_from_its_message_as_it_was_written() -> None:
    alert = Alert(
        "c0ffee",
        {"alertname": "a", "b": "é\n"},
        {"summary": ""},
        "http://x",
        _NOW - 5,
        _NOW,
        is_timed_out=True,
    )
    firing = transitions.read(transitions.message(alert, is_firing=True), _NOW)
    over = transitions.read(transitions.message(alert, is_firing=False).encode(), _NOW)
    for said, is_firing, ends in ((firing, True, 0), (over, False, _NOW)):
        assert (said.is_firing, said.ends) == (is_firing, ends)
        assert (said.labels, said.annotations, said.url) == (alert.labels, alert.annotations, "http://x")
        assert said.starts == _NOW - 5


def test_needs_no_more_than_labels_in_a_message() -> None:
    said = transitions.read(json.dumps({"labels": {"a": "b"}}), _NOW)
    assert (said.is_firing, said.starts, said.ends) == (True, _NOW, 0)
    over = transitions.read(json.dumps({"labels": {"a": "b"}, "status": "resolved"}), _NOW)
    assert (over.is_firing, over.ends) == (False, _NOW)


@pytest.mark.parametrize("character", ["\x01", "\U0001f600", "a", '"'])
def test_no_message_is_larger_than_it_may_be(character: str) -> None:
    """Each text as long as it may be; and as many labels as there may be."""
    most = (labels.MOST_BYTES - 100) // len(character.encode())
    many = {f"{number:x}": "" for number in range(labels.MOST_BYTES // 4)}
    alert = _read(
        labels={"alertname": character * most},
        annotations=many if character == "a" else {"text": character * most},
        generatorURL=character * posted.MOST_URL_CHARS,
    )
    message = transitions.message(alert, is_firing=True)
    assert len(message.encode()) < posted.MOST_BYTES
