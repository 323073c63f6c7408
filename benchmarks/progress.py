"""What is going on, for whoever waits: a full run takes more than an hour."""

import sys
import time

_began = time.monotonic()


def say(text: str) -> None:
    """One line, with the seconds since the start."""
    print(f"{time.monotonic() - _began:6.0f} s  {text}", file=sys.stderr, flush=True)
