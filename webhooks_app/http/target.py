"""Where requests go, and what is the same in all of them."""

import ssl
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from relaycore.outbound.headers import check, encode
from relaycore.outbound.urls import Url

Headers = Sequence[tuple[bytes, bytes]]
Head = Headers | bytes
"""What is said of one body, beside what `Target` says of all: headers, or lines that were made of them."""

AGENT: Final = "Relay/0.2.0"
"""As whom Relay asks: with the version that `pyproject.toml` has."""


@dataclass(frozen=True, eq=False)
class Target:
    """One endpoint as the client needs it. It is compared by identity: connections hang on the object.

    url:             where it is
    timeout_seconds: for each request: name, connecting, TLS, writing and the whole answer together
    max_connections: so many requests are under way at once
    headers:         the owner's, sent with each request
    tls:             whom it trusts and who it is; None: the authorities of the system
    method:          of each request

    Raises:
        BadHeaders: the owner's headers may not be sent.
    """

    url: Url
    timeout_seconds: float = 15.0
    max_connections: int = 8
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    tls: ssl.SSLContext | None = None
    method: str = "POST"
    _beginning: bytes = field(init=False, repr=False)

    def __post_init__(self) -> None:
        check(self.headers)
        lines = [(b"host", self.url.authority.encode()), (b"user-agent", AGENT.encode()), (b"accept", b"*/*")]
        lines += [(name.encode(), value.encode()) for name, value in self.headers.items()]
        beginning = f"{self.method} {self.url.target} HTTP/1.1\r\n".encode() + encode(lines)
        object.__setattr__(self, "_beginning", beginning)

    def request(self, head: Head, body: bytes) -> bytes:
        """A request as it is sent.

        Raises:
            BadHeaders: one of the headers cannot be.
        """
        said = head if isinstance(head, bytes) else lines(head)
        end = b"content-length: %d\r\n\r\n" % len(body)
        return b"".join((self._beginning, said, end, body))


FRAMING: Final = frozenset((b"connection", b"content-length", b"host", b"transfer-encoding"))
"""What says where a request ends and whom it is for stands in `Target` alone."""


def lines(head: Headers) -> bytes:
    """What is said of a body, as it is sent.

    Raises:
        BadHeaders: one of the headers cannot be.
    """
    return encode(head, FRAMING)
