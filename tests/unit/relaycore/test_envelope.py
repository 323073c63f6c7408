"""One message as bytes, read back by a reader that Relay did not write: pymongo's `bson`."""

import datetime
import random
from collections.abc import Mapping
from typing import Any

import bson
import pytest
from bson.codec_options import CodecOptions, DatetimeConversion
from hypothesis import assume, given
from hypothesis import strategies as st

from relaycore import envelope
from relaycore.envelope import F_BSON, F_MESSAGES, MAX_CARRIED_BYTES, Encoder, split, timestamp
from relaycore.errors import BadEntry
from relaycore.position import MAX_MESSAGES_PER_ENTRY, POSITION_CHARS, entry_prefix, first_of, is_position
from tests.unit.relaycore.strategies import channels, keys, payloads

AWARE: CodecOptions[dict[str, Any]] = CodecOptions(tz_aware=True)
ANY_TIME: CodecOptions[dict[str, Any]] = CodecOptions(datetime_conversion=DatetimeConversion.DATETIME_MS)
KEY = bytes(range(12))
NOW_MS = 1_732_190_000_123
AT = timestamp(NOW_MS)

times = st.integers(0, 253_402_300_799_999)
messages = st.tuples(channels, keys, payloads)


def document_of(payload: bytes, channel: bytes = b"orders", key: bytes = KEY) -> bytes:
    return Encoder(channel).encode(key, payload, AT)


def entry_of(*documents: bytes, announced: int | None = None) -> dict[bytes, bytes]:
    count = len(documents) if announced is None else announced
    return {F_MESSAGES: b"%d" % count, F_BSON: b"".join(documents)}


def is_text(payload: bytes) -> bool:
    try:
        payload.decode()
    except UnicodeDecodeError:
        return False
    return True


# --- the format --------------------------------------------------------------------------


@given(channels, keys, payloads, times)
def test_a_document_is_what_a_bson_library_would_write(
    channel: bytes, key: bytes, payload: bytes, now_ms: int
) -> None:
    written = bson.encode(
        {
            "_id": bson.ObjectId(key),
            "channel": channel.decode(),
            "message": payload.decode() if is_text(payload) else payload,
            "received_at": bson.DatetimeMS(now_ms),
        }
    )
    assert Encoder(channel).encode(key, payload, timestamp(now_ms)) == written


@given(channels, keys, payloads, times)
def test_every_byte_of_a_payload_comes_back(channel: bytes, key: bytes, payload: bytes, now_ms: int) -> None:
    read = bson.decode(Encoder(channel).encode(key, payload, timestamp(now_ms)), AWARE)

    assert list(read) == ["_id", "channel", "message", "received_at"]
    assert read["_id"].binary == key
    assert read["channel"] == channel.decode()
    message = read["message"]
    assert (message.encode() if isinstance(message, str) else message) == payload
    since = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)
    assert read["received_at"] - since == datetime.timedelta(milliseconds=now_ms)


@pytest.mark.parametrize(
    "payload", [b"", b"hello", b"a\0b", "Größe 注文 🛒".encode(), b"\x7f", b"x" * 100_000]
)
def test_utf_8_is_stored_as_text(payload: bytes) -> None:
    document = document_of(payload)
    assert bson.decode(document)["message"] == payload.decode()
    assert envelope.payload_of(document) == (payload, True)


@pytest.mark.parametrize(
    "payload",
    [b"\xff", b"\x80", b"hello\xc3", b"\xed\xa0\x80", b"\xc0\x80", b"\xf4\x90\x80\x80", bytes(range(256))],
    ids=["never", "no beginning", "cut", "surrogate", "overlong", "above Unicode", "all bytes"],
)
def test_anything_else_is_stored_as_binary(payload: bytes) -> None:
    document = document_of(payload)
    assert bson.decode(document)["message"] == payload, "subtype 0 is read as bytes"
    assert isinstance(bson.decode(document)["message"], bytes)
    assert envelope.payload_of(document) == (payload, False)


