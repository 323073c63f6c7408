"""Stored messages, for properties that hold for all of them."""

from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import strategies as st

from tests.unit.relaycore import strategies

NASTY = [
    "",
    "\r\nx-evil: 1",
    "a\nb",
    "\x00",
    "\x7f",
    "%0d%0a",
    " padded ",
    '"',
    "ü",
    "\U0001f600",
    "\ufffe",
    ".",
]

MEDIA_TYPES = [
    *("application/json", "text/plain", "application/problem+json; charset=utf-8", "image/png", "json", ""),
    *("application/cloudevents+json", "Application/CloudEvents-batch+json", "text/plain\r\nx-evil: 1", "ü/ü"),
]

_texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
_names = st.one_of(
    st.from_regex(r"[A-Za-z0-9_-]{1,24}", fullmatch=True),
    st.sampled_from(
        ["id", "source", "data", "relayattributes", "sequence", "kind", "Kind", "content-length"]
    ),
    st.sampled_from(NASTY[1:]),
    _texts.filter(lambda name: bool(name) and "\x00" not in name and not name.startswith("$")),
)
attributes = st.dictionaries(_names, st.one_of(st.sampled_from(NASTY), _texts), max_size=6)

_jsons = st.sampled_from(
    ['{"a": 1.50}', "[1, 2]", '"text"', "null", "NaN", '"\\ud800"', '{"a":1,"a":2}', " 7 "]
)
payloads = st.one_of(st.binary(max_size=40), _texts, _jsons, st.just(b""), st.just(""))


@st.composite
def documents(draw: st.DrawFn) -> dict[str, Any]:
    """As MongoDB has them: any payload and description, also such as no door lets in."""
    found: dict[str, Any] = {
        # An ObjectId shows itself as this.
        "_id": draw(strategies.keys).hex(),
        "channel": draw(strategies.names),
        "message": draw(payloads),
        "received_at": datetime(2026, 1, 1, tzinfo=UTC)
        + timedelta(milliseconds=draw(st.integers(0, 10**11))),
        "position": f"{draw(st.integers(0, 10**13 - 1)):013d}-0000000003-00012",
    }
    if said := draw(attributes):
        found["attributes"] = said
    if content_type := draw(st.one_of(st.none(), st.sampled_from(MEDIA_TYPES), _texts)):
        found["content_type"] = content_type
    if draw(st.booleans()):
        found["produced_by"] = "billing import"
    return found


def document(**more: Any) -> dict[str, Any]:
    """One of them."""
    return {
        "_id": "5f0c2b8e9a7d4c3b2a190807",
        "channel": "orders",
        "message": "hello",
        "received_at": datetime(2026, 11, 22, 10, 30, 0, 123000, tzinfo=UTC),
        "position": "1732190000000-0000000003-00012",
        **more,
    }


def payload_of(document: dict[str, Any]) -> bytes:
    """Byte for byte."""
    message = document["message"]
    return message.encode() if isinstance(message, str) else bytes(message)
