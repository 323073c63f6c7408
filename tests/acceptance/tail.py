"""`manage.py messages tail` beside a running stack, as a terminal has it."""

import subprocess
import sys
import threading
import time
from collections.abc import Callable
from typing import Self

from tests.acceptance.stack import ROOT, Stack


class Tail:
    """Follows a channel from when it has begun."""

    def __init__(self, stack: Stack, channel: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "manage.py", "messages", "tail", "--channel", channel, "--lines", "0"],
            cwd=ROOT,
            env={**stack.environment, "DJANGO_SETTINGS_MODULE": "relayproject.settings"},
            stdout=subprocess.PIPE,
            text=True,
        )
        self._shown: set[str] = set()
        self._thread = threading.Thread(target=self._read)
        self._thread.start()

    def wait_for(self, publish: Callable[[str], object], seconds: float = 30.0) -> None:
        """Until it follows: until it shows something that was published since it was started."""
        deadline = time.monotonic() + seconds
        while not self._shown:
            assert time.monotonic() < deadline, "it shows nothing"
            publish(f"is it there? {time.monotonic()}")
            time.sleep(0.1)

    def shows(self, text: str) -> bool:
        """Whether a line with this text was printed."""
        return text in self._shown

    def stop(self) -> int:
        """Ctrl-C; the exit code."""
        self._process.terminate()
        self._process.wait(10)
        self._thread.join(10)
        return self._process.returncode

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.stop()

    def _read(self) -> None:
        assert self._process.stdout is not None
        with self._process.stdout as lines:
            for line in lines:
                self._shown.add(line.rstrip("\n").partition("  ")[2])
