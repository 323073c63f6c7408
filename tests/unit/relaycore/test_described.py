"""What a publisher says of a message, read back by a reader that Relay did not write: pymongo's `bson`."""

import random
from typing import Any

import bson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from relaycore import envelope
from relaycore.described import (
    MAX_ATTRIBUTES,
    MAX_ATTRIBUTES_BYTES,
    MAX_SAID_BYTES,
    describe,
    is_description,
)
from relaycore.envelope import F_BSON, F_MESSAGES, Encoder, split, timestamp
from relaycore.errors import BadEntry, BadMessage
from relaycore.position import entry_prefix
from tests.unit.relaycore.strategies import channels, keys, payloads

KEY = bytes(range(12))
AT = timestamp(1_732_190_000_123)

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
names = texts.filter(lambda name: name and "\0" not in name and not name.startswith("$"))
attributes_of = st.dictionaries(names, texts, max_size=4)


def published(payload: bytes = b"hello", channel: bytes = b"orders", **said: Any) -> bytes:
    return Encoder(channel).encode_published(KEY, payload, AT, **said)


def entry_of(*documents: bytes) -> dict[bytes, bytes]:
    return {F_MESSAGES: b"%d" % len(documents), F_BSON: b"".join(documents)}


def is_refused(document: bytes) -> bool:
    try:
        split(entry_of(document))
    except BadEntry:
        return True
    return False


ALL = {"attributes": {"kind": "größer", "a.b": ""}, "content_type": "text/plain", "produced_by": "billing"}


@given(channels, keys, payloads, attributes_of, texts, texts)
def test_a_document_is_what_a_bson_library_would_write(
    channel: bytes, key: bytes, payload: bytes, attributes: dict[str, str], content_type: str, by: str
) -> None:
    document = Encoder(channel).encode_published(
        key, payload, AT, attributes=attributes, content_type=content_type, produced_by=by
    )

    heard = bson.decode(Encoder(channel).encode(key, payload, AT))
    said = {"attributes": attributes, "content_type": content_type, "produced_by": by}
    assert document == bson.encode(heard | {name: value for name, value in said.items() if value})
    assert split(entry_of(document, document)) == [document, document]
    (placed,) = envelope.place([document], entry_prefix("1-1"))
    for read in (document, placed):
        assert envelope.key_of(read) == key
        assert envelope.channel_of(read) == channel
        assert envelope.payload_of(read)[0] == payload
    assert bson.decode(placed)["position"] == envelope.position_of(placed)


def test_the_bytes_on_the_stream_never_change() -> None:
    # Spelled out by hand from bsonspec.org.
    said = (
        b"\x03attributes\x00\x11\x00\x00\x00\x02kind\x00\x02\x00\x00\x00A\x00\x00"
        b"\x02content_type\x00\x0b\x00\x00\x00text/plain\x00"
        b"\x02produced_by\x00\x08\x00\x00\x00billing\x00"
    )
    written = published(attributes={"kind": "A"}, content_type="text/plain", produced_by="billing")
    assert written[4:] == Encoder(b"orders").encode(KEY, b"hello", AT)[4:-1] + said + b"\x00"
    assert int.from_bytes(written[:4], "little") == len(written)


def test_where_nothing_was_said_it_is_the_document_of_a_heard_message() -> None:
    assert published() == Encoder(b"orders").encode(KEY, b"hello", AT)
    assert published(attributes={}, content_type="", produced_by="") == published()


# What a publisher says may look like the end of any document: as text may, and as a payload may.
LOOKS_LIKE_THE_END = "\x09received_at\x00" + "x" * 7


@pytest.mark.parametrize("said", ["content_type", "produced_by"])
def test_what_looks_like_the_end_of_a_document_is_text(said: str) -> None:
    document = published(**{said: LOOKS_LIKE_THE_END})
    assert document[-22:-9] == b"\x09received_at\x00", "as in a message that was heard"
    assert split(entry_of(document)) == [document]


def test_a_payload_that_looks_like_what_was_said_is_a_payload() -> None:
    said = published(**ALL)
    document = published(said)
    assert split(entry_of(document)) == [document]
    assert set(bson.decode(document)) == {"_id", "channel", "message", "received_at"}


# --- what is too much --------------------------------------------------------------------