def test_the_bytes_on_the_stream_never_change() -> None:
    # Spelled out by hand from bsonspec.org.
    text = (
        b"\x52\x00\x00\x00"
        b"\x07_id\x00" + KEY + b"\x02channel\x00\x07\x00\x00\x00orders\x00"
        b"\x02message\x00\x06\x00\x00\x00hello\x00"
        b"\x09received_at\x00\xfb\xd3\x91\x4e\x93\x01\x00\x00"
        b"\x00"
    )
    binary = (
        b"\x4f\x00\x00\x00"
        b"\x07_id\x00" + KEY + b"\x02channel\x00\x07\x00\x00\x00orders\x00"
        b"\x05message\x00\x02\x00\x00\x00\x00\xff\xfe"
        b"\x09received_at\x00\xfb\xd3\x91\x4e\x93\x01\x00\x00"
        b"\x00"
    )
    assert document_of(b"hello") == text
    assert document_of(b"\xff\xfe") == binary
    placed = envelope.place([text], entry_prefix("1732190000123-7"))[0]
    position = b"\x02position\x00\x1f\x00\x00\x001732190000123-0000000007-00000\x00\x00"
    assert placed == b"\x7f\x00\x00\x00" + text[4:-1] + position


def test_fields_have_the_documented_names() -> None:
    names = (envelope.F_MESSAGES, envelope.F_BSON, envelope.F_SOURCE, envelope.F_REASON)
    assert names == (b"messages", b"bson", b"source", b"reason")


@given(messages)
def test_parts_can_be_read_without_decoding(message: tuple[bytes, bytes, bytes]) -> None:
    channel, key, payload = message
    document = document_of(payload, channel, key)
    for read in (document, envelope.place([document], entry_prefix("1-1"))[0]):
        assert envelope.key_of(read) == key
        assert envelope.channel_of(read) == channel
        assert envelope.payload_of(read) == (payload, is_text(payload))


# --- what is too large -------------------------------------------------------------------


def test_a_refused_message_that_can_be_carried_is_carried_whole() -> None:
    payload = b"x" * 2_000_000
    assert Encoder(b"orders").encode_refused(KEY, payload, AT) == document_of(payload)


@pytest.mark.parametrize("beyond", [1, 1_000_000])
def test_a_refused_message_is_cut_to_what_can_be_carried_and_its_size_is_noted(beyond: int) -> None:
    payload = b"x" * (MAX_CARRIED_BYTES + beyond)
    document = Encoder(b"orders").encode_refused(KEY, payload, AT)

    read = bson.decode(document)
    assert list(read) == ["_id", "channel", "message", "received_at", "size"]
    assert read["message"] == "x" * MAX_CARRIED_BYTES
    assert read["size"] == len(payload)
    assert isinstance(read["size"], bson.Int64)
    assert len(document) < 16 * 1024 * 1024, "BSON documents end there"
    assert split(entry_of(document)) == [document]
    assert envelope.payload_of(document) == (payload[:MAX_CARRIED_BYTES], True)


def test_exactly_what_can_be_carried_is_not_cut() -> None:
    payload = b"x" * MAX_CARRIED_BYTES
    document = Encoder(b"orders").encode_refused(KEY, payload, AT)
    assert "size" not in bson.decode(document)


def test_a_letter_that_is_cut_in_two_makes_binary_of_it() -> None:
    payload = b"x" * (MAX_CARRIED_BYTES - 1) + "é".encode()
    document = Encoder(b"orders").encode_refused(KEY, payload, AT)
    assert bson.decode(document)["message"] == payload[:MAX_CARRIED_BYTES]
    assert split(entry_of(document)) == [document]


# --- positions ---------------------------------------------------------------------------


@given(st.lists(messages, max_size=5), st.integers(0, 10**13 - 1), st.integers(0, 10**10 - 1))
def test_a_position_is_added_to_each_document_and_nothing_else_changes(
    heard: list[tuple[bytes, bytes, bytes]], milliseconds: int, number: int
) -> None:
    documents = [document_of(payload, channel, key) for channel, key, payload in heard]
    entry_id = f"{milliseconds}-{number}"

    placed = envelope.place(documents, entry_prefix(entry_id))

    for index, (before, after) in enumerate(zip(documents, placed, strict=True)):
        read = bson.decode(after)
        position = read.pop("position")
        assert read == bson.decode(before)
        assert position == envelope.position_of(after) == f"{milliseconds:013}-{number:010}-{index:05}"
        assert is_position(position)
        assert len(position) == POSITION_CHARS


