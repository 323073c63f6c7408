"""A progress bar on a terminal's stderr."""

import os
import stat
import sys
import time
from typing import IO, Final, Self

_CHARACTERS: Final = 30
_EVERY_SECONDS: Final = 0.1


class Progress:
    """How far a file was read. It shows nothing where stderr is no terminal.

    messages: so many were done
    """

    def __init__(self, file: IO[bytes]) -> None:
        found = os.fstat(file.fileno())
        self._size = found.st_size if stat.S_ISREG(found.st_mode) else 0
        self._is_shown = sys.stderr.isatty()
        self._bytes = 0
        self._shown_at = float("-inf")
        self.messages = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        if self._is_shown and self.messages:
            sys.stderr.write(self._line() + "\n")

    def add(self, messages: int, size: int) -> None:
        """So many more, from so many bytes."""
        self.messages += messages
        self._bytes += size + 1
        if self._is_shown and time.monotonic() - self._shown_at >= _EVERY_SECONDS:
            self._shown_at = time.monotonic()
            sys.stderr.write(self._line())
            sys.stderr.flush()

    def _line(self) -> str:
        if not self._size:
            return f"\r{self.messages:,} messages"
        done = min(1.0, self._bytes / self._size)
        bar = ("#" * round(done * _CHARACTERS)).ljust(_CHARACTERS, "-")
        return f"\r[{bar}] {done:4.0%}  {self.messages:,} messages"
