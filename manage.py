#!/usr/bin/env python
"""Django's command line."""

import os
import signal
import sys

from django.core.management import execute_from_command_line


def main() -> None:
    """Run the command. Whoever reads what it writes may go when they have seen enough, as `head` does."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "relayproject.settings")
    try:
        execute_from_command_line(sys.argv)
        sys.stdout.flush()
    except BrokenPipeError:
        # What is still to be written at the end of the process would complain once more.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(128 + signal.SIGPIPE)  # As the shell calls one whom the signal has ended.


if __name__ == "__main__":
    main()
