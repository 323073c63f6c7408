"""What it means that a connection could not be made, or has ended."""

import errno
import socket
import ssl
from collections.abc import Callable, Sequence
from typing import Any, Final

from relaycore.sending.answers import Failure

_OURS: Final = frozenset((errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM, errno.EADDRNOTAVAIL))
"""No sockets, no memory, no ports."""

_UNREACHABLE: Final = frozenset(
    (
        *(errno.ENETUNREACH, errno.EHOSTUNREACH, errno.ENETDOWN, errno.EHOSTDOWN, errno.EAFNOSUPPORT),
        *(errno.EINVAL, errno.EPERM, errno.EACCES),  # Half an IPv6; a firewall of our own.
    )
)


class Failed(Exception):
    """A connection could not be made."""

    def __init__(self, failure: Failure, detail: str) -> None:
        super().__init__(detail)
        self.failure = failure
        self.detail = detail


def of_name(exc: OSError) -> Failed:
    """The name cannot be resolved."""
    if exc.errno in _OURS and not isinstance(exc, socket.gaierror):
        return Failed(Failure.OURS, "No name can be looked up here: no memory or threads are left.")
    if isinstance(exc, socket.gaierror):
        return Failed(Failure.NAME, f"The name cannot be resolved: {exc.strerror}.")
    return Failed(Failure.NAME, "The name cannot be resolved.")


def of_connecting(exc: Exception, address: str, is_tls: bool) -> Failed:
    """No connection to this address, or no TLS on it."""
    for kind, failed in _CONNECTING:
        if isinstance(exc, kind):
            return failed(exc)
    number = exc.errno if isinstance(exc, OSError) else None
    # So it is said, too, that this machine has no IPv6.
    if number in _UNREACHABLE or (number == errno.EADDRNOTAVAIL and ":" in address):
        return Failed(Failure.UNREACHABLE, "No way leads there.")
    if number in _OURS:
        return Failed(Failure.OURS, "No connection can be opened here: no sockets, memory or ports are left.")
    if is_tls:
        return Failed(Failure.TLS, "The connection ended before TLS had begun.")
    return Failed(Failure.RESET, "The connection ended before it was made.")


def of_end(exc: BaseException | None) -> Failed:
    """A connection ended before the head of an answer had come."""
    if isinstance(exc, ssl.SSLError):
        # So it is told that a client certificate is missing, or none that it trusts.
        return Failed(Failure.TLS, f"TLS was ended: {said_by(exc)}.")
    if exc is None:
        return Failed(Failure.RESET, "The connection was closed before an answer came.")
    return Failed(Failure.RESET, "The connection was broken off before an answer came.")


def said_by(exc: ssl.SSLError) -> str:
    """OpenSSL's reason, in small letters."""
    return (exc.reason or "no reason is given").replace("_", " ").lower()


_CONNECTING: Final[Sequence[tuple[type[Exception], Callable[[Any], Failed]]]] = (
    (
        ssl.SSLCertVerificationError,
        lambda exc: Failed(Failure.CERTIFICATE, f"The certificate is not trusted: {exc.verify_message}."),
    ),
    (ssl.SSLError, lambda exc: Failed(Failure.TLS, f"TLS could not begin: {said_by(exc)}.")),
    (TimeoutError, lambda _: Failed(Failure.CONNECT_TIMEOUT, "Nobody answered in time.")),
    (ConnectionRefusedError, lambda _: Failed(Failure.REFUSED, "The connection was refused.")),
)
"""What speaks for itself, the narrower class first."""
