"""A real writer that kills itself with SIGKILL at one point between reading and acknowledging.

python -m tests.integration.writing.killed_writer POINT
"""

import os
import signal
import sys
from collections.abc import Callable
from typing import Any

import django

POINTS = ("after read", "before insert", "after insert", "before acknowledge", "after acknowledge")


def die(*_: Any) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def arm(point: str) -> None:
    """Wrap the real methods."""
    from messages_app.writing.store import Store
    from messages_app.writing.stream import Stream

    moment, _, method = point.partition(" ")
    holder: Any = {"read": Stream, "insert": Store, "acknowledge": Stream}[method]
    real: Callable[..., Any] = getattr(holder, method)

    def wrapped(*args: Any, **kwargs: Any) -> Any:
        if moment == "before":
            die()
        result = real(*args, **kwargs)
        if method != "read" or result:
            die()
        return result

    setattr(holder, method, wrapped)


if __name__ == "__main__":
    django.setup()
    from messages_app.writing.writer import write

    arm(sys.argv[1])
    write(0, lambda: False)
