"""Echoes: what stands on the stream already, and is heard all the same."""

import pytest

from relaycore.capturing import notices
from relaycore.capturing.capture import REFUSAL, Capture, Controlled, Push
from relaycore.capturing.notices import Look
from relaycore.envelope import payload_of

from .test_capture import CONTROL, KEY, NOW_MS, a_capture, hear, ids, message, tick


def notice(number: int, count: int, channel: bytes = b"every", key: bytes = KEY) -> Push:
    return [b"message", CONTROL, notices.echo(number, channel, count, key)]


def texts(capture: Capture, *pushes: Push) -> list[bytes]:
    return [payload_of(document)[0] for document in hear(capture, *pushes)]


@pytest.mark.parametrize("channel", [b"content", b"field", b"every"])
def test_so_many_as_were_announced_are_let_go_and_the_next_one_is_kept(channel: bytes) -> None:
    same = message(b"same", channel)
    assert texts(a_capture(), same, notice(1, 2, channel), same, same, same) == [b"same"] * 2


def test_they_are_no_occurrences_under_every() -> None:
    same = message(b"same")
    with_echoes = ids(a_capture(), tick(1), same, notice(1, 2), same, same, same)
    assert with_echoes == ids(a_capture(), tick(1), same, same)
    assert len(set(with_echoes)) == 2


def test_a_run_lasts_over_reads() -> None:
    capture = a_capture()
    assert texts(capture, notice(1, 3)) == []
    assert texts(capture, message(b"1")) == texts(capture) == texts(capture, message(b"2")) == []
    assert texts(capture, message(b"3"), message(b"4")) == [b"4"]


def test_runs_may_follow_one_another() -> None:
    capture = a_capture()
    other = message(b"other", b"content")
    pushes = [
        notice(1, 1),
        message(b"1"),
        notice(2, 1, b"content"),
        other,
        notice(3, 0),
        other,
        message(b"2"),
    ]
    assert texts(capture, *pushes) == [b"other", b"2"]


@pytest.mark.parametrize(
    "between",
    [
        tick(1),
        tick(0),  # Published again.
        [b"subscribe", b"every", 4],
        [b"subscribe", b"content", 4],
        [b"unsubscribe", b"content", 4],
        [REFUSAL, b"", "NOPERM"],
        message(b"text", b"content"),
        message(b"text", b"of nobody"),
        message(b"every", CONTROL),
        [b"message", CONTROL, notices.look("every", KEY)],
        notice(1, 5),  # Published again.
    ],
)
def test_whatever_comes_between_ends_the_run(between: Push) -> None:
    capture = a_capture()
    capture.hear([notice(1, 5), message(b"1"), message(b"2")], NOW_MS)
    kept = texts(capture, between, message(b"3"), message(b"4"))
    assert kept[-2:] == [b"3", b"4"]


def test_a_new_connection_ends_the_run() -> None:
    capture = a_capture()
    assert texts(capture, notice(1, 5), message(b"1")) == []
    capture.begin(b"two")
    capture.locate(0, {}, 1)
    assert texts(capture, message(b"2")) == [b"2"]


def test_a_notice_that_was_heard_before_is_none() -> None:
    capture = a_capture()
    assert texts(capture, notice(7, 1), message(b"1"), notice(7, 1), message(b"2")) == [b"2"]
    assert texts(capture, notice(6, 1), message(b"3"), notice(8, 1), message(b"4")) == [b"3"]


def test_nor_is_one_that_was_given_before_the_connection() -> None:
    capture = a_capture()
    capture.locate(0, {}, 7)
    assert texts(capture, notice(7, 1), message(b"1"), notice(8, 1), message(b"2")) == [b"1"]


def test_what_is_not_sealed_with_the_key_suppresses_nothing() -> None:
    assert texts(a_capture(), notice(1, 1, key=b"a guess"), message(b"1")) == [b"1"]


def test_they_are_counted_on_a_channel_that_nobody_wants_for_a_moment() -> None:
    capture = a_capture()
    assert texts(capture, notice(1, 3), message(b"1")) == []
    capture.let_go(b"every")
    assert texts(capture, message(b"2")) == []
    capture.want(b"every")
    assert texts(capture, message(b"3"), message(b"4")) == [b"4"]


def test_one_that_is_too_large_is_not_refused() -> None:
    heard = a_capture(most=3).hear([notice(1, 1), message(b"large"), message(b"large")], NOW_MS)
    assert [bool(piece.reason) for piece in heard.pieces] == [True]


def test_they_do_not_count_as_left_out() -> None:
    heard = a_capture().hear([notice(1, 2), message(b"1"), message(b"2"), message(b"3")], NOW_MS, shared=True)
    assert heard.left_out == 1


def test_other_notices_are_heard_as_before() -> None:
    look: Push = [b"message", CONTROL, notices.look("orders", KEY)]
    heard = a_capture().hear([notice(1, 1), look, message(b"kept")], NOW_MS)
    assert [event for event in heard.events if event != Controlled(Look("orders"))] == heard.events[:1]
    assert len(heard.events) == 2
    assert len(heard.pieces) == 1
