"""The whole of the tests, in two halves at the same time: `make test`.

Most of it waits for servers, so two cores have room for both. Each half has servers of its own.
"""

import contextlib
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parent.parent
FIRST: Final = ("tests/unit", "tests/simulation", "tests/acceptance")
SECOND: Final = ("tests/integration", "-o", "cache_dir=.pytest_cache/integration")


def main() -> int:
    """Show the first half while both run, then the second; the worse of their results."""
    with tempfile.TemporaryFile() as shown:
        halves = [_start(FIRST, None), _start(SECOND, shown.fileno())]
        try:
            results = [half.wait() for half in halves]
        except KeyboardInterrupt:  # They are told as well.
            with contextlib.suppress(KeyboardInterrupt):
                results = [half.wait() for half in halves]
            results = [2]
        shown.seek(0)
        sys.stdout.flush()
        sys.stdout.buffer.write(shown.read())
    return max(results, key=abs)


def _start(what: tuple[str, ...], stdout: int | None) -> "subprocess.Popen[bytes]":
    return subprocess.Popen([sys.executable, "-m", "pytest", *what], cwd=ROOT, stdout=stdout)


if __name__ == "__main__":
    sys.exit(main())
