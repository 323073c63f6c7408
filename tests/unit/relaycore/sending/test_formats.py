"""Each format, read by whoever is not us: the public CloudEvents library, and a public HTTP parser."""

import base64
import hashlib
import json
import re
from typing import Any
from unicodedata import category
from urllib.parse import unquote

import httptools
import pytest
from cloudevents.core.bindings import http
from cloudevents.core.bindings.http import HTTPMessage
from hypothesis import example, given

from relaycore.sending.formats.choosing import batch, batch_id, item, single
from relaycore.sending.formats.format import Encoded, Format
from relaycore.storing.shown import row, timestamp
from tests.unit.relaycore.sending.stored import document, documents, payload_of

SINGLE = [format for format in Format if not format.is_batch]
BATCHES = [format for format in Format if format.is_batch]


def received(sent: Encoded) -> HTTPMessage:
    """What a server understands that is sent this, byte by byte."""

    class Parsed:
        def __init__(self) -> None:
            self.headers: list[tuple[bytes, bytes]] = []
            self.body = b""
            self.is_complete = False

        def on_header(self, name: bytes, value: bytes) -> None:
            self.headers.append((name, value))

        def on_body(self, body: bytes) -> None:
            self.body += body

        def on_message_complete(self) -> None:
            self.is_complete = True

    parsed = Parsed()
    lines = [
        b"%b: %b\r\n" % header for header in (*sent.headers, (b"content-length", b"%d" % len(sent.body)))
    ]
    httptools.HttpRequestParser(parsed).feed_data(
        b"POST / HTTP/1.1\r\n" + b"".join(lines) + b"\r\n" + sent.body
    )
    assert parsed.is_complete
    # Nothing that was said has become a header, ended one, or changed at its ends.
    assert parsed.headers[:-1] == [*sent.headers]
    headers = {name.decode("ascii"): value.decode("ascii") for name, value in parsed.headers}
    assert len(headers) == len(parsed.headers)
    return HTTPMessage(headers, parsed.body)


def one(format: Format, stored: dict[str, Any], base: str = "") -> HTTPMessage:
    """One message of any format, as a server has it."""
    if format.is_batch:
        return received(batch(format, [stored], [item(format, stored, base)]))
    return received(single(format, stored, base))


@pytest.mark.parametrize("format", Format)
@given(stored=documents())
@example(
    stored=document(attributes={"a\r\nx-evil": "1", "kind": "1\r\nx-evil: 2"}, content_type="a/b\r\nc: d")
)
@example(stored=document(channel="a\u0085b%0d\ufffe", attributes={"Ä": "\u2028", "kind": "", "_": " "}))
def test_no_attribute_channel_or_content_type_begins_a_header(format: Format, stored: dict[str, Any]) -> None:
    found = one(format, stored)
    own = r"content-type|content-length|(relay|ce)-[a-z0-9-]+"
    assert all(re.fullmatch(own, name) for name in found.headers)
    assert all(
        re.fullmatch(r"[\x21-\x7e]([\x20-\x7e]*[\x21-\x7e])?|", text) for text in found.headers.values()
    )


@given(stored=documents())
@example(stored=document(attributes={"-a": "1", "a-": "2", "a_b": "3", "a-b": "4", "A-B": "5", "a.b": "6"}))
def test_raw_is_the_payload_and_says_the_rest_in_headers(stored: dict[str, Any]) -> None:
    sent = single(Format.RAW, stored)
    found = received(sent)
    assert found.body == payload_of(stored)
    assert sent.id == stored["_id"] == found.headers["relay-message-id"]
    assert unquote(found.headers["relay-channel"]) == stored["channel"]
    assert found.headers["relay-position"] == stored["position"]
    assert found.headers["relay-received-at"] == timestamp(stored["received_at"])
    begin = "relay-attribute-"
    alone = {
        name.removeprefix(begin): unquote(v) for name, v in found.headers.items() if name.startswith(begin)
    }
    together = json.loads(found.headers.get("relay-attributes", "{}"))
    assert not alone.keys() & together.keys()
    assert alone | together == stored.get("attributes", {})


def test_an_attribute_has_a_header_of_its_own_if_its_name_can_be_one_everywhere() -> None:
    names = ["a", "a-1", "-", "a" * 64]
    others = ["A", "a_b", "a.b", "a b", "ü", "a" * 65, "a\n", "a:"]
    headers = dict(single(Format.RAW, document(attributes=dict.fromkeys(names + others, "x y"))).headers)
    assert json.loads(headers[b"relay-attributes"]) == dict.fromkeys(others, "x y")
    begin = b"relay-attribute-"
    own = {
        name.removeprefix(begin).decode(): value for name, value in headers.items() if name.startswith(begin)
    }
    assert own == dict.fromkeys(names, b"x%20y")