def test_the_position_of_the_first_message_is_that_of_its_entry() -> None:
    (placed,) = envelope.place([document_of(b"hello")], entry_prefix("1732190000000-3"))
    assert envelope.position_of(placed) == first_of("1732190000000-3")


# --- splitting an entry ------------------------------------------------------------------


@given(st.lists(messages, max_size=8))
def test_an_entry_is_split_into_what_was_put_together(heard: list[tuple[bytes, bytes, bytes]]) -> None:
    documents = [document_of(payload, channel, key) for channel, key, payload in heard]
    fields = entry_of(*documents) | {b"source": b"7.1", b"unknown": b"later versions may add fields"}
    assert split(fields) == documents
    assert len(bson.decode_all(fields[F_BSON])) == len(documents)


DOCUMENT = document_of(b"hello")


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {F_BSON: DOCUMENT},
        {F_MESSAGES: b"1"},
        {F_MESSAGES: b"", F_BSON: DOCUMENT},
        *({F_MESSAGES: said, F_BSON: DOCUMENT} for said in (b"0", b"2", b"-1", b"+1", b" 1", b"1\n", b"1.0")),
        *({F_MESSAGES: said, F_BSON: DOCUMENT} for said in (b"0x1", b"1_", b"one", b"\xff", b"1" * 5000)),
        {F_MESSAGES: b"1_0", F_BSON: DOCUMENT * 10},
        {F_MESSAGES: b"%d" % 2**64, F_BSON: DOCUMENT},
    ],
    ids=repr,
)
def test_without_a_true_count_and_documents_it_is_no_entry(fields: Mapping[bytes, bytes]) -> None:
    with pytest.raises(BadEntry):
        split(fields)


def test_an_entry_with_more_messages_than_have_a_position_is_refused() -> None:
    assert len(split(entry_of(*[DOCUMENT] * MAX_MESSAGES_PER_ENTRY))) == MAX_MESSAGES_PER_ENTRY
    with pytest.raises(BadEntry, match="100001"):
        split(entry_of(*[DOCUMENT] * (MAX_MESSAGES_PER_ENTRY + 1)))


@given(st.lists(messages, min_size=1, max_size=4), st.data())
def test_an_entry_that_was_cut_is_refused(
    heard: list[tuple[bytes, bytes, bytes]], data: st.DataObject
) -> None:
    documents = [document_of(payload, channel, key) for channel, key, payload in heard]
    fields = entry_of(*documents)
    cut = data.draw(st.integers(0, len(fields[F_BSON]) - 1))
    with pytest.raises(BadEntry):
        split(fields | {F_BSON: fields[F_BSON][:cut]})
    with pytest.raises(BadEntry):
        split(fields | {F_BSON: fields[F_BSON][cut + 1 :]})


@given(st.binary(max_size=200), st.integers(0, 3))
def test_noise_is_refused(noise: bytes, announced: int) -> None:
    assume(noise or announced)
    with pytest.raises(BadEntry):
        split({F_MESSAGES: b"%d" % announced, F_BSON: noise})
    with pytest.raises(BadEntry):
        split({F_MESSAGES: b"%d" % (announced + 1), F_BSON: DOCUMENT + noise + b"\0"})


def reads_as_a_message(document: bytes) -> bool:
    """What the documented format says of one document, by a BSON library."""
    try:
        read = bson.decode(document, ANY_TIME)
    except bson.errors.InvalidBSON:
        return False
    kinds = {"_id": bson.ObjectId, "channel": str, "message": (str, bytes), "received_at": bson.DatetimeMS}
    if "size" in read:
        kinds["size"] = bson.Int64
    return list(read) == list(kinds) and all(isinstance(read[name], kind) for name, kind in kinds.items())


REFUSED = envelope._append(document_of("größer".encode()), b"\x12size\x00" + bytes(8))


@pytest.mark.parametrize(
    "document",
    [DOCUMENT, document_of(b"\xff\xfe\xfd"), document_of("größer".encode(), "Größe".encode()), REFUSED],
    ids=["ascii", "binary", "text", "refused"],
)
def test_a_changed_byte_is_refused_wherever_it_changes_the_structure(document: bytes) -> None:
    """Every value of every byte: accepted is only what a BSON library reads as a message."""
    accepted = 0
    for at in range(len(document)):
        for value in range(256):
            changed = document[:at] + bytes([value]) + document[at + 1 :]
            try:
                (found,) = split(entry_of(changed))
            except BadEntry:
                continue
            accepted += 1
            assert found == changed
            assert reads_as_a_message(changed), (at, value)
            assert envelope.channel_of(changed).decode() == bson.decode(changed, ANY_TIME)["channel"]
            payload, is_string = envelope.payload_of(changed)
            message = bson.decode(changed, ANY_TIME)["message"]
            assert (payload.decode() if is_string else payload) == message
    free = 12 + 8  # every value of the id and of the time is a good one
    assert accepted > free * 255