def test_as_much_as_is_allowed_can_be_said() -> None:
    many = {f"n{at:02}": "x" for at in range(MAX_ATTRIBUTES)}
    large = {"n": "x" * (MAX_ATTRIBUTES_BYTES - 1)}
    longest = "é" * (MAX_SAID_BYTES // 2)
    for attributes in (many, large):
        document = published(attributes=attributes, content_type=longest, produced_by=longest)
        assert split(entry_of(document)) == [document]
        assert bson.decode(document)["attributes"] == attributes


TOO_MUCH: list[dict[str, Any]] = [
    {"attributes": {f"n{at}": "" for at in range(MAX_ATTRIBUTES + 1)}},
    {"attributes": {"n": "x" * MAX_ATTRIBUTES_BYTES}},
    {"attributes": {"n" * MAX_ATTRIBUTES_BYTES: "x"}},
    {"attributes": {"é" * (MAX_ATTRIBUTES_BYTES // 2): "x"}},
    {"attributes": {"": "x"}},
    {"attributes": {"a\0b": "x"}},
    {"attributes": {"$id": "x"}},
    {"content_type": "x" * (MAX_SAID_BYTES + 1)},
    {"produced_by": "é" * (MAX_SAID_BYTES // 2) + "x"},
]


@pytest.mark.parametrize("said", TOO_MUCH, ids=lambda said: repr(said)[:40])
def test_what_is_not_allowed_is_neither_written_nor_read(said: dict[str, Any]) -> None:
    with pytest.raises(BadMessage):
        published(**said)
    if "a\0b" not in said.get("attributes", {}):  # No library writes that.
        assert is_refused(bson.encode(bson.decode(published()) | said))


@pytest.mark.parametrize(
    "said", [{"attributes": {"\ud800": "x"}}, {"attributes": {"x": "\ud800"}}, {"content_type": "\udfff"}]
)
def test_half_a_letter_is_not_written(said: dict[str, Any]) -> None:
    with pytest.raises(BadMessage, match="not Unicode"):
        published(**said)


# --- damage ------------------------------------------------------------------------------


def reads_as_published(document: bytes) -> bool:
    """What the documented format says of one document, by a BSON library."""
    try:
        read = bson.decode(document, envelope_options)
    except bson.errors.InvalidBSON:
        return False
    kinds: dict[str, Any] = {"_id": bson.ObjectId, "channel": str, "message": (str, bytes)}
    kinds["received_at"] = bson.DatetimeMS
    more = {"size": bson.Int64, "attributes": dict, "content_type": str, "produced_by": str}
    kinds |= {name: kind for name, kind in more.items() if name in read}
    attributes = read.get("attributes", {})
    return (
        list(read) == list(kinds)
        and all(isinstance(read[name], kind) for name, kind in kinds.items())
        and all(isinstance(value, str) for value in attributes.values())
        and len(attributes) <= MAX_ATTRIBUTES
    )


envelope_options: bson.CodecOptions[dict[str, Any]] = bson.CodecOptions(
    datetime_conversion=bson.codec_options.DatetimeConversion.DATETIME_MS
)


@pytest.mark.parametrize(
    "document",
    [published(**ALL), published(attributes={"k": "v"}), published(b"\xff", produced_by="billing")],
    ids=["all", "attributes", "producer"],
)
def test_a_changed_byte_is_refused_wherever_it_changes_the_structure(document: bytes) -> None:
    """Every value of every byte: accepted is only what a BSON library reads as a message."""
    accepted = 0
    for at in range(len(document)):
        for value in range(256):
            changed = document[:at] + bytes([value]) + document[at + 1 :]
            if is_refused(changed):
                continue
            accepted += 1
            assert reads_as_published(changed), (at, value)
            read = bson.decode(changed, envelope_options)
            said = describe(
                read.get("attributes", {}), read.get("content_type", ""), read.get("produced_by", "")
            )
            assert changed[:-1].endswith(said), "what is read is all that stands there"
    assert accepted > (12 + 8) * 255


@given(attributes_of, texts, texts, st.randoms(use_true_random=False), st.integers(1, 6))
def test_damage_of_any_kind_is_refused_or_harmless(
    attributes: dict[str, str], content_type: str, by: str, chance: random.Random, wounds: int
) -> None:
    good = published(attributes=attributes, content_type=content_type, produced_by=by)
    blob = bytearray(good)
    begin = len(published()) - 1
    for _ in range(wounds):
        at = chance.randrange(begin, len(blob) + 1)
        blob[at : at + chance.randrange(3)] = chance.randbytes(chance.randrange(5))
    blob[:4] = len(blob).to_bytes(4, "little")
    if not is_refused(bytes(blob)):
        assert reads_as_published(bytes(blob))


@given(st.binary(max_size=60))
def test_noise_is_no_description(noise: bytes) -> None:
    if is_description(noise):
        assert reads_as_published(envelope._append(published(), noise))


SAID = describe({"k": "v"}, "", "")


@pytest.mark.parametrize(
    ("what", "said"),
    [
        ("a name twice", SAID.replace(b"\x02k\0", b"\x02k\0\x02\0\0\0v\0\x02k\0").replace(b"\x0e", b"\x17")),
        ("another order", describe({}, "", "b") + describe({}, "c", "")),
        ("a producer twice", describe({}, "", "b") * 2),
        ("attributes twice", SAID * 2),
        ("an attribute that is no string", SAID.replace(b"\x02k", b"\x0ek")),
        ("an element that is not known", SAID + b"\x02other\0\x02\0\0\0x\0"),
        ("attributes that are a list", b"\x04" + SAID[1:]),
        ("attributes of negative length", SAID.replace(b"\x0e\0\0\0", b"\xff\xff\xff\xff")),
        ("attributes without length", SAID[:12]),
        ("attributes beyond the document", SAID.replace(b"\x0e\0\0\0", b"\xff\xff\xff\x7f")),
        ("a value beyond its document", SAID.replace(b"\x02\0\0\0v", b"\xff\xff\xff\x7fv")),
        ("a size behind it", SAID + b"\x12size\0" + bytes(8)),
        ("half a size", b"\x12size\0" + bytes(7)),
    ],
)
def test_a_document_is_refused_for(what: str, said: bytes) -> None:
    assert not is_description(said)
    assert is_refused(envelope._append(published(), said))
    assert is_description(SAID)
    assert not is_refused(envelope._append(published(), b"\x12size\0" + bytes(8) + SAID))
