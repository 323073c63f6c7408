"""Times in the forms of ISO 8601 that Python does not read, or reads as others."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relaycore.alerting.kinds import moments, texts


@pytest.mark.parametrize(
    ("text", "same_as"),
    [
        ("2026-11-27t05:00:00z", "2026-11-27T05:00:00+00:00"),
        ("2026-11-27T05:00:00.25z", "2026-11-27T05:00:00.250000+00:00"),
        ("2026-331T05:00Z", "2026-11-27T05:00:00+00:00"),
        ("2026331T05Z", "2026-11-27T05:00:00+00:00"),
        ("2028-366T00:00Z", "2028-12-31T00:00:00+00:00"),
        ("2026-11-27T05.5Z", "2026-11-27T05:30:00+00:00"),
        ("2026-11-27T05,25", "2026-11-27T05:15:00+00:00"),
        ("2026-11-27T05:00.5+01:00", "2026-11-27T04:00:30+00:00"),
        ("20261127T0500.5Z", "2026-11-27T05:00:30+00:00"),
        ("2026-W48-5T05.5Z", "2026-11-27T05:30:00+00:00"),
        ("2026-11-27T24:00:00Z", "2026-11-28T00:00:00+00:00"),
        ("2026-12-31T24:00", "2027-01-01T00:00:00+00:00"),
        ("2016-12-31T23:59:60Z", "2017-01-01T00:00:00+00:00"),
        ("2016-12-31T23:59:60.5Z", "2017-01-01T00:00:00.500000+00:00"),
        ("2017-01-01T05:29:60+05:30", "2017-01-01T00:00:00+00:00"),
        ("2026-11-27T05:00:00\u221205:00", "2026-11-27T10:00:00+00:00"),
        ("2026-11-27T05:00:00.5\u22120530", "2026-11-27T10:30:00.500000+00:00"),
    ],
)
def test_reads_what_the_standard_has_besides(text: str, same_as: str) -> None:
    assert texts.show_time(texts.read_time(text)) == datetime.fromisoformat(same_as).isoformat()


@pytest.mark.parametrize(
    "text",
    [
        "2026-11-27T24:00:01Z",
        "2026-11-27T24.5Z",
        "2026-11-27T25:00Z",
        "2026-11-27T05:60Z",
        "2026-11-27T05:00:61Z",
        "2026-11-27T05:00:60Z",
        "2026-02-29t00:00:00z",
        "2026-366T00:00Z",
        "2026-000T00:00Z",
        "2026-331",
        "2026-11-27T05:00:00z[Europe/Berlin]",
        "2026-11-27T05:00:00z ",
        "2026-11-27T05.5.5Z",
        "\u0662\u0660\u0662\u0666-11-27t05:00:00z",
        "9999-12-31T24:00Z",
        "2026-11-27t05:00:00+24:00",
        "",
    ],
)
def test_refuses_what_is_no_time(text: str) -> None:
    with pytest.raises((ValueError, OverflowError)):
        texts.read_time(text)


@given(st.datetimes(timezones=st.just(UTC)))
def test_reads_what_python_writes_as_python_reads_it(moment: datetime) -> None:
    text = moment.isoformat()
    assert moments.read(text) == moment
    # The rarer forms are read by the same measure as the common ones.
    assert moments.read(text.replace("T", "t").replace("+00:00", "z")) == moment
