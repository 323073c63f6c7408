"""One message as bytes, and the open format of a stream entry.

An entry of the stream carries all messages that one read of the listener brought:

============  ==================================================================
field         value
============  ==================================================================
`messages`    how many, decimal
`bson`        so many BSON documents (bsonspec.org), one directly after another
`upto`        the running number of its last message (`relaybase.redis.appending`)
`source`      `EPOCH.CONNECTION` of the listener that appended it, or any other name
`reason`      only on an entry with one message that cannot be stored: why
`retries`     only on an entry with one message that was in quarantine: its id there
============  ==================================================================

Each document has, in this order:

=============  ===============  ================================================
`_id`          ObjectId         the deduplication key (`relaycore.identity`)
`channel`      string           not empty
`message`      string           a payload that is UTF-8, as it is
               or binary (0)    any other payload, byte for byte
`received_at`  UTC datetime     when the listener read it
`size`         int64            only where the payload was cut: its true bytes
=============  ===============  ================================================

Behind these stands what a publisher said of it beside its payload (`relaycore.described`), if anything.
A message that was heard has nothing of it.

A BSON document begins with its own length (int32, little-endian), so any language
reads an entry with a loop of three lines; `docs/stream-format.md` shows it.

Two entries of one listener's source never carry the same message: after a cut reply the
connection counts up, and whoever takes over has another epoch. What comes from two of them, or
from any other source, may stand twice on the stream (`relaycore.storing.together`).
"""

import re
import struct
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from relaycore.described import describe, is_description
from relaycore.errors import BadEntry
from relaycore.position import MAX_MESSAGES_PER_ENTRY, POSITION_CHARS

F_MESSAGES: Final = b"messages"
F_BSON: Final = b"bson"
F_SOURCE: Final = b"source"
F_REASON: Final = b"reason"
F_UPTO: Final = b"upto"
F_RETRIES: Final = b"retries"

MAX_CARRIED_BYTES: Final = 15 * 1024 * 1024
"""Of a refused payload so much is carried and kept; BSON documents end at 16 MiB."""

NOTHING_SAID: Final[Mapping[str, str]] = MappingProxyType({})

_int32 = struct.Struct("<i").pack
_int64 = struct.Struct("<q").pack
_read_int32 = struct.Struct("<i").unpack_from
_read_head = struct.Struct("<i5s12s9si").unpack_from
_read_body = struct.Struct("<9si").unpack_from

# Offsets in a document: the fixed order above is what makes the channel readable without decoding.
_ID_NAME: Final = b"\x07_id\x00"
_CHANNEL_NAME: Final = b"\x02channel\x00"
_TEXT_NAME: Final = b"\x02message\x00"
_BINARY_NAME: Final = b"\x05message\x00"
_RECEIVED_NAME: Final = b"\x09received_at\x00"
_SIZE_NAME: Final = b"\x12size\x00"
_ID_AT: Final = 4 + len(_ID_NAME)
_CHANNEL_AT: Final = _ID_AT + 12
_CHANNEL_SIZE_AT: Final = _CHANNEL_AT + len(_CHANNEL_NAME)
_CHANNEL_TEXT_AT: Final = _CHANNEL_SIZE_AT + 4
_BEFORE_PAYLOAD: Final = len(_TEXT_NAME) + 4
_TAIL: Final = len(_RECEIVED_NAME) + 8 + 1
_SIZE: Final = len(_SIZE_NAME) + 8
_SHORTEST: Final = _CHANNEL_TEXT_AT + 1 + _BEFORE_PAYLOAD + 1 + _TAIL


