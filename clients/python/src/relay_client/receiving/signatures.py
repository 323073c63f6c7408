"""Whether headers and body are signed, as Standard Webhooks 1.0.0 says.

Signed is `ID.TIMESTAMP.BODY`. A header has several signatures while a secret is changed, and a receiver may
have several secrets: one of the one by one of the other is enough.
"""

import base64
import hmac
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from relay_client.errors import BadWebhook
from relay_client.receiving import ed25519

_SHARED: Final = "whsec_"
_PUBLIC: Final = "whpk_"
_PUBLIC_BYTES: Final = 32
_MOST_SIGNATURES: Final = 16
"""More than one changes for another at once: a stranger's header costs so much to look at, and no more."""

_ID: Final = re.compile(r"[!-\-/-~]{1,255}")
_TIMESTAMP: Final = re.compile(r"[0-9]{1,11}")


@dataclass(frozen=True, slots=True)
class Secret:
    """What a receiver has: the shared secret, or the public key."""

    is_public: bool
    key: bytes = field(repr=False)

    def has_signed(self, signature: str, content: bytes) -> bool:
        """Whether `VERSION,BASE64` is its signature of these bytes."""
        version, _, text = signature.partition(",")
        if version != ("v1a" if self.is_public else "v1"):
            return False
        if not self.is_public:
            expected = base64.b64encode(hmac.digest(self.key, content, "sha256"))
            return hmac.compare_digest(text.encode(errors="surrogatepass"), expected)
        try:
            signed = base64.b64decode(text, validate=True)
        except ValueError:
            return False
        return ed25519.is_signed(self.key, signed, content)


def secrets_of(texts: str | Sequence[str]) -> Sequence[Secret]:
    """The secrets as text: one, or several while one is changed for another.

    Raises:
        ValueError: one of them is none; it is not in what the error says.
    """
    listed = [texts] if isinstance(texts, str) else list(texts or ())
    if not listed:
        raise ValueError("no secret to verify with")
    return [_secret(text) for text in listed]


def _secret(text: str) -> Secret:
    prefix = _PUBLIC if str(text).startswith(_PUBLIC) else _SHARED
    if not isinstance(text, str) or not text.startswith(prefix):
        raise ValueError(f"A secret begins with {_SHARED}, a public key with {_PUBLIC}")
    try:
        key = base64.b64decode(text.removeprefix(prefix), validate=True)
    except ValueError:
        raise ValueError(f"What stands behind {prefix} is not base64") from None
    if not key or (prefix == _PUBLIC and len(key) != _PUBLIC_BYTES):
        raise ValueError(f"What stands behind {prefix} has {len(key)} bytes")
    return Secret(prefix == _PUBLIC, key)


def verified(
    headers: Mapping[str, str], body: bytes, secrets: Sequence[Secret], tolerance_seconds: float, now: float
) -> tuple[str, int]:
    """The id and the time of an attempt, seconds since 1970, if they and the body are signed.

    headers: by names in lower case
    now:     seconds since 1970

    Raises:
        BadWebhook: they are not, or it was too long ago, or is to come.
    """
    id, at, signed = (_header(headers, f"webhook-{name}") for name in ("id", "timestamp", "signature"))
    if _ID.fullmatch(id) is None or _TIMESTAMP.fullmatch(at) is None:
        raise BadWebhook("webhook-id or webhook-timestamp is none.", reason="headers")
    content = b"%b.%b.%b" % (id.encode(), at.encode(), body)
    signatures = signed.split(" ")[:_MOST_SIGNATURES]
    # Each by each: how long it takes says nothing of which one it was.
    matches = [secret.has_signed(signature, content) for secret in secrets for signature in signatures]
    if not any(matches):
        raise BadWebhook(
            "None of the secrets has signed this: it is another one's, or the body is not as it came.",
            reason="signature",
        )
    if not -tolerance_seconds <= now - int(at) <= tolerance_seconds:
        when = f"{now - int(at):.0f} s ago" if int(at) <= now else f"in {int(at) - now:.0f} s"
        raise BadWebhook(
            f"It was signed {when}, by the clock here; {tolerance_seconds:g} s are allowed.", reason="age"
        )
    return id, int(at)


def _header(headers: Mapping[str, str], name: str) -> str:
    if not (found := headers.get(name, "")):
        raise BadWebhook(f"There is no header {name}.", reason="headers")
    return found
