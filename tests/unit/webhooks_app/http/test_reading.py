"""Answers as they come: whole, broken, hostile, and cut anywhere."""

import itertools
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from relaycore.sending.answers import MOST_KEPT, Failure
from webhooks_app.http.reading import MOST_BYTES, MOST_HEAD, Reading

H = b"HTTP/1.1 200 OK\r\n"
CHUNKED = H + b"transfer-encoding: chunked\r\n\r\n"

WHOLE: dict[bytes, tuple[int, bytes, bool]] = {
    H + b"content-length: 2\r\n\r\nok": (200, b"ok", True),
    H + b"content-length: 0\r\n\r\n": (200, b"", True),
    b"\r\n" + H + b"content-length: 0\r\n\r\n": (200, b"", True),
    b"HTTP/1.1 500\r\ncontent-length: 0\r\n\r\n": (500, b"", True),
    b"HTTP/1.1 999 Odd\r\ncontent-length: 0\r\n\r\n": (999, b"", True),
    b"HTTP/1.1 204 No Content\r\n\r\n": (204, b"", True),
    b"HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n": (204, b"", True),
    b"HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\n": (204, b"", False),
    b"HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\n\r\n": (204, b"", False),
    b"HTTP/1.1 103 Early Hints\r\ncontent-length: 5\r\n\r\nHTTP/1.1 204 OK\r\n\r\n": (204, b"", True),
    b"HTTP/1.1 304 Not Modified\r\ncontent-length: 5\r\n\r\n": (304, b"", True),
    b"HTTP/1.0 200 OK\r\ncontent-length: 2\r\n\r\nok": (200, b"ok", False),
    b"HTTP/1.0 200 OK\r\nconnection: keep-alive\r\ncontent-length: 2\r\n\r\nok": (200, b"ok", True),
    H + b"connection: close\r\ncontent-length: 2\r\n\r\nok": (200, b"ok", False),
    H + b"Connection: Keep-Alive, Close\r\ncontent-length: 2\r\n\r\nok": (200, b"ok", False),
    CHUNKED + b"2\r\nok\r\n0\r\n\r\n": (200, b"ok", True),
    CHUNKED + b"1;a=b\r\no\r\n1\r\nk\r\n0\r\nretry-after: 9\r\n\r\n": (200, b"ok", True),
    b"HTTP/1.1 100 Continue\r\n\r\n" * 3 + H + b"content-length: 2\r\n\r\nok": (200, b"ok", True),
    b"HTTP/1.1 103 Early Hints\r\nretry-after: 9\r\nlink: <a>\r\n\r\nHTTP/1.1 204 OK\r\n\r\n": (
        204,
        b"",
        True,
    ),
    b"HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n": (101, b"", False),
    b"HTTP/1.1 101 Switching Protocols\r\n\r\n": (101, b"", False),
    H + b"connection: upgrade\r\nupgrade: h2c\r\ncontent-length: 2\r\n\r\nok": (200, b"ok", True),
    b"HTTP/1.1 302 Found\r\nlocation: http://169.254.169.254/\r\ncontent-length: 0\r\n\r\n": (302, b"", True),
}
"""Bytes, and the status, the body and whether the connection may stay."""

MORE_THAN_ASKED: dict[bytes, tuple[int, bytes]] = {
    H + b"content-length: 2\r\n\r\nok" + H: (200, b"ok"),
    H + b"content-length: 2\r\n\r\nokgarbage": (200, b"ok"),
    H + b"content-length: 2\r\n\r\nok\x00": (200, b"ok"),
    H + b"connection: close\r\ncontent-length: 2\r\n\r\nok" + H: (200, b"ok"),
    b"HTTP/1.1 204 No Content\r\ncontent-length: 5\r\n\r\nhello": (204, b""),
    b"HTTP/1.1 101 Switching Protocols\r\n\r\nhello": (101, b""),
    CHUNKED + b"2\r\nok\r\n0\r\n\r\nHTTP/1.1 500 Oh\r\ncontent-length: 0\r\n\r\n": (200, b"ok"),
}
"""The answer, and something behind it in the same piece."""

WITHOUT_END: dict[bytes, tuple[int, bytes]] = {
    H + b"\r\nhello": (200, b"hello"),
    b"HTTP/1.0 503 No\r\n\r\nhello": (503, b"hello"),
    H + b"transfer-encoding: gzip\r\n\r\nhello": (200, b"hello"),
    H + b"transfer-encoding: chunked, gzip\r\n\r\nhello": (200, b"hello"),
    b"HTTP/1.1 103 X\r\ncontent-length: 9\r\n\r\n" + H + b"\r\nhello": (200, b"hello"),
}
"""The head is there. The end of the connection is the end of the body."""