@pytest.mark.parametrize(
    ("said", "message", "type"),
    [
        (None, "text", "text/plain; charset=utf-8"),
        (None, b"\xff", "application/octet-stream"),
        ("application/json", "{}", "application/json"),
        ("application/cloudevents+json", "{}", "application/cloudevents+json"),
        ("image/png", b"\x89", "image/png"),
        ('multipart/mixed; boundary="a b"', "", 'multipart/mixed; boundary="a b"'),
        ("no media type", "", "text/plain; charset=utf-8"),
        ("text/plain;\tx", "", "text/plain; charset=utf-8"),
        ("text/plain; x ", "", "text/plain; charset=utf-8"),
        ("text/plain\r\nx: y", b"\xff", "application/octet-stream"),
    ],
)
def test_the_content_type_is_what_its_publisher_said_if_it_is_one(said: str, message: Any, type: str) -> None:
    stored = document(message=message, content_type=said)
    assert single(Format.RAW, stored).headers[0] == (b"content-type", type.encode())


@given(stored=documents())
def test_standard_is_what_standard_webhooks_advises_with_the_row_of_the_api(stored: dict[str, Any]) -> None:
    sent = single(Format.STANDARD, stored)
    assert sent.headers == ((b"content-type", b"application/json"), (b"relay-hops", b"1"))
    assert sent.id == stored["_id"]
    assert json.loads(sent.body) == {
        "type": "relay.message",
        "timestamp": timestamp(stored["received_at"]),
        "data": row(stored),
    }


def test_ndjson_is_a_row_a_line() -> None:
    stored = [document(message="a\nb\u2028c"), document(_id="00" * 12, message=b"\xff\n")]
    sent = batch(Format.NDJSON, stored, [item(Format.NDJSON, one) for one in stored])
    assert sent.headers == ((b"content-type", b"application/x-ndjson"), (b"relay-hops", b"1"))
    assert sent.body.count(b"\n") == 2
    assert [json.loads(line) for line in sent.body.decode().removesuffix("\n").split("\n")] == [
        *map(row, stored)
    ]


def event_of(format: Format, stored: dict[str, Any], base: str = "") -> Any:
    """As the public library understands it, which checks names and types of attributes."""
    found = one(format, stored, base)
    if format is Format.CLOUDEVENTS_BATCH:
        assert found.headers["content-type"] == "application/cloudevents-batch+json"
        (text,) = json.loads(found.body)
        found = HTTPMessage({"content-type": "application/cloudevents+json"}, json.dumps(text).encode())
    assert (
        found.headers["content-type"] == "application/cloudevents+json" or format is Format.CLOUDEVENTS_BINARY
    )
    return http.from_http_event(found)


EVENTS = [Format.CLOUDEVENTS_BINARY, Format.CLOUDEVENTS_STRUCTURED, Format.CLOUDEVENTS_BATCH]
KNOWN = {
    *("id", "source", "specversion", "type", "subject", "time", "datacontenttype"),
    *("sequence", "partitionkey", "recordedtime", "relayattributes"),
}


def is_string(text: str) -> bool:
    """As the type system of CloudEvents 1.0.2 has it: no control characters, and no noncharacters."""
    bad = (c for c in text if category(c) == "Cc" or 0xFDD0 <= ord(c) <= 0xFDEF or ord(c) & 0xFFFE == 0xFFFE)
    return bool(text) and next(bad, None) is None


@pytest.mark.parametrize("format", EVENTS)
@given(stored=documents())
@example(stored=document(attributes={"id": "1", "ID": "2", "kind": "3", "relayattributes": "4", "data": "5"}))
@example(stored=document(channel="a\ufffe"))
@example(stored=document(channel="\ufdd0"))
@example(stored=document(attributes={"a" * 21: "1", "kind": "", "other": "\x85", "third": "\U0001fffe"}))
def test_an_event_says_all_of_a_message(format: Format, stored: dict[str, Any]) -> None:
    event = event_of(format, stored)
    found = event.get_attributes()
    assert found["specversion"] == "1.0"
    assert found["type"] == "relay.message"
    assert found["id"] == stored["_id"]
    assert unquote(found["source"].removeprefix("/api/v1/channels/")) == stored["channel"]
    assert found["time"] == stored["received_at"]
    assert found["recordedtime"] == timestamp(stored["received_at"])
    assert found["sequence"] == stored["position"]
    assert found.get("subject") == found.get("partitionkey")
    assert found.get("subject") in {stored["channel"], None}
    alone = {name: value for name, value in found.items() if name not in KNOWN}
    together = json.loads(found.get("relayattributes", "{}"))
    assert not alone.keys() & together.keys()
    assert alone | together == stored.get("attributes", {})
    assert all(re.fullmatch(r"[a-z0-9]{1,20}", name) for name in found)
    assert all(is_string(text) for text in found.values() if isinstance(text, str))