@given(st.lists(messages, min_size=1, max_size=3), st.randoms(use_true_random=False), st.integers(1, 8))
def test_damage_of_any_kind_is_refused_or_harmless(
    heard: list[tuple[bytes, bytes, bytes]], chance: random.Random, wounds: int
) -> None:
    blob = bytearray(b"".join(document_of(payload, channel, key) for channel, key, payload in heard))
    for _ in range(wounds):
        at = chance.randrange(len(blob) + 1)
        blob[at : at + chance.randrange(3)] = chance.randbytes(chance.randrange(5))
    try:
        documents = split({F_MESSAGES: b"%d" % len(heard), F_BSON: bytes(blob)})
    except BadEntry:
        return
    assert b"".join(documents) == blob
    for document in documents:
        assert reads_as_a_message(document)
        envelope.channel_of(document).decode()
        envelope.payload_of(document)


@pytest.mark.parametrize(
    ("what", "old", "new"),
    [
        ("an id that is a string", b"\x07_id", b"\x02_id"),
        ("an id of another name", b"\x07_id", b"\x07_ix"),
        ("a channel of another name", b"\x02channel", b"\x02chunnel"),
        ("a channel that is no string", b"\x02channel", b"\x0echannel"),
        ("a channel that is not UTF-8", b"orders", b"\xff\xfeders"),
        ("a channel longer than the document", b"\x07\x00\x00\x00orders", b"\xff\xff\xff\x7forders"),
        ("a channel of negative length", b"\x07\x00\x00\x00orders", b"\xff\xff\xff\xfforders"),
        ("a channel without length", b"\x07\x00\x00\x00orders", b"\x00\x00\x00\x00orders"),
        ("a channel without its end", b"orders\x00", b"orders!"),
        ("a message of another name", b"\x02message", b"\x02massage"),
        ("a message that is code", b"\x02message", b"\x0dmessage"),
        ("a message that is not UTF-8", b"hello", b"\xff\xfello"),
        ("a message longer than the document", b"\x06\x00\x00\x00hello", b"\xff\xff\xff\x7fhello"),
        ("a message of negative length", b"\x06\x00\x00\x00hello", b"\xff\xff\xff\xffhello"),
        ("a message that is too short", b"\x06\x00\x00\x00hello", b"\x05\x00\x00\x00hello"),
        ("a message without its end", b"hello\x00", b"hello!"),
        ("a time of another name", b"received_at", b"received_by"),
        ("a time that is a number", b"\x09received", b"\x12received"),
        ("a document without its end", DOCUMENT[-4:], DOCUMENT[-4:-1] + b"!"),
    ],
)
def test_a_document_is_refused_for(what: str, old: bytes, new: bytes) -> None:
    assert DOCUMENT.count(old) == 1
    assert len(old) == len(new)
    with pytest.raises(BadEntry, match="no message document at byte 82 of 164"):
        split(entry_of(DOCUMENT, DOCUMENT.replace(old, new)))


def test_a_channel_without_a_name_is_refused() -> None:
    with pytest.raises(BadEntry, match="no message document at byte 82"):
        split(entry_of(DOCUMENT, document_of(b"hello", b"")))
    assert split(entry_of(document_of(b"hello", b"a")))


def test_a_size_that_is_none_is_refused() -> None:
    assert split(entry_of(REFUSED)) == [REFUSED]
    for old, new in (
        (b"\x12size", b"\x12sise"),
        (b"\x12size", b"\x01size"),
        (b"received_at", b"received_by"),
    ):
        with pytest.raises(BadEntry):
            split(entry_of(REFUSED.replace(old, new)))


def test_more_elements_than_the_format_has_are_refused() -> None:
    (placed,) = envelope.place([DOCUMENT], entry_prefix("1-1"))
    with pytest.raises(BadEntry):
        split(entry_of(placed))
