"""Ctrl-C, SIGTERM and SIGHUP."""

import signal
import time
from types import FrameType

from relayproject.stack.errors import StopRequested

SAME_KEY_SECONDS = 0.5  # Some terminals and wrappers deliver one Ctrl-C twice.


class Interrupts:
    """Remembers which signals came.

    Nothing is interrupted, loops look: a step that was broken off in the middle is hard to undo.
    """

    def __init__(self) -> None:
        self.requested = False
        self.impatient = False
        self._first_at = 0.0

    def install(self) -> None:
        """Take over the signals. One that is ignored, as under nohup, stays ignored."""
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            if number == signal.SIGHUP and signal.getsignal(number) == signal.SIG_IGN:
                continue
            signal.signal(number, self._note)

    def pause(self, seconds: float) -> None:
        """Rest, unless the end was asked for.

        Raises:
            StopRequested: it was.
        """
        if not self.requested:
            time.sleep(seconds)
        if self.requested:
            raise StopRequested

    def pause_while_stopping(self, seconds: float) -> None:
        """Rest, unless Ctrl-C came a second time.

        Raises:
            StopRequested: it did.
        """
        time.sleep(seconds)
        if self.impatient:
            raise StopRequested

    def _note(self, number: int, frame: FrameType | None) -> None:
        now = time.monotonic()
        if not self.requested:
            self.requested, self._first_at = True, now
        elif number == signal.SIGINT and now - self._first_at > SAME_KEY_SECONDS:
            self.impatient = True