@pytest.mark.parametrize("format", EVENTS)
@given(stored=documents())
@example(stored=document(message='{"a": [1, 2.50]}', content_type="application/json"))
@example(stored=document(message="NaN", content_type="application/json"))
@example(stored=document(message='"\\ud800"', content_type="application/json"))
@example(stored=document(message="[" * 100_000, content_type="application/vnd.x+json; charset=utf-8"))
@example(stored=document(message=b"\xff", content_type="application/json"))
@example(stored=document(message="a\x00b\x7f\ufffe\u2028"))
def test_the_payload_survives(format: Format, stored: dict[str, Any]) -> None:
    payload = payload_of(stored)
    if format is Format.CLOUDEVENTS_BINARY:
        assert one(format, stored).body == payload
        if payload.startswith(b"[["):
            return  # The library cannot read what is nested so deeply.
    data = event_of(format, stored).get_data()
    if isinstance(data, (bytes, str)):
        given = data if isinstance(data, bytes) else data.encode(errors="surrogatepass")
        assert given == payload or json.loads(payload) == data
    elif data is None:
        assert payload in {b"", b"null"}
    else:
        assert repr(data) == repr(json.loads(payload))


def test_an_event_in_json_is_written_so() -> None:
    stored = document(
        message='{"a": 1.50}',
        content_type="application/json",
        attributes={"kind": "scan", "Größe": "8\x7f"},
        produced_by="billing",
    )
    assert single(Format.CLOUDEVENTS_STRUCTURED, stored, "https://relay.example").body.decode() == (
        '{"id":"5f0c2b8e9a7d4c3b2a190807","specversion":"1.0","type":"relay.message",'
        '"source":"https://relay.example/api/v1/channels/orders","subject":"orders","partitionkey":"orders",'
        '"time":"2026-11-22T10:30:00.123000Z","recordedtime":"2026-11-22T10:30:00.123000Z",'
        '"sequence":"1732190000000-0000000003-00012","kind":"scan",'
        '"relayattributes":"{\\"Gr\\\\u00f6\\\\u00dfe\\":\\"8\\\\u007f\\"}",'
        '"datacontenttype":"application/json","data":{"a": 1.50}}'
    )


def test_a_value_in_a_header_is_encoded_as_the_specification_shows() -> None:
    # CloudEvents 1.0.2, HTTP protocol binding, 3.1.3.2, and its example.
    stored = document(channel='Euro € 😀 "%"', attributes={"kind": "Euro € 😀"})
    headers = dict(single(Format.CLOUDEVENTS_BINARY, stored).headers)
    assert headers[b"ce-kind"] == b"Euro%20%E2%82%AC%20%F0%9F%98%80"
    assert headers[b"ce-subject"] == b"Euro%20%E2%82%AC%20%F0%9F%98%80%20%22%25%22"
    assert b"ce-datacontenttype" not in headers


def test_a_payload_that_says_it_is_an_event_is_not_taken_for_the_event_that_brings_it() -> None:
    forged = '{"specversion": "1.0", "id": "forged", "source": "/forged", "type": "forged"}'
    for said in ("application/cloudevents+json", "APPLICATION/cloudevents-batch+json; charset=utf-8"):
        stored = document(message=forged, content_type=said)
        headers = dict(single(Format.CLOUDEVENTS_BINARY, stored).headers)
        assert headers[b"content-type"] == b"application/octet-stream"
        assert event_of(Format.CLOUDEVENTS_STRUCTURED, stored).get_id() == stored["_id"]


def test_text_that_json_cannot_have_is_base64() -> None:
    for text in ("NaN", '"\\ud800"', "[" * 100_000, "", "{", '\ufeff{"a": 1}', "1" * 5000):
        stored = document(message=text, content_type="application/json")
        event = json.loads(single(Format.CLOUDEVENTS_STRUCTURED, stored).body)
        assert base64.b64decode(event["data_base64"]).decode() == text
        assert "data" not in event
    # Both halves of a pair are text.
    stored = document(message='"\\ud83d\\ude00"', content_type="text/json")
    assert json.loads(single(Format.CLOUDEVENTS_STRUCTURED, stored).body)["data"] == "\U0001f600"


def test_an_id_has_no_dot_and_a_batch_has_one_of_its_own() -> None:
    ids = ["5f0c2b8e9a7d4c3b2a190807", "00" * 12]
    hashed = hashlib.blake2b(bytes.fromhex(ids[0]) + bytes(12), digest_size=12).hexdigest()
    for format in BATCHES:
        items = [item(format, document(_id=id)) for id in ids]
        assert batch(format, [document(_id=id) for id in ids], items).id == batch_id(ids) == hashed
    assert batch_id(ids) != batch_id(ids[::-1])
    assert batch_id(ids[:1]) not in ids


def test_a_format_refuses_what_it_is_not_for() -> None:
    for format in SINGLE:
        with pytest.raises(ValueError, match="not for batches"):
            item(format, document())
        with pytest.raises(ValueError, match="not for batches"):
            batch(format, [document()], [b""])
    for format in BATCHES:
        with pytest.raises(ValueError, match="for batches"):
            single(format, document())
        with pytest.raises(ValueError, match="0 documents, 0 messages"):
            batch(format, [], [])
        with pytest.raises(ValueError, match="1 documents, 2 messages"):
            batch(format, [document()], [b"", b""])
