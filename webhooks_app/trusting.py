"""TLS of one endpoint: whom it has to be signed by, and as whom Relay comes. For both there is a default.

A certificate is shown to whoever may see the endpoint. The key to it stands encrypted; nobody is shown it.
"""

import ssl
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

from cryptography import x509

from relaybase.postgres.encrypting import decrypt, encrypt
from relaycore.errors import BadEndpoint
from relaycore.outbound import urls
from webhooks_app.http import tls
from webhooks_app.models import Endpoint

PARTS: Final = ("ca", "certificate", "key")
MOST_CHARS: Final = 64 << 10
"""Of each part."""


def set_to(row: Endpoint, given: Mapping[str, str] | None) -> None:
    """Set it; None or nothing: the defaults. The same certificate without a key keeps the key that it has.

    Raises:
        BadEndpoint: it cannot be meant. Nothing of what was given is in the text.
        NoEncryptionKey, CannotDecrypt: the key cannot be kept, or that of before not be read.
    """
    authority, certificate, key = (normal((given or {}).get(name, "")) for name in PARTS)
    if certificate and not key and certificate == row.tls_certificate:
        key = _key(row)
    _require(authority, certificate, key)
    row.tls_ca, row.tls_certificate = authority, certificate
    row.tls_key = encrypt(key.encode()) if key else b""


def normal(text: str) -> str:
    """As it is kept: browsers end lines in another way."""
    return text.replace("\r\n", "\n").strip()


def require_https(row: Endpoint) -> None:
    """Nothing, if there is TLS where something of it is set.

    Raises:
        BadEndpoint: there is none.
    """
    if (row.tls_ca or row.tls_certificate) and urls.read(row.url).scheme != "https":
        raise BadEndpoint('tls: Only where the URL begins with https. Give "tls" as null, or such a URL.')


def context_of(row: Endpoint) -> ssl.SSLContext | None:
    """What the client goes by; None: the defaults.

    Raises:
        NoEncryptionKey, CannotDecrypt: the key cannot be read.
        ValueError: what is kept is nothing to go by.
    """
    if not row.tls_ca and not row.tls_certificate:
        return None
    return tls.context(row.tls_ca or None, row.tls_certificate or None, _key(row) or None)


def shown(row: Endpoint) -> dict[str, Any] | None:
    """As the API shows it, without the key; None: the defaults."""
    if not row.tls_ca and not row.tls_certificate:
        return None
    return {
        "ca": row.tls_ca or None,
        "certificate": row.tls_certificate or None,
        "expires_at": expires_at(row),
    }


def expires_at(row: Endpoint) -> datetime | None:
    """When the certificate runs out as which Relay comes; None: there is none."""
    return _expires_at(row.tls_certificate) if row.tls_certificate else None


def _key(row: Endpoint) -> str:
    return decrypt(row.tls_key).decode() if row.tls_key else ""


def _expires_at(certificate: str) -> datetime:
    return x509.load_pem_x509_certificates(certificate.encode())[0].not_valid_after_utc


def _require(authority: str, certificate: str, key: str) -> None:
    if bool(certificate) is not bool(key):
        raise BadEndpoint('tls: "certificate" and "key" belong together: give both, or neither.')
    if "PRIVATE KEY" in authority + certificate:
        raise BadEndpoint('tls: A private key belongs into "key" alone: the other parts are shown.')
    try:
        if authority or certificate:
            tls.context(authority or None, certificate or None, key or None)
        is_over = bool(certificate) and _expires_at(certificate) <= datetime.now(UTC)
    except ValueError as exc:
        raise BadEndpoint(f"tls: {exc} A key has no password.") from exc
    if is_over:
        raise BadEndpoint("tls: The certificate has run out. Give one that holds.")
