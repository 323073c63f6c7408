"""How the stack sees that a child has come as far as it should."""

import http.client
import time
from collections.abc import Callable, Mapping

from relaystack.errors import StackError
from relaystack.running.process import Pause, Process, describe_exit

Condition = Callable[[], bool]


def wait_for(
    conditions: Mapping[str, Condition], pause: Pause, say: Callable[[str], None], limit_seconds: float
) -> None:
    """Wait until each condition has been true, and say its name when it is.

    Raises:
        StackError: one cannot become true any more, or it takes too long.
    """
    waiting = dict(conditions)
    deadline = time.monotonic() + limit_seconds
    while waiting:
        for name in [name for name, condition in waiting.items() if condition()]:
            say(f"{name}.")
            del waiting[name]
        if waiting and time.monotonic() > deadline:
            raise StackError(f"Still not after {limit_seconds:.0f} s: {', '.join(waiting)}.")
        pause(0.05)


def has_succeeded(process: Process) -> Condition:
    """Whether a command that ends by itself has done so."""

    def condition() -> bool:
        if process.exit_code:
            raise StackError(why_it_ended(process))
        return process.exit_code == 0

    return condition


def serves_pages(process: Process, host: str, port: int) -> Condition:
    """Whether the login page comes: it needs the URLs, the templates and the settings."""

    def condition() -> bool:
        must_run(process)
        connection = http.client.HTTPConnection(host, port, timeout=10)
        try:
            connection.request("GET", "/admin/login/")
            return connection.getresponse().status == http.client.OK
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()

    return condition


def has_said(process: Process, text: str) -> Condition:
    """Whether the text is in its log. Asking a worker through the broker takes longer than its start."""

    def condition() -> bool:
        must_run(process)
        return text in process.output()

    return condition


def must_run(process: Process) -> None:
    """Check that it has not ended.

    Raises:
        StackError: it has.
    """
    if process.exit_code is not None:
        raise StackError(why_it_ended(process))


def why_it_ended(process: Process) -> str:
    """One sentence with the last thing that a program said."""
    lines = [line.strip() for line in process.output().splitlines() if line.strip()]
    last = f": {lines[-1][:300]}" if lines else ""
    name, log = process.command.name, process.command.log
    return f"{name} did not start ({describe_exit(process.exit_code or 0)}; see {log}){last}"
