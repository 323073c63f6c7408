"""A web process that is there again at once when it was killed: a program, which no test imports.

The application is loaded once. Each web process is a fork of that, and takes connections from the one socket.
So what comes while none is there waits for the next one.
"""

import os
import socket
import sys

import uvicorn

from relayproject.asgi import application


def main() -> None:
    """Until stdin is closed; prints the port, then the pid of each web process."""
    listening = socket.create_server(("127.0.0.1", 0), backlog=512)
    print(listening.getsockname()[1], flush=True)
    while True:
        if (pid := os.fork()) == 0:
            config = uvicorn.Config(
                application,
                # As `relayproject.processes` starts it.
                http="relaybase.http.connections:Connection",
                proxy_headers=False,
                log_level="warning",
                access_log=False,
            )
            uvicorn.Server(config).run(sockets=[listening])
            os._exit(0)
        print(pid, flush=True)
        os.waitpid(pid, 0)
        if not sys.stdin.readline():
            return


if __name__ == "__main__":
    main()
