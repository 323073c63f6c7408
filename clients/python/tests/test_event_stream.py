"""The reader of event streams: what the HTML standard says, however the bytes come."""

import re
from collections.abc import Iterable, Sequence
from unittest import mock

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay_client import BadAnswer
from relay_client.watching import stream
from relay_client.watching.stream import Event, EventStream


def read(chunks: Iterable[bytes], id: str = "") -> list[Event]:
    reader = EventStream(id)
    return [event for chunk in chunks for event in reader.feed(chunk)]


def by_the_letter(body: bytes) -> list[Event]:
    """The standard's algorithm over the whole text at once, as slow as it is plain."""
    events = []
    kind, data, last_id, names_id = "", "", "", False
    text = body.decode(errors="replace").removeprefix("\ufeff")
    for line in re.split("\r\n|\n|\r", text)[:-1]:
        if not line:
            if data:
                events.append(Event(kind or "message", data[:-1], last_id))
            elif names_id:
                events.append(Event(kind or "message", None, last_id))
            kind, data, names_id = "", "", False
        elif line[0] != ":":
            name, colon, value = line.partition(":")
            value = value[1:] if colon and value[:1] == " " else value
            if name == "event":
                kind = value
            elif name == "data":
                data += value + "\n"
            elif name == "id" and "\0" not in value:
                last_id, names_id = value, True
    return events


PIECES = st.sampled_from(
    [b"data", b"id", b"event", b"retry", b":", b": ", b" ", b"\r", b"\n", b"\r\n", b"\n\n", b"\0", b"1", b"x"]
    + [
        b"\xef\xbb\xbf",
        b"\xef",
        b"\xbb\xbf",
        "ü".encode(),
        b"\xff",
        "\u2028".encode(),
        b"\x0b",
        b"\x1c",
        b"\x85",
    ]
)


@given(st.lists(PIECES, max_size=60).map(b"".join), st.data())
def test_it_reads_as_the_standard_says_wherever_the_bytes_are_cut(body: bytes, data: st.DataObject) -> None:
    cuts = sorted(data.draw(st.lists(st.integers(0, len(body)), max_size=8)))
    chunks = [body[begin:end] for begin, end in zip([0, *cuts], [*cuts, len(body)], strict=True)]
    assert read(chunks) == by_the_letter(body)


@given(st.lists(PIECES, max_size=60).map(b"".join))
def test_byte_by_byte_it_reads_the_same(body: bytes) -> None:
    assert read(bytes([byte]) for byte in body) == read([body]) == by_the_letter(body)


@pytest.mark.parametrize(
    ("body", "events"),
    [
        # The examples of the standard, 9.2.6.
        (b"data: YHOO\ndata: +2\ndata: 10\n\n", [Event("message", "YHOO\n+2\n10", "")]),
        (
            b": test stream\n\ndata: first event\nid: 1\n\ndata:second event\nid\n\ndata:  third event\n\n",
            [
                Event("message", "first event", "1"),
                Event("message", "second event", ""),
                Event("message", " third event", ""),
            ],
        ),
        (b"data\n\ndata\ndata\n\ndata:", [Event("message", "", ""), Event("message", "\n", "")]),
        (b"data:test\n\ndata: test\n\n", [Event("message", "test", "")] * 2),
        # What is not ended by an empty line is let go.
        (b"data: a\nid: 1\n", []),
        (b"id: 1\n\ndata: a\n\n", [Event("message", None, "1"), Event("message", "a", "1")]),
        (b"event: gap\n\ndata: a\n\n", [Event("message", "a", "")]),
        (b"id: 1\0\ndata: a\n\n", [Event("message", "a", "")]),
        (b"event: gap\rdata: {}\r\r", [Event("gap", "{}", "")]),
        (b"Data: a\ndatum: b\n data: c\n\n", []),
    ],
)
def test_an_example(body: bytes, events: Sequence[Event]) -> None:
    assert read([body]) == events


def test_the_id_that_was_sent_holds_until_another_comes() -> None:
    assert read([b"data: a\n\nid: 2\ndata: b\n\n"], "1") == [
        Event("message", "a", "1"),
        Event("message", "b", "2"),
    ]


@pytest.mark.parametrize(
    ("said", "seconds"),
    [
        ("1500", 1.5),
        ("0", 0.0),
        ("9" * 5000, 300.0),
        ("999999", 300.0),
        ("-1", None),
        ("1.5", None),
        ("²", None),
        ("٣", None),
        ("", None),
        ("1 ", None),
    ],
)
def test_a_time_to_wait_is_digits_alone(said: str, seconds: float | None) -> None:
    reader = EventStream()
    list(reader.feed(f"retry: {said}\n".encode()))
    assert reader.retry_seconds == seconds


@pytest.mark.parametrize("body", [b"x" * 40, b"data: 123456\n" * 4, b": comment\n" * 5, b"\xff" * 40])
def test_an_event_that_never_ends_is_given_up(body: bytes) -> None:
    with mock.patch.object(stream, "MOST_BYTES", 32):
        assert read([b"data: 12345678901234567890\n\n" * 10])
        with pytest.raises(BadAnswer, match="more than 32 bytes"):
            read([body])


def test_what_it_holds_is_not_in_its_repr() -> None:
    (event,) = read([b"data: secret\n\n"])
    assert "secret" not in repr(event)
