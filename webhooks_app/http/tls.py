"""Whom an endpoint has to be trusted by, and as whom Relay comes: contexts of TLS, made once each."""

import os
import ssl
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Final

MOST_CONTEXTS: Final = 256
"""That are kept: one takes a few hundred KiB, that of the system's authorities more."""


@lru_cache(MOST_CONTEXTS)
def context(
    authority_pem: str | None = None, certificate_pem: str | None = None, key_pem: str | None = None
) -> ssl.SSLContext:
    """TLS 1.2 or later, for a server whose certificate is of its name.

    authority_pem:   certificates of those who may have signed it; None: the system's authorities
    certificate_pem: that Relay shows, with those between it and who has signed it; None: none
    key_pem:         of that certificate, without a password

    Raises:
        ValueError: they are no certificates, or this is not the key. The text shows nothing of them.
    """
    try:
        made = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # It looks at names and certificates.
        if authority_pem is None:
            made.load_default_certs()
        else:
            made.load_verify_locations(cadata=authority_pem)
        if certificate_pem is not None:
            with _file(f"{certificate_pem}\n{key_pem or ''}") as path:
                # Without a function OpenSSL would ask for a password at the terminal.
                made.load_cert_chain(path, password=lambda: "")
    except (ssl.SSLError, OSError, ValueError) as exc:
        raise ValueError("These are no certificates in PEM, or the key is none of theirs.") from exc
    made.minimum_version = ssl.TLSVersion.TLSv1_2
    made.set_alpn_protocols(["http/1.1"])
    return made


@contextmanager
def _file(text: str) -> Iterator[str]:
    """A file of this text for OpenSSL, which reads keys from files alone; in memory, if that can be."""
    if hasattr(os, "memfd_create"):
        number = os.memfd_create("relay")
        try:
            os.write(number, text.encode())
            yield f"/proc/self/fd/{number}"
        finally:
            os.close(number)
    else:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, "key.pem")
            path.touch(mode=0o600)
            path.write_text(text)
            yield str(path)
