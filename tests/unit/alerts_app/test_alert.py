"""What a posted body says, and what is wrong with it."""

import json
from datetime import datetime
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts_app.defaults import SETTINGS
from alerts_app.taking.alert import BadAlert, key_of, read
from relaycore.alerting.items import Input
from relaycore.alerting.kinds.fields import MOST_CHARS
from relaycore.alerting.rules import parse

GOOD: Final[dict[str, Any]] = {
    "location": "Harbour",
    "type": "Flood",
    "timestamp": "2026-11-21T12:00:00Z",
    "duration": 15,
}

TEXTS: Final = ("location", "type")
IDS: Final = ("id", "uuid")


def body(**changed: Any) -> bytes:
    return json.dumps({**GOOD, **changed}).encode()


def without(field: str) -> bytes:
    return json.dumps({name: value for name, value in GOOD.items() if name != field}).encode()


@pytest.mark.parametrize(
    "changed",
    [
        {},
        {"duration": 0.5},
        {"duration": 1e-9},
        {"duration": 100_000_000},
        {"timestamp": "2026-11-21T12:00:00.123456+05:30"},
        {"timestamp": "2026-11-21 12:00"},
        {"timestamp": "2026-11-21"},
        {"timestamp": "2286-11-20T00:00:00Z"},
        {"location": "日本 🌊", "type": " Fire "},
        {"location": "x" * MOST_CHARS},
        {"severity": {"level": [1, 2, None]}, "confirmed": True},
        {"id": None},
    ],
)
def test_an_alert_is_taken(changed: dict[str, Any]) -> None:
    assert read(body(**changed)) is None


_JSON: Final = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=5,
)
_TIMES: Final = st.datetimes(timezones=st.none() | st.timezones()).map(datetime.isoformat)


@given(
    location=st.text() | _JSON,
    type=st.text() | _JSON,
    timestamp=_TIMES | _JSON,
    duration=st.floats() | st.integers() | _JSON,
    more=_JSON,
)
def test_what_is_taken_the_rule_that_comes_along_can_read(**members: Any) -> None:
    sent = json.dumps(members).encode()
    try:
        read(sent)
    except BadAlert:
        return
    parse("window", SETTINGS).read(Input(f"{1:013d}-0000000000-00000", sent))


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        *(
            ({name: value}, name)
            for name in ("location", "type")
            for value in (None, "", " \t\n", 5, True, [])
        ),
        *(({name: "x" * (MOST_CHARS + 1)}, name) for name in TEXTS),
        *(
            ({"timestamp": value}, "timestamp")
            for value in (
                *(
                    None,
                    "",
                    " ",
                    1732190000,
                    True,
                    "yesterday",
                    "12:00",
                    "2026-13-01",
                    "2026-02-30T00:00:00Z",
                ),
                *("2026-11-21T25:00:00Z", "2026-11-21T12:00:00+99:00", "0001-01-01T00:00:00+14:00", "NaN"),
                "2" * 60_000,
            )
        ),
        *(
            ({"duration": value}, "duration")
            for value in (None, "15", "", True, False, [], {}, 0, 0.0, -0.0, -1, -1e-9, 10**4000, 1e300)
        ),
        ({"timestamp": "2286-11-20T17:46:00Z", "duration": 1}, "duration"),
        ({"timestamp": "9999-12-31T23:59:59Z", "duration": 1}, "duration"),
        *(
            ({name: value}, name)
            for name in ("id", "uuid")
            for value in ("", " ", True, 1.5, [], {}, "x" * 256)
        ),
        ({"id": 10**300}, "id"),
    ],
)
def test_what_is_no_alert_names_its_field(changed: dict[str, Any], field: str) -> None:
    with pytest.raises(BadAlert) as raised:
        read(body(**changed))
    assert raised.value.field == field
    assert str(raised.value).startswith(f"Invalid event data: {field} must ")


@pytest.mark.parametrize("field", sorted(GOOD))
def test_what_is_missing_is_named(field: str) -> None:
    with pytest.raises(BadAlert) as raised:
        read(without(field))
    assert raised.value.field == field


@pytest.mark.parametrize(
    "sent",
    [
        *(b"", b" ", b"null", b"true", b"5", b'"text"', b"[]", b"location=Harbour", b"{", b"\xff\xfe"),
        b"[" + body() + b"]",
        body() + body(),
        b"\xef\xbb\xbf" + body(),
        b"[" * 60_000,
        b'{"a":' * 10_000,
        body().replace(b"15", b"NaN"),
        body().replace(b"15", b"Infinity"),
        body().replace(b"15", b"-Infinity"),
        body().replace(b"15", b"1" * 5000),
        body().replace(b"Harbour", b"\\ud800"),
        body().replace(b"Harbour", b"a\x00b"),
        body().replace(b'"type"', b'"location"'),
        body().replace(b"{", b'{"duration": 1, ', 1),
        body(more={"a": 1}).replace(b'"a": 1', b'"a": 1, "a": 2'),
    ],
)
def test_what_is_no_object_of_json_is_said_of_the_body(sent: bytes) -> None:
    with pytest.raises(BadAlert) as raised:
        read(sent)
    assert raised.value.field == "body"


def test_a_number_beyond_all_is_no_duration() -> None:
    with pytest.raises(BadAlert) as raised:
        read(body().replace(b"15", b"1e999"))
    assert raised.value.field == "duration"


@pytest.mark.parametrize(
    ("changed", "id"),
    [
        ({"id": "a-1"}, "a-1"),
        ({"id": 5}, "5"),
        ({"uuid": "b"}, "b"),
        ({"id": "a", "uuid": "b"}, "a"),
        ({"id": None, "uuid": "b"}, "b"),
    ],
)
def test_its_source_has_an_id_for_it(changed: dict[str, Any], id: str) -> None:
    assert read(body(**changed)) == id


def test_a_source_that_is_known_is_believed_its_ids() -> None:
    assert key_of("7", b"one", is_known=True) == key_of("7", b"another", is_known=True) == "7"


def test_two_sources_that_nobody_knows_do_not_erase_each_other_by_counting() -> None:
    first, again, other = (key_of("7", sent, is_known=False) for sent in (b"one", b"one", b"another"))
    assert first == again != other
    assert first is not None


def test_what_has_no_id_has_no_key() -> None:
    assert key_of(None, b"one", is_known=True) is key_of(None, b"one", is_known=False) is None
