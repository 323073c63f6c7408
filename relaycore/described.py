"""What a publisher says of a message beside its payload, as the last elements of its document.

================  ========  ======================================================
`attributes`      document  names and their values, which are strings; limits below
`content_type`    string    what the payload is, such as `application/json`
`produced_by`     string    who published it
================  ========  ======================================================

Each is there only where there is something to say, in this order.
"""

import struct
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Final

from relaycore.errors import BadMessage

SAID: Final[Sequence[str]] = ("attributes", "content_type", "produced_by")

MAX_ATTRIBUTES: Final = 64
MAX_ATTRIBUTES_BYTES: Final = 16 * 1024
"""Of all names and values together, as UTF-8."""

MAX_SAID_BYTES: Final = 1024
"""Of a content type, and of who published it, as UTF-8."""

_REMEMBERED_BYTES: Final = 512
"""What is longer is unlikely to come again."""

_REMEMBERED_CHARS: Final = 100

_int32 = struct.Struct("<i").pack
_read_int32 = struct.Struct("<i").unpack_from

_AROUND_TEXT: Final = 5
"""Bytes of a string beside its text: the length before it, and the NUL behind it."""

_AROUND_NAME: Final = 2
"""Bytes of an element beside its name, before its value: the type, and the NUL behind the name."""

_TEXT: Final = 0x02
_ATTRIBUTES_NAME: Final = b"\x03attributes\x00"
_CONTENT_TYPE_NAME: Final = b"\x02content_type\x00"
_PRODUCED_BY_NAME: Final = b"\x02produced_by\x00"


def describe(attributes: Mapping[str, str], content_type: str, produced_by: str) -> bytes:
    """The elements that say this; empty where there is nothing to say.

    Raises:
        BadMessage: for what no document may have: the text says what.
    """
    is_short = len(content_type) + len(produced_by) <= _REMEMBERED_CHARS
    origin = (_known_origin if is_short else _as_origin)(content_type, produced_by)
    return _ATTRIBUTES_NAME + _as_document(attributes) + origin if attributes else origin


def _as_origin(content_type: str, produced_by: str) -> bytes:
    said = b""
    if content_type:
        said = _as_text(_CONTENT_TYPE_NAME, content_type, "content_type")
    if produced_by:
        said += _as_text(_PRODUCED_BY_NAME, produced_by, "produced_by")
    return said


# Whoever publishes says the same of each message.
_known_origin = lru_cache(maxsize=512)(_as_origin)


def _as_document(attributes: Mapping[str, str]) -> bytes:
    if len(attributes) > MAX_ATTRIBUTES:
        raise BadMessage(f"A message has at most {MAX_ATTRIBUTES} attributes.")
    elements, size = [], 0
    for name, value in attributes.items():
        element = _known_name(name) if len(name) <= _REMEMBERED_CHARS else _as_name(name)
        value_bytes = _utf8(value, "attributes")
        size += len(element) - _AROUND_NAME + len(value_bytes)
        elements.append(b"%b%b%b\x00" % (element, _int32(len(value_bytes) + 1), value_bytes))
    if size > MAX_ATTRIBUTES_BYTES:
        raise BadMessage(f"The attributes of a message have at most {MAX_ATTRIBUTES_BYTES} bytes.")
    inner = b"".join(elements)
    return _int32(len(inner) + 5) + inner + b"\x00"


def _as_name(name: str) -> bytes:
    found = _utf8(name, "attributes")
    if not _is_name(found):
        raise BadMessage('The name of an attribute has no NUL, does not begin with "$", and is not empty.')
    return b"\x02%b\x00" % found


# There are few names, each of which comes again with every message.
_known_name = lru_cache(maxsize=512)(_as_name)


def _as_text(element: bytes, text: str, what: str) -> bytes:
    value = _utf8(text, what)
    if len(value) > MAX_SAID_BYTES:
        raise BadMessage(f"{what} has at most {MAX_SAID_BYTES} bytes.")
    return element + _int32(len(value) + 1) + value + b"\x00"


def _utf8(text: str, what: str) -> bytes:
    try:
        return text.encode()
    except UnicodeEncodeError:  # JSON can write half a surrogate pair.
        raise BadMessage(f"{what} has text that is not Unicode.") from None


def is_description(said: bytes) -> bool:
    """Whether these bytes are such elements, in that order, and no others."""
    # Of all that a publisher sends most is described alike: to look into it again each time would take
    # longer than everything else that is looked at in a message.
    return _is_known(said) if len(said) <= _REMEMBERED_BYTES else _is_description(said)


def _is_description(said: bytes) -> bool:
    at = 0
    try:
        if said.startswith(_ATTRIBUTES_NAME):
            at = _after_attributes(said, len(_ATTRIBUTES_NAME))
        for element in (_CONTENT_TYPE_NAME, _PRODUCED_BY_NAME):
            if said.startswith(element, at):
                begin = at + len(element)
                at = _after_text(said, begin)
                if at - begin - _AROUND_TEXT > MAX_SAID_BYTES:
                    return False
    except (ValueError, struct.error, IndexError):
        return False
    return at == len(said)


_is_known = lru_cache(maxsize=512)(_is_description)


def _after_attributes(said: bytes, at: int) -> int:
    """Where the document of attributes ends that begins here. ValueError: it is none."""
    last: int = at + _read_int32(said, at)[0] - 1
    at += 4
    names, size = set(), 0
    while at < last:
        name_end = said.index(b"\x00", at)
        name, value_at = said[at + 1 : name_end], name_end + 1
        # MongoDB would keep both values of one name, and which one a reader sees is its own affair.
        if said[at] != _TEXT or not _is_name(name) or name in names:
            raise ValueError
        name.decode()
        names.add(name)
        at = _after_text(said, value_at)
        size += len(name) + at - value_at - _AROUND_TEXT
    if at != last or said[last] or len(names) > MAX_ATTRIBUTES or size > MAX_ATTRIBUTES_BYTES:
        raise ValueError
    return last + 1


def _after_text(said: bytes, at: int) -> int:
    """Where the string ends whose length stands here. ValueError: it is none."""
    size: int = _read_int32(said, at)[0]
    end = at + 4 + size
    if size < 1 or said[end - 1]:
        raise ValueError
    said[at + 4 : end - 1].decode()
    return end


def _is_name(name: bytes) -> bool:
    # With a dollar MongoDB's drivers take some names for their own: they would read a reference.
    return bool(name) and b"\x00" not in name and not name.startswith(b"$")
