"""The whole of the tests, several at the same time: `make test`.

Much of it waits, for servers and for time to pass, so two cores have room for four. Each worker of
pytest-xdist has servers of its own, and takes one file after another, the longest first (`tests.spreading`).

A few tests that fail then are tried once more, with nothing beside them: is it the code, or a limit of time
that is too near? What passes only then is named at the end as a fault to be found. Many that fail are never
tried again.
"""

import json
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parent.parent
WORKERS: Final = 4
"""For two cores: a test of real processes takes a third of one."""

MOST_TRIED_AGAIN: Final = 6
"""Of some thirteen thousand; whoever has broken something mostly breaks more."""

_TESTS_FAILED: Final = 1
"""What pytest ends with then; anything else is no matter of single tests."""


def main() -> int:
    """What pytest ends with, the second time if there is one."""
    _last_failed().unlink(missing_ok=True)
    options = ["-p", "xdist", "-n", str(WORKERS), "--dist", "loadfile", "-o", f"cache_dir={_cache()}"]
    result = _pytest(*options)
    if result != _TESTS_FAILED:
        return result
    failed = list(json.loads(_last_failed().read_text()))
    return _try_again(failed) if may_be_tried_again(failed) else result


def may_be_tried_again(failed: Iterable[str]) -> bool:
    """Whether these are few enough to be a matter of time, and tests: a file that cannot be read is not."""
    failed = list(failed)
    return 0 < len(failed) <= MOST_TRIED_AGAIN and all("::" in test for test in failed)


def _try_again(failed: list[str]) -> int:
    print(f"\nOnce more, with nothing beside: {' '.join(failed)}", flush=True)
    result = _pytest(*failed)
    if not result:
        print(
            f"Passed only with nothing beside, which is a fault to be found: {' '.join(failed)}", flush=True
        )
    return result


def _pytest(*arguments: str) -> int:
    process = subprocess.Popen([sys.executable, "-m", "pytest", *arguments], cwd=ROOT)
    while True:
        try:
            return process.wait()
        except KeyboardInterrupt:  # It is told as well, and stops its servers.
            continue


def _cache() -> Path:
    return ROOT / ".pytest_cache" / "side-by-side"


def _last_failed() -> Path:
    """Where pytest itself writes down what has failed, for its `--last-failed`."""
    return _cache() / "v" / "cache" / "lastfailed"


if __name__ == "__main__":
    sys.exit(main())
