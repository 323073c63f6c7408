"""`python -m relaystack`: start everything, and stop it with Ctrl-C."""

import errno
import os
import sys
import time
from collections.abc import Sequence
from contextlib import suppress

from relaystack.datadir import DataDirectory
from relaystack.errors import StackError, StopRequested
from relaystack.options import Options, clean, read_options, require_settings
from relaystack.running.interrupts import Interrupts
from relaystack.stack import Stack
from relaystack.summary import summary


class Narrator:
    """Prints what happens, with the seconds since the start."""

    def __init__(self) -> None:
        self._start = time.monotonic()

    def __call__(self, text: str) -> None:
        """Print one line."""
        with suppress(OSError):  # The terminal may be gone; the processes still want to be looked after.
            print(f"{time.monotonic() - self._start:5.1f} s  {text}", flush=True)


def main(arguments: Sequence[str]) -> int:
    """Run the stack. 0 after Ctrl-C, SIGTERM or SIGHUP, 1 after one sentence about what is wrong."""
    interrupts = Interrupts()
    interrupts.install()
    try:
        only_what_is_ours()
        options = read_options(arguments, os.environ)
        require_settings()
        data = DataDirectory(options.data_dir)
        data.hold(interrupts.pause)
        try:
            keep_running(options, data, interrupts, Narrator())
        finally:
            data.release()
    except StopRequested:
        return 0
    except StackError as error:
        return fail(str(error))
    except OSError as error:
        if error.errno == errno.ENOSPC:
            return fail("The disk is full: make room and start again.")
        return fail(f"{error.filename or 'The system'}: {error.strerror}.")
    return 0


def keep_running(options: Options, data: DataDirectory, interrupts: Interrupts, say: Narrator) -> None:
    """From the first server to the last process stopped."""
    stack = Stack(options, data, interrupts, say)
    try:
        stack.start()
        say("Relay is up.")
        with suppress(OSError):
            print(summary(options, stack.user, stack.password, stack.token, stack.redis_url), flush=True)
        stack.run()
    finally:
        say("Stopping. (Ctrl-C again kills.)")
        stack.stop()
        say("Stopped.")


def only_what_is_ours() -> None:
    """Forget the rest of the environment: the drivers of this process would be led astray as its children."""
    for name in os.environ.keys() - clean(os.environ).keys():
        del os.environ[name]


def fail(sentence: str) -> int:
    """Say it."""
    print(f"relay: {sentence}", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
