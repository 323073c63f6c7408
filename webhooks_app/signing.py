"""The secrets of an endpoint as text, new ones, and signatures by ed25519 (Standard Webhooks 1.0.0).

============  ======================================================================================
`whsec_…`     a shared secret of 24 to 64 bytes: version `v1`, HMAC-SHA256
`whsk_…`      a private key: version `v1a`, ed25519 (RFC 8032). It never leaves Relay
`whpk_…`      the public key to it, of 32 bytes: with it a receiver can check, and nobody can sign
============  ======================================================================================

Behind each prefix stands base64. A private key is written as its seed of 32 bytes; read is also the seed with
the public key behind it, which some libraries take for the private key.
"""

import base64
import secrets
from binascii import b2a_base64
from typing import Final, Self

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from relaycore.errors import BadSecret
from relaycore.sending.signing import SHARED_PREFIX, Secret, SharedSecret, decoded

PRIVATE_PREFIX: Final = "whsk_"
PUBLIC_PREFIX: Final = "whpk_"

_SHARED_BYTES: Final = 32
_SEED_BYTES: Final = 32
_PAIR_BYTES: Final = 64


class PrivateKey:
    """Ed25519. The receiver has the public key to it."""

    __slots__ = ("_key", "public")

    def __init__(self, key: bytes) -> None:
        """`key`: the seed, or the seed and the public key to it. Raises BadSecret for anything else."""
        if len(key) not in {_SEED_BYTES, _PAIR_BYTES}:
            raise BadSecret(
                f"A private key has {_SEED_BYTES} or {_PAIR_BYTES} bytes; this one has {len(key)}."
            )
        self._key = Ed25519PrivateKey.from_private_bytes(key[:_SEED_BYTES])
        self.public = self._key.public_key().public_bytes_raw()
        if len(key) == _PAIR_BYTES and key[_SEED_BYTES:] != self.public:
            raise BadSecret("The second half of a private key is its public one; here it is another one's.")

    @classmethod
    def read(cls, text: str) -> Self:
        """From `whsk_` and base64.

        Raises:
            BadSecret: it is none; the key is not in what the error says.
        """
        return cls(decoded(text, PRIVATE_PREFIX))

    def sign(self, content: bytes) -> bytes:
        """Of these bytes, as `v1a,BASE64`."""
        return b"v1a," + b2a_base64(self._key.sign(content), newline=False)


def read(text: str) -> Secret:
    """What signs, from the secret as text.

    Raises:
        BadSecret: it is none of both kinds; the secret is not in what the error says.
    """
    if text.startswith(PRIVATE_PREFIX):
        return PrivateKey.read(text)
    if text.startswith(SHARED_PREFIX):
        return SharedSecret.read(text)
    raise BadSecret(f"A secret begins with {SHARED_PREFIX} (shared) or {PRIVATE_PREFIX} (a private key).")


def new_shared() -> str:
    """A shared secret that nobody has had before."""
    return SHARED_PREFIX + base64.b64encode(secrets.token_bytes(_SHARED_BYTES)).decode()


def new_private() -> str:
    """A private key that nobody has had before."""
    return PRIVATE_PREFIX + base64.b64encode(secrets.token_bytes(_SEED_BYTES)).decode()


def public_of(text: str) -> str:
    """The public key to a private one, both as text.

    Raises:
        BadSecret: it is none; the key is not in what the error says.
    """
    return PUBLIC_PREFIX + base64.b64encode(PrivateKey.read(text).public).decode()