class Encoder:
    """Builds the documents of one channel."""

    __slots__ = ("_binary", "_fixed", "_text", "channel")

    def __init__(self, channel: bytes) -> None:
        self.channel = channel
        named = _CHANNEL_NAME + _int32(len(channel) + 1) + channel + b"\x00"
        self._text = named + _TEXT_NAME
        self._binary = named + _BINARY_NAME
        # length and _id, channel and name of the message, its length, NUL or subtype, the rest
        self._fixed = _CHANNEL_AT + len(self._text) + 4 + 1 + _TAIL

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

    def encode_published(
        self,
        key: bytes,
        payload: bytes,
        received_at: bytes,
        *,
        attributes: Mapping[str, str] = NOTHING_SAID,
        content_type: str = "",
        produced_by: str = "",
    ) -> bytes:
        """The document of one message that somebody published here, with what was said of it.

        Raises:
            BadMessage: what was said is more than a document may have (`relaycore.described`).
        """
        document = self.encode(key, payload, received_at)
        said = describe(attributes, content_type, produced_by)
        return _append(document, said) if said else document

    def encode_refused(self, key: bytes, payload: bytes, received_at: bytes) -> bytes:
        """The document of a message that cannot be stored, cut to what can be carried."""
        carried = payload[:MAX_CARRIED_BYTES]
        document = self.encode(key, carried, received_at)
        if len(carried) == len(payload):
            return document
        return _append(document, _SIZE_NAME + _int64(len(payload)))


def timestamp(milliseconds: int) -> bytes:
    """The `received_at` element for a time in milliseconds since 1970, UTC."""
    return _RECEIVED_NAME + _int64(milliseconds)


def split(fields: Mapping[bytes, bytes]) -> list[bytes]:
    """The documents of one entry, as `read` gives them.

    Raises:
        BadEntry: as `read`.
    """
    return read(fields)[0]


def read(fields: Mapping[bytes, bytes]) -> tuple[list[bytes], list[bytes]]:
    """The documents of one entry, given its fields, and the `_id` of each.

    All that the functions below read is there.

    Raises:
        BadEntry: for anything that is not in the format above.
    """
    blob, announced = fields.get(F_BSON, b""), fields.get(F_MESSAGES, b"")
    if not re.fullmatch(rb"[0-9]{1,6}", announced):
        raise BadEntry("no such fields as `messages` and `bson`")
    documents: list[bytes] = []
    keys: list[bytes] = []
    at, end = 0, len(blob)
    while at < end:
        size = _read_int32(blob, at)[0] if at + 4 <= end else 0
        document = blob[at : at + size]
        if size < _SHORTEST or len(document) != size or (key := _key_in(document)) is None:
            raise BadEntry(f"no message document at byte {at} of {end}")
        documents.append(document)
        keys.append(key)
        at += size
    if len(documents) != int(announced) or len(documents) > MAX_MESSAGES_PER_ENTRY:
        raise BadEntry(f"{int(announced)} messages announced, {len(documents)} found")
    return documents, keys


def _key_in(document: bytes) -> bytes | None:
    """The `_id` of a document of the right length; None if it has not the elements above, in that order."""
    # Once for every message: one look at each element, and no call where none is needed.
    _, id_name, key, channel_name, channel_size = _read_head(document)
    message_at, last = _CHANNEL_TEXT_AT + channel_size, len(document) - 1
    payload_at = message_at + _BEFORE_PAYLOAD
    # With its NUL a name has two bytes at least: no channel has an empty one.
    if not _CHANNEL_TEXT_AT + 1 < message_at < payload_at <= last - _TAIL:
        return None
    name, size = _read_body(document, message_at)
    is_text = name == _TEXT_NAME
    # The lengths alone say what begins where: a payload, or what was said of it, may look like anything.
    end = payload_at + size + (not is_text)
    after = end + _TAIL - 1
    channel, text = document[_CHANNEL_TEXT_AT : message_at - 1], document[payload_at : end - 1]
    is_message = (
        id_name == _ID_NAME
        and channel_name == _CHANNEL_NAME
        and (is_text or name == _BINARY_NAME)
        and payload_at < end
        and document.startswith(_RECEIVED_NAME, end)
        and document[message_at - 1] == document[end - 1 if is_text else payload_at] == document[last] == 0
        and (after == last or _is_all(document, after))
        and (channel.isascii() or _is_utf8(channel))
        and (text.isascii() or not is_text or _is_utf8(text))
    )
    return key if is_message else None


def _is_all(document: bytes, at: int) -> bool:
    """Whether from here on stands only what may stand behind the time."""
    if document.startswith(_SIZE_NAME, at):
        at += _SIZE
    return at < len(document) and is_description(document[at:-1])


def _is_utf8(text: bytes) -> bool:
    # MongoDB would store a string that is none, and no driver could read the page that has it.
    try:
        text.decode()
    except UnicodeDecodeError:
        return False
    return True


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
