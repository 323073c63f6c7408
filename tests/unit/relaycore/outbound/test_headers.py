"""Headers: one is one line, and what decides how a request is read is set by nobody else."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relaycore.errors import BadHeaders
from relaycore.outbound.headers import MOST_BYTES, MOST_HEADERS, check, encode


def test_what_an_owner_may_choose() -> None:
    check({"Authorization": "Bearer s3cret", "X-Tenant": "a b\tc", "Cookie": "a=b", "X-Empty": ""})
    check({})


@pytest.mark.parametrize(
    "name",
    [
        *(
            "Host",
            "content-length",
            "Transfer-Encoding",
            "CONNECTION",
            "Keep-Alive",
            "TE",
            "Trailer",
            "Upgrade",
        ),
        *("Expect", "Content-Type", "Content-Encoding", "User-Agent", "Date", "Via", "Forwarded"),
        *("Proxy-Authorization", "proxy-connection", "X-Forwarded-For", "X-HTTP-Method-Override"),
        *(
            "webhook-id",
            "Webhook-Signature",
            "webhook-anything",
            "ce-id",
            "relay-hops",
            "x-amz-sns-topic-arn",
        ),
        *("WebHook-Request-Origin", "Accept-Encoding", "HTTP2-Settings"),
        *("Content_Length", "transfer_encoding", "webhook_id", "X_Forwarded-For"),  # CGI and WSGI: the same.
    ],
)
def test_what_relay_sets_itself(name: str) -> None:
    with pytest.raises(BadHeaders, match="set by Relay itself"):
        check({name: "x"})


@pytest.mark.parametrize("name", ["", " ", "a b", "a:", "a\r\nb", "a\n", "a\0", "é", "a" * 129, "(a)", "a/b"])
def test_a_name_that_is_none(name: str) -> None:
    with pytest.raises(BadHeaders, match="no name of a header"):
        check({name: "x"})
    if len(name) < 129:
        with pytest.raises(BadHeaders):
            encode([(b"ok", b"x"), (name.encode(), b"x")])


@pytest.mark.parametrize(
    "value", ["s3cret\r\nHost: x", "s3cret\n", "s3cret\r", "s3cret\0", "s3crét", "\x7fs3cret"]
)
def test_a_value_that_would_be_more_than_one_line(value: str) -> None:
    with pytest.raises(BadHeaders, match="value") as caught:
        check({"X-A": value})
    assert "s3c" not in str(caught.value)
    with pytest.raises(BadHeaders, match="value") as caught:
        encode([(b"a", b"x"), (b"x-a", value.encode())])
    assert "s3c" not in str(caught.value)


def test_a_value_has_no_space_around_it() -> None:
    for value in (" a", "a ", "\ta"):
        with pytest.raises(BadHeaders, match="value"):
            check({"X-A": value})


def test_a_name_that_is_there_twice() -> None:
    with pytest.raises(BadHeaders, match="twice"):
        check({"X-A": "1", "x-a": "2"})
    with pytest.raises(BadHeaders, match="twice"):
        check({"X-A": "1", "X_A": "2"})


def test_there_are_bounds() -> None:
    check({f"X-{number}": "x" for number in range(MOST_HEADERS)})
    with pytest.raises(BadHeaders, match="at most"):
        check({f"X-{number}": "x" for number in range(MOST_HEADERS + 1)})
    check({"X-A": "x" * (MOST_BYTES - 3)})
    with pytest.raises(BadHeaders, match="at most"):
        check({"X-A": "x" * (MOST_BYTES - 2)})


def test_headers_as_they_are_sent() -> None:
    assert encode([]) == b""
    assert encode([(b"A-b", b"c d"), (b"e", b"")]) == b"A-b: c d\r\ne: \r\n"


@given(st.lists(st.tuples(st.binary(max_size=6), st.binary(max_size=8)), max_size=4))
def test_each_header_is_one_line_or_all_are_refused(headers: list[tuple[bytes, bytes]]) -> None:
    try:
        lines = encode(headers)
    except BadHeaders:
        return
    *found, rest = lines.split(b"\r\n")
    assert rest == b""
    assert [tuple(line.split(b": ", 1)) for line in found] == headers
    assert not [line for line in found if b"\r" in line or b"\n" in line or b"\0" in line]


@given(st.dictionaries(st.text(max_size=6), st.text(max_size=8), max_size=4))
def test_what_an_owner_may_choose_can_be_sent(headers: dict[str, str]) -> None:
    try:
        check(headers)
    except BadHeaders:
        return
    encode([(name.encode(), value.encode()) for name, value in headers.items()])
