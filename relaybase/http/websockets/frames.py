"""Frames of text as a server sends them: without a mask, whole."""

from collections.abc import Iterator
from typing import Final

FRAMES: Final = "relay.frames"
"""What an application finds in its scope, and sends, if its server takes finished frames."""

_SHORT: Final = 125
"""Bytes of a text whose number stands in one byte. One more says that it stands in two, two more in eight."""


def text_frame(text: bytes) -> bytes:
    """A message as it is sent. The text is UTF-8."""
    size = len(text)
    if size <= _SHORT:
        return b"\x81%c%b" % (size, text)
    if size < 1 << 16:
        return b"\x81\x7e%b%b" % (size.to_bytes(2, "big"), text)
    return b"\x81\x7f%b%b" % (size.to_bytes(8, "big"), text)


def texts(frames: bytes) -> Iterator[str]:
    """What stands in the frames."""
    at = 0
    while at < len(frames):
        size, at = frames[at + 1], at + 2
        if size > _SHORT:
            wide = 2 if size == _SHORT + 1 else 8
            size, at = int.from_bytes(frames[at : at + wide], "big"), at + wide
        yield frames[at : at + size].decode()
        at += size
