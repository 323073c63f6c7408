"""Signatures of Standard Webhooks 1.0.0: headers by which a receiver knows that it was Relay, and when.

==========================  ==================================================================
`webhook-id`                the same for each attempt: by it a receiver does a thing once
`webhook-timestamp`         of the attempt, seconds since 1970
`webhook-signature`         one for each secret, with a space between: `VERSION,BASE64`
==========================  ==================================================================

What is signed is `ID.TIMESTAMP.BODY`. While a secret is changed for another there are two, and a receiver
is content with either. Version `v1` is HMAC-SHA256 with a secret that both sides have; `v1a` (ed25519) is not
of the standard library, and stands in `webhooks_app.signing`.
"""

import hashlib
import re
from base64 import b64decode
from binascii import b2a_base64
from collections.abc import Sequence
from typing import Final, Protocol, Self

from relaycore.errors import BadSecret

SHARED_PREFIX: Final = "whsec_"
LEAST_BYTES: Final = 24
MOST_BYTES: Final = 64
"""Of a shared secret, as the specification has it."""

_BLOCK_BYTES: Final = 64
"""Of SHA-256: no secret is longer."""
_INNER: Final = bytes(byte ^ 0x36 for byte in range(256))
_OUTER: Final = bytes(byte ^ 0x5C for byte in range(256))

_ID: Final = re.compile(r"[A-Za-z0-9_-]+")
_NAMES: Final = (b"webhook-id", b"webhook-timestamp", b"webhook-signature")
_LINES: Final = b"".join(b"%b: %%b\r\n" % name for name in _NAMES)


class Secret(Protocol):
    """With which one signature is made."""

    def sign(self, content: bytes) -> bytes:
        """Of these bytes, as `VERSION,BASE64`."""


class SharedSecret:
    """HMAC-SHA256. The receiver has the same."""

    __slots__ = ("_inner", "_outer")

    def __init__(self, key: bytes) -> None:
        """Raises BadSecret if it has not 24 to 64 bytes."""
        if not LEAST_BYTES <= len(key) <= MOST_BYTES:
            raise BadSecret(f"A secret has {LEAST_BYTES} to {MOST_BYTES} bytes; this one has {len(key)}.")
        block = key.ljust(_BLOCK_BYTES, b"\0")
        self._inner = hashlib.sha256(block.translate(_INNER))
        self._outer = hashlib.sha256(block.translate(_OUTER))

    @classmethod
    def read(cls, text: str) -> Self:
        """From `whsec_` and base64.

        Raises:
            BadSecret: it is none; the secret is not in what the error says.
        """
        return cls(decoded(text, SHARED_PREFIX))

    def sign(self, content: bytes) -> bytes:
        """Of these bytes, as `v1,BASE64`."""
        # HMAC as RFC 2104 has it, from where the key has been hashed already: `hmac` takes twice as long, and
        # this is done for each attempt.
        inner, outer = self._inner.copy(), self._outer.copy()
        inner.update(content)
        outer.update(inner.digest())
        return b"v1," + b2a_base64(outer.digest(), newline=False)


class Signer:
    """The secrets of one endpoint, the newest one first. It is made once; several threads may use it."""

    __slots__ = ("_secrets",)

    def __init__(self, secrets: Sequence[Secret]) -> None:
        if not secrets:
            raise ValueError("nothing to sign with")
        self._secrets = tuple(secrets)

    def headers(self, id: str, timestamp: int, body: bytes) -> list[tuple[bytes, bytes]]:
        """The three headers of an attempt.

        id:        without a dot, or what is signed could be read in two ways
        timestamp: of this attempt, seconds since 1970
        """
        return list(zip(_NAMES, self._values(id, timestamp, body), strict=True))

    def lines(self, id: str, timestamp: int, body: bytes) -> bytes:
        """The same as they are sent, each with its line break."""
        return _LINES % self._values(id, timestamp, body)

    def _values(self, id: str, timestamp: int, body: bytes) -> tuple[bytes, bytes, bytes]:
        if _ID.fullmatch(id) is None:
            raise ValueError(f"no id of a webhook: {id!r}")
        id_bytes, at = id.encode(), b"%d" % timestamp
        content = b"%b.%b.%b" % (id_bytes, at, body)
        secrets = self._secrets
        if len(secrets) == 1:  # As nearly always.
            return id_bytes, at, secrets[0].sign(content)
        return id_bytes, at, b" ".join([secret.sign(content) for secret in secrets])


def decoded(text: str, prefix: str) -> bytes:
    """The bytes of a secret as text.

    Raises:
        BadSecret: it does not begin so, or is not base64; the secret is not in what the error says.
    """
    if not text.startswith(prefix):
        raise BadSecret(f"A secret of this kind begins with {prefix}")
    try:
        return b64decode(text.removeprefix(prefix), validate=True)
    except ValueError:
        raise BadSecret(f"What stands behind {prefix} is not base64.") from None
