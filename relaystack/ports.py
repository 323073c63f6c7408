"""Ports on which the servers listen.

Never the usual ones (5432, 6379, 27017), where another server may be meant. A port is kept from start to
start, so that an address noted yesterday is right today.
"""

import errno
import socket
from collections.abc import Mapping

PREFERRED: Mapping[str, int] = {"postgres": 25432, "redis": 26379, "mongo": 27117}


def is_free(port: int, host: str = "127.0.0.1") -> bool:
    """Whether it can be listened on now. Another process may be faster afterwards.

    Raises:
        OSError: the address does not exist here, or this user may not listen there.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # closed connections do not count
        try:
            probe.bind((host, port))
            probe.listen(1)
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                return False
            raise
    return True


def free_port(host: str = "127.0.0.1") -> int:
    """A port that nobody listens on now."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.bind((host, 0))
        port: int = probe.getsockname()[1]
        return port