CUT: dict[bytes, tuple[int, bytes]] = {
    H + b"content-length: 9\r\n\r\nhello": (200, b"hello"),
    H + b"Content-Length: 9\r\n\r\n": (200, b""),
    CHUNKED + b"5\r\nhello\r\n": (200, b"hello"),
    CHUNKED: (200, b""),
    H + b"Transfer-Encoding: gzip, Chunked\r\n\r\n5\r\nhello\r\n": (200, b"hello"),
}
"""The head is there. The end of the connection cuts the body."""

BROKEN_BEHIND_THE_HEAD = (
    CHUNKED + b"zz\r\nok\r\n0\r\n\r\n",
    CHUNKED + b"-1\r\n",
    CHUNKED + b"ffffffffffffffffff\r\n",
    CHUNKED + b"2\r\nok!\r\n",
    CHUNKED + b"2\nok\n0\n\n",
)

NO_HTTP = (
    *(b"\x00", b"\x15\x03\x01\x00\x02\x02\x16", b"SSH-2.0-OpenSSH_9.6\r\n", b"220 mail ESMTP\r\n", b"ok"),
    *(b"<html>", b"-ERR unknown command\r\n", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", b"GET / HTTP/1.1\r\n\r\n"),
    *(
        b"HTTP/1.1 20x OK\r\n\r\n",
        b"HTTP/1.1 2 OK\r\n\r\n",
        b"HTTP/1.1 099 OK\r\n\r\n",
        b"HTTP/3.0 200 OK\r\n\r\n",
    ),
    *(b"HTTP/1.1  200 OK\r\n\r\n", b"http/1.1 200 OK\r\n\r\n", b"HTTP/1.1 200 OK\n\n"),
    H + b"content-length: -1\r\n\r\n",
    H + b"content-length: 0x5\r\n\r\n",
    H + b"content-length: 5, 6\r\n\r\n",
    H + b"content-length: 5\r\ncontent-length: 6\r\n\r\n",
    H + b"content-length: 99999999999999999999999\r\n\r\n",
    H + b"content-length: 5\r\ntransfer-encoding: chunked\r\n\r\n",
    H + b"a b: c\r\n\r\n",
    H + b" folded: c\r\n\r\n",
    H + b"a : b\r\n\r\n",
    H + b": b\r\n\r\n",
    H + b"a: b\x00c\r\n\r\n",
    H + b"a: b\rc: d\r\n\r\n",
)


def read(*pieces: bytes) -> tuple[Reading, Failure | bool]:
    """Feed them until there is enough."""
    reading = Reading()
    found: Failure | bool = False
    for piece in pieces:
        found = reading.feed(piece)
        if found is not False:
            break
    return reading, found


def cut(data: bytes, places: list[int]) -> list[bytes]:
    edges = [0, *sorted({place % (len(data) + 1) for place in places}), len(data)]
    return [data[start:end] for start, end in itertools.pairwise(edges) if start < end]


@pytest.mark.parametrize(("data", "meant"), WHOLE.items())
def test_a_whole_answer_wherever_it_is_cut(data: bytes, meant: tuple[int, bytes, bool]) -> None:
    for pieces in (
        [data],
        [data[n : n + 1] for n in range(len(data))],
        *(cut(data, [n]) for n in range(len(data))),
    ):
        reading, found = read(*pieces)
        answer = reading.answer(0.5)
        assert found is True
        assert (answer.status, answer.body, reading.can_stay) == meant
        assert (answer.failure, answer.detail, answer.retry_after, answer.seconds) == (None, "", None, 0.5)


@pytest.mark.parametrize(("data", "meant"), MORE_THAN_ASKED.items())
def test_what_comes_behind_an_answer_is_not_the_next_one(data: bytes, meant: tuple[int, bytes]) -> None:
    reading, found = read(data)
    assert found is True
    assert (reading.status, reading.answer(0).body, reading.can_stay) == (*meant, False)


@pytest.mark.parametrize(("data", "meant"), [*WITHOUT_END.items(), *CUT.items()])
def test_the_end_of_the_connection_may_be_that_of_the_body(data: bytes, meant: tuple[int, bytes]) -> None:
    for pieces in ([data], [data[n : n + 1] for n in range(len(data))]):
        reading, found = read(*pieces)
        assert found is False
        assert (reading.status, reading.answer(0).body) == meant
        assert reading.answer(0).detail == "The body of the answer did not come to its end."
        reading.end()
        answer = reading.answer(0)
        assert (answer.status, answer.body) == meant
        assert (answer.detail == "") == (data in WITHOUT_END)


@pytest.mark.parametrize("data", BROKEN_BEHIND_THE_HEAD)
def test_behind_the_head_nothing_takes_the_status_back(data: bytes) -> None:
    for pieces in ([data], [data[n : n + 1] for n in range(len(data))]):
        reading, found = read(*pieces)
        assert found is True
        assert (reading.status, reading.can_stay) == (200, False)
        assert reading.answer(0).detail


@pytest.mark.parametrize("data", NO_HTTP)
def test_what_is_no_http_is_said_to_be_none(data: bytes) -> None:
    for pieces in ([data], [data[n : n + 1] for n in range(len(data))]):
        reading, found = read(*pieces)
        assert found is Failure.PROTOCOL
        assert reading.status is None


@pytest.mark.parametrize(
    "data",
    [
        H + b"a: " + b"b" * MOST_HEAD + b"\r\n\r\n",
        H + b"a: b\r\n" * (MOST_HEAD // 6 + 1) + b"\r\n",
        H + b"a: " + b"b" * MOST_BYTES,
        H + b"a" * MOST_BYTES,
        b"HTTP/1.1 200 " + b"x" * MOST_BYTES,
        b"HTTP/1.1 100 Continue\r\na: b\r\n\r\n" * (MOST_BYTES // 30),
        b"\r\n" * MOST_BYTES,
    ],
    ids=range(7),
)
def test_a_head_has_bounds(data: bytes) -> None:
    for pieces in ([data], [data[n : n + 1000] for n in range(0, len(data), 1000)]):
        reading, found = read(*pieces)
        assert found is Failure.TOO_LARGE
        assert reading.has_come <= MOST_BYTES


def test_a_body_has_bounds_and_its_beginning_is_kept() -> None:
    for head in (H + b"\r\n", H + b"content-length: 99999999\r\n\r\n", CHUNKED + b"5F5E0FF\r\n"):
        for size in (1000, 1 << 20):
            reading, found = read(head, *([b"x" * size] * (MOST_BYTES // size + 1)))
            answer = reading.answer(0)
            assert (found, answer.status, answer.body) == (True, 200, b"x" * MOST_KEPT)
            assert reading.has_come == MOST_BYTES
            assert not reading.can_stay
            assert answer.detail


def test_the_bound_is_of_one_answer() -> None:
    reading = Reading()
    data = H + b"content-length: 60000\r\n\r\n" + b"x" * 60_000
    for _ in range(3):
        reading.begin()
        assert reading.has_come == 0
        assert reading.feed(data) is True
        assert reading.can_stay


def test_of_the_headers_only_what_means_something_is_kept() -> None:
    said = b"Retry-After: 120\r\nSet-Cookie: s3cret\r\nWEBHOOK-ALLOWED-ORIGIN: *\r\nWarning: s3cret\r\n"
    reading, _ = read(H + said + b"webhook-delivery: " + b"x" * 2000 + b"\r\ncontent-length: 0\r\n\r\n")
    answer = reading.answer(0)
    assert answer.retry_after == 120.0
    assert answer.headers == {
        "retry-after": "120",
        "webhook-allowed-origin": "*",
        "webhook-delivery": "x" * MOST_KEPT,
    }
    reading.begin()
    reading.feed(H + b"content-length: 0\r\n\r\n")
    assert reading.answer(0).headers == {}


@given(
    st.sampled_from([*WHOLE, *MORE_THAN_ASKED, *WITHOUT_END, *BROKEN_BEHIND_THE_HEAD, *NO_HTTP]),
    st.data(),
)
@settings(max_examples=400)
def test_whatever_comes_there_is_one_end_and_never_an_error(data: bytes, draw: Any) -> None:
    """Changed, cut short, longer, in any pieces."""
    changed = bytearray(data)
    for _ in range(draw.draw(st.integers(0, 4))):
        place = draw.draw(st.integers(0, len(changed)))
        changed[place : place + draw.draw(st.integers(0, 3))] = draw.draw(st.binary(max_size=4))
    pieces = cut(bytes(changed), draw.draw(st.lists(st.integers(0, 300), max_size=6)))
    reading = Reading()
    for piece in pieces:
        found = reading.feed(piece)
        if isinstance(found, Failure):
            assert reading.status is None
            assert not reading.can_stay
        elif found:
            assert reading.status is not None
            assert reading.can_stay <= reading.is_whole
        if found is not False:
            break
    if reading.status is not None:
        answer = reading.answer(0)
        assert 101 <= reading.status <= 999
        assert len(answer.body) <= MOST_KEPT
