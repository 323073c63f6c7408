"""One message as bytes, and the open format of a stream entry.

An entry of the stream carries all messages that one read of the listener brought:

============  ==================================================================
field         value
============  ==================================================================
`messages`    how many, decimal
`bson`        so many BSON documents (bsonspec.org), one directly after another
`source`      `EPOCH.CONNECTION` of the listener that appended it
`reason`      only on an entry with one message that cannot be stored: why
============  ==================================================================

Each document has, in this order:

=============  ===============  ================================================
`_id`          ObjectId         the deduplication key (`relaycore.identity`)
`channel`      string
`message`      string           a payload that is UTF-8, as it is
               or binary (0)    any other payload, byte for byte
`received_at`  UTC datetime     when the listener read it
`size`         int64            only where the payload was cut: its true bytes
=============  ===============  ================================================

A BSON document begins with its own length (int32, little-endian), so any language
reads an entry with a loop of three lines; `docs/stream-format.md` shows it.

Two entries of one source never carry the same message. Where the source changes
from one entry to the next, or the connection counts up, what follows may repeat
what was just before: a retry after a cut reply, or a take-over.
"""

import struct
from collections.abc import Mapping
from typing import Final

from relaycore.errors import BadEntry
from relaycore.position import MAX_MESSAGES_PER_ENTRY, POSITION_CHARS

F_MESSAGES: Final = b"messages"
F_BSON: Final = b"bson"
F_SOURCE: Final = b"source"
F_REASON: Final = b"reason"

MAX_CARRIED_BYTES: Final = 15 * 1024 * 1024
"""Of a refused payload so much is carried and kept; BSON documents end at 16 MiB."""

_int32 = struct.Struct("<i").pack
_int64 = struct.Struct("<q").pack
_read_int32 = struct.Struct("<i").unpack_from

# Offsets in a document: the fixed order above is what makes the channel readable without decoding.
_ID_NAME: Final = b"\x07_id\x00"
_CHANNEL_NAME: Final = b"\x02channel\x00"
_ID_AT: Final = 4 + len(_ID_NAME)
_CHANNEL_AT: Final = _ID_AT + 12
_CHANNEL_SIZE_AT: Final = _CHANNEL_AT + len(_CHANNEL_NAME)
_CHANNEL_TEXT_AT: Final = _CHANNEL_SIZE_AT + 4
_SHORTEST: Final = _CHANNEL_TEXT_AT + 2


class Encoder:
    """Builds the documents of one channel."""

    __slots__ = ("_binary", "_fixed", "_text", "channel")

    def __init__(self, channel: bytes) -> None:
        self.channel = channel
        named = _CHANNEL_NAME + _int32(len(channel) + 1) + channel + b"\x00"
        self._text = named + b"\x02message\x00"
        self._binary = named + b"\x05message\x00"
        # length, _id, head, payload length, NUL or subtype, tail (22 bytes), end
        self._fixed = _CHANNEL_AT + len(self._text) + 4 + 1 + 21 + 1

    def encode(self, key: bytes, payload: bytes, received_at: bytes) -> bytes:
        """The document of one message. `received_at` comes from `timestamp`."""
        if not payload.isascii():
            try:
                payload.decode()
            except UnicodeDecodeError:
                return (
                    _int32(self._fixed + len(payload))
                    + _ID_NAME
                    + key
                    + self._binary
                    + _int32(len(payload))
                    + b"\x00"
                    + payload
                    + received_at
                    + b"\x00"
                )
        return (
            _int32(self._fixed + len(payload))
            + _ID_NAME
            + key
            + self._text
            + _int32(len(payload) + 1)
            + payload
            + b"\x00"
            + received_at
            + b"\x00"
        )

    def encode_refused(self, key: bytes, payload: bytes, received_at: bytes) -> bytes:
        """The document of a message that cannot be stored, cut to what can be carried."""
        carried = payload[:MAX_CARRIED_BYTES]
        document = self.encode(key, carried, received_at)
        if len(carried) == len(payload):
            return document
        return _append(document, b"\x12size\x00" + _int64(len(payload)))


def timestamp(milliseconds: int) -> bytes:
    """The `received_at` element for a time in milliseconds since 1970, UTC."""
    return b"\x09received_at\x00" + _int64(milliseconds)


def split(fields: Mapping[bytes, bytes]) -> list[bytes]:
    """The documents of one entry, given its fields.

    Raises:
        BadEntry: for anything that is not in the format above.
    """
    try:
        blob, announced = fields[F_BSON], int(fields[F_MESSAGES])
    except (KeyError, ValueError) as exc:
        raise BadEntry("no such fields as `messages` and `bson`") from exc
    documents: list[bytes] = []
    at, end = 0, len(blob)
    while at < end:
        size = _read_int32(blob, at)[0] if at + 4 <= end else 0
        document = blob[at : at + size]
        if (
            size < _SHORTEST
            or len(document) != size
            or document[4:_ID_AT] != _ID_NAME
            or document[_CHANNEL_AT:_CHANNEL_SIZE_AT] != _CHANNEL_NAME
        ):
            raise BadEntry(f"no message document at byte {at} of {end}")
        documents.append(document)
        at += size
    if len(documents) != announced or announced > MAX_MESSAGES_PER_ENTRY:
        raise BadEntry(f"{announced} messages announced, {len(documents)} found")
    return documents


def key_of(document: bytes) -> bytes:
    """The 12 bytes of a document's `_id`."""
    return document[_ID_AT:_CHANNEL_AT]


def channel_of(document: bytes) -> bytes:
    """The channel of a document, as UTF-8."""
    size = _read_int32(document, _CHANNEL_SIZE_AT)[0]
    return document[_CHANNEL_TEXT_AT : _CHANNEL_TEXT_AT + size - 1]


def payload_of(document: bytes) -> tuple[bytes, bool]:
    """The payload of a document, and whether it is text."""
    element = _CHANNEL_TEXT_AT + _read_int32(document, _CHANNEL_SIZE_AT)[0]
    at = element + len(b"\x02message\x00")
    size = _read_int32(document, at)[0]
    if document[element] == 0x02:
        return document[at + 4 : at + 4 + size - 1], True
    return document[at + 5 : at + 5 + size], False


def place(documents: list[bytes], prefix: str) -> list[bytes]:
    """The documents of one entry with their `position` added.

    `prefix` comes from `relaycore.position.entry_prefix`.
    """
    # Written out rather than through _append: this runs once for every message.
    element = b"\x02position\x00" + _int32(POSITION_CHARS + 1) + prefix.encode()
    grown = len(element) + 6
    return [
        _int32(len(document) + grown) + document[4:-1] + element + b"%05d\x00\x00" % index
        for index, document in enumerate(documents)
    ]


def position_of(document: bytes) -> str:
    """The position of a document that `place` has given one."""
    return document[-2 - POSITION_CHARS : -2].decode("ascii")


def _append(document: bytes, element: bytes) -> bytes:
    return _int32(len(document) + len(element)) + document[4:-1] + element + b"\x00"
