"""A processor that is there again when it was killed: a program, which no test imports.

    python -m tests.integration.processing.forked_processor RULE

Prints the pid of each processor, which stands by as long as another one has the lease. When one has ended it
waits for a line, or ends itself with stdin. Rules of `relaycore.alerting` that it may break:

careful:  breaks none
unfenced: appends and keeps whoever has begun meanwhile (rule 5)
idle:     takes nothing: it is killed before it has come anywhere
"""

import os
import signal
import sys
import time
from collections.abc import Callable
from typing import Any

import django

django.setup()

from alerts_app.processing import keeper, processor  # noqa: E402 -- Django is set up
from alerts_app.processing.course import Course  # noqa: E402
from alerts_app.processing.fence import Fence  # noqa: E402
from leases_app.heartbeat import Heartbeat  # noqa: E402
from relaybase import stopping  # noqa: E402
from relaybase.redis import appending, fencing  # noqa: E402
from relaycore.errors import RelayError  # noqa: E402


def careful() -> None:
    """Nothing."""


def unfenced() -> None:
    module: Any = fencing

    def append(partition: int, messages: int, fields: Any, *, layout: str, known: int = 0, **_: Any) -> Any:
        return appending.command(partition, messages, fields, layout=layout, known=known)

    module.append_command = append
    heartbeat: Any = Heartbeat
    heartbeat.lost = property(lambda self: False, lambda self, value: None)
    fence: Any = Fence
    fence.put_up = lambda self, partition: None
    keeping: Any = keeper
    keeping.write = lambda fence, kept: None  # It would be told that it is not to keep anything.


def idle() -> None:
    course: Any = Course
    course.advance = lambda self: False


RULES: dict[str, Callable[[], None]] = {"careful": careful, "unfenced": unfenced, "idle": idle}


def main() -> None:
    """Until stdin is closed."""
    while True:
        if (pid := os.fork()) == 0:
            stopping.listen_to_signals(signal.SIGTERM)
            while not stopping.asked():
                try:
                    processor.process(int(os.environ["SHARD"]), stopping.asked)
                except RelayError as exc:  # Beat would propose it again.
                    print(f"ended: {exc}", file=sys.stderr, flush=True)
                time.sleep(0.05)
            os._exit(0)
        print(pid, flush=True)
        os.waitpid(pid, 0)
        if not sys.stdin.readline():
            return


if __name__ == "__main__":
    RULES[sys.argv[1]]()
    main()
