"""A certificate for servers of tests, on this machine only."""

import ssl
from pathlib import Path

_CERTIFICATES = Path(__file__).with_name("certificates")

AUTHORITY = _CERTIFICATES / "authority.pem"
"""Who trusts it trusts every server of `as_localhost`."""


def as_localhost() -> ssl.SSLContext:
    """For a server at `localhost` or `127.0.0.1`."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(_CERTIFICATES / "localhost.pem")
    context.set_alpn_protocols(["postgresql"])  # libpq insists, where TLS begins at once. Others say nothing.
    return context
