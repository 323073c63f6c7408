"""Ctrl-C, SIGTERM and SIGHUP."""

import os
import select
import signal
import time
from types import FrameType

from relaystack.errors import StopRequested

SAME_KEY_SECONDS = 0.5  # Some terminals and wrappers deliver one Ctrl-C twice.


class Interrupts:
    """Remembers which signals came.

    Nothing is interrupted, loops look: a step that was broken off in the middle is hard to undo.
    But a pause ends early for each signal, also for that of a child that has ended.
    """

    def __init__(self) -> None:
        self.requested = False
        self.impatient = False
        self._first_at = 0.0
        self._woken, self._wakes = os.pipe()

    def install(self) -> None:
        """Take over the signals. One that is ignored, as under nohup, stays ignored."""
        for end in (self._woken, self._wakes):
            os.set_blocking(end, False)
        signal.set_wakeup_fd(self._wakes, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)  # Without a handler of its own it wakes nobody.
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            if number == signal.SIGHUP and signal.getsignal(number) == signal.SIG_IGN:
                continue
            signal.signal(number, self._note)

    def pause(self, seconds: float) -> None:
        """Rest, at most so long, unless the end was asked for.

        Raises:
            StopRequested: it was.
        """
        if not self.requested and select.select([self._woken], [], [], seconds)[0]:
            os.read(self._woken, 4096)
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
