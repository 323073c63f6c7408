"""Ports on which the servers listen.

Never the usual ones (5432, 6379, 27017), where another server may be meant. A port is kept from start to
start, so that an address noted yesterday is right today.

    python3 -I ports.py

says whether the web server's port is taken, before anything is installed: so this runs on a bare Python and
imports nothing of this project.
"""

import errno
import os
import socket
import sys
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


def taken(port: int) -> str:
    """The sentence for an operator."""
    return f"Port {port} is taken: free it (Ctrl-C ends another make run) or set RELAY_WEB_PORT."


def main(environ: Mapping[str, str]) -> int:
    """1, and a sentence, if the web server's port is taken. Whatever else is wrong, the start will say."""
    host, port = environ.get("RELAY_WEB_HOST") or "127.0.0.1", environ.get("RELAY_WEB_PORT") or "8000"
    try:
        if is_free(int(port), host):
            return 0
    except (OSError, OverflowError, ValueError):
        return 0
    print(f"relay: {taken(int(port))}", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main(os.environ))
