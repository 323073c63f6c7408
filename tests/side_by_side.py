"""The whole of the tests, in two halves at the same time: `make test`.

Most of it waits for servers, so two cores have room for both. Each half has servers of its own.

A few tests that fail then are tried once more, with nothing beside them: is it the code, or a limit of time
that is too near? What passes only then is named at the end as a fault to be found. Many that fail are never
tried again.
"""

import contextlib
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import IO, Final

ROOT: Final = Path(__file__).parent.parent
MOVED: Final = tuple(
    f"tests/integration/{folder}" for folder in ("log_queue", "publishing", "pulling", "subscriptions")
)
"""So much of the second half goes with the first, that both take about as long."""

HALVES: Final = (
    ("tests/unit", "tests/simulation", "tests/acceptance", "clients/python/tests", *MOVED),
    ("tests/integration", *(f"--ignore={folder}" for folder in MOVED)),
)
MOST_TRIED_AGAIN: Final = 3

_TESTS_FAILED: Final = 1
"""What pytest ends with then; anything else is no matter of single tests."""


def main() -> int:
    """Show the first half while both run, then the second; the worse of their results."""
    with tempfile.TemporaryFile() as shown:
        halves = [_start(0, None), _start(1, shown)]
        try:
            results = [half.wait() for half in halves]
        except KeyboardInterrupt:  # They are told as well.
            with contextlib.suppress(KeyboardInterrupt):
                results = [half.wait() for half in halves]
            return 2
        shown.seek(0)
        sys.stdout.flush()
        sys.stdout.buffer.write(shown.read())
        sys.stdout.flush()
    worst = max(results, key=abs)
    if {abs(result) for result in results} - {0, _TESTS_FAILED}:
        return worst
    failed = [test for half in range(len(HALVES)) if results[half] for test in _failed(half)]
    return _try_again(failed) if may_be_tried_again(failed) else worst


def may_be_tried_again(failed: Iterable[str]) -> bool:
    """Whether these are few enough to be a matter of time."""
    return 0 < len(list(failed)) <= MOST_TRIED_AGAIN


def _try_again(failed: list[str]) -> int:
    print(f"\nOnce more, with nothing beside: {' '.join(failed)}", flush=True)
    result = subprocess.run([sys.executable, "-m", "pytest", *failed], cwd=ROOT, check=False).returncode
    if not result:
        print(
            f"Passed only with nothing beside, which is a fault to be found: {' '.join(failed)}", flush=True
        )
    return result


def _cache(half: int) -> Path:
    return ROOT / ".pytest_cache" / f"half-{half}"


def _start(half: int, stdout: IO[bytes] | None) -> "subprocess.Popen[bytes]":
    _last_failed(half).unlink(missing_ok=True)
    command = [sys.executable, "-m", "pytest", *HALVES[half], "-o", f"cache_dir={_cache(half)}"]
    return subprocess.Popen(command, cwd=ROOT, stdout=stdout)


def _last_failed(half: int) -> Path:
    """Where pytest itself writes down what has failed, for its `--last-failed`."""
    return _cache(half) / "v" / "cache" / "lastfailed"


def _failed(half: int) -> list[str]:
    return list(json.loads(_last_failed(half).read_text()))


if __name__ == "__main__":
    sys.exit(main())
