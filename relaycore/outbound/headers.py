"""What stands in a request before its body: as bytes, and what the owner of an endpoint may choose of it.

A header with a line break in it would be two, and one that says again how long a request is would have two
programs see two requests. So names are tokens (RFC 9110, 5.6.2), values are visible ASCII with spaces and
tabs between, and what decides how a request is read, who is asked, or what Relay vouches for is set by Relay
alone.
"""

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Final

from relaycore.errors import BadHeaders

MOST_HEADERS: Final = 32
MOST_BYTES: Final = 8 * 1024
"""Of all names and values that an owner has chosen: many servers take no head of more than 8 KiB."""

RESERVED: Final = frozenset(
    (
        # How the request is read, and what becomes of the connection.
        *("connection", "content-length", "expect", "http2-settings", "keep-alive", "te", "trailer"),
        *("transfer-encoding", "upgrade"),
        # Who is asked, by whom.
        *("host", "date", "forwarded", "max-forwards", "origin", "referer", "user-agent", "via"),
        # What the body is. The format of the subscription says that.
        *("content-encoding", "content-type"),
        # What is answered: nothing here unpacks it.
        *("accept-encoding", "range"),
    )
)
RESERVED_BEGINNINGS: Final = (
    *("webhook-", "relay-", "ce-", "x-amz-sns-"),  # What Relay says of a message, and signs.
    *("proxy-", "sec-", "x-forwarded-", "x-http-method"),
)

_TOKEN: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,128}")
_TOKEN_BYTES: Final = re.compile(_TOKEN.pattern.encode())
_IN_VALUES: Final = b"\t" + bytes(range(0x20, 0x7F))


def _same(name: str) -> str:
    return name.lower().replace("_", "-")


def is_reserved(name: str) -> bool:
    """Whether Relay alone sets it. Gateways make one of `-` and `_`, so here they are one."""
    name = _same(name)
    return name in RESERVED or name.startswith(RESERVED_BEGINNINGS)


def check(headers: Mapping[str, str]) -> None:
    """Look whether these may be sent with every webhook of an endpoint.

    Raises:
        BadHeaders: one of them may not. The text names it, and shows no value: those are secrets.
    """
    seen: set[str] = set()
    for name, value in headers.items():
        if not _TOKEN.fullmatch(name):
            raise BadHeaders(
                f"{name[:128]!r} is no name of a header: letters, digits and hyphens, 128 at most."
            )
        if is_reserved(name):
            raise BadHeaders(f"{name} is set by Relay itself.")
        if _same(name) in seen:
            raise BadHeaders(f"{name} is there twice.")
        if not value.isascii() or value.encode().translate(None, _IN_VALUES) or value != value.strip():
            raise BadHeaders(
                f"The value of {name} is visible ASCII, with spaces and tabs between, and no line breaks."
            )
        seen.add(_same(name))
    size = sum(len(name) + len(value) for name, value in headers.items())
    if len(headers) > MOST_HEADERS or size > MOST_BYTES:
        raise BadHeaders(f"An endpoint has at most {MOST_HEADERS} headers, of {MOST_BYTES} bytes together.")


def encode(headers: Sequence[tuple[bytes, bytes]], but: frozenset[bytes] = frozenset()) -> bytes:
    """Header lines as they are sent, each with its line break. `but`: names in small letters that none has.

    Raises:
        BadHeaders: one of them would be more than one line, or is none.
    """
    if not headers:
        return b""
    # Called for each request. The names are mostly those of the one before; values are looked at together.
    names, values = zip(*headers, strict=True)
    if b"".join(values).translate(None, _IN_VALUES):
        raise BadHeaders("A header has a value with a line break, or with other than visible ASCII.")
    return _lines(names, but) % values


@lru_cache(1024)
def _lines(names: tuple[bytes, ...], but: frozenset[bytes]) -> bytes:
    """Header lines in which the values are missing."""
    if not all(map(_TOKEN_BYTES.fullmatch, names)) or not but.isdisjoint(map(bytes.lower, names)):
        raise BadHeaders("A header has a name that is none, or not this one's.")
    return b"".join(name.replace(b"%", b"%%") + b": %b\r\n" for name in names)
