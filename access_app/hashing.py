"""Passwords are hashed aside: a few at once, in threads that give way to everything else.

A hash takes a third of a second of a core on purpose, and whoever knows the address of the login page can ask
for as many as he likes. Done where requests are answered, eight who guess took the API's median from 30 ms
to 700.
"""

import contextlib
import os
import sys
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Final

from django.contrib.auth.hashers import PBKDF2PasswordHasher

from relaycore.errors import TooManyGuesses

AT_ONCE: Final = 1
"""In one process."""

MOST: Final = 8
"""With those that wait. More are refused: each has a thread and a connection to PostgreSQL."""

_RETRY_SECONDS: Final = 3
_NICENESS: Final = 19

_places = threading.BoundedSemaphore(MOST)
_turns = threading.BoundedSemaphore(AT_ONCE)


class AsideHasher(PBKDF2PasswordHasher):
    """Django's own, and its hashes. Only where the work is done is another place."""

    def encode(self, password: str, salt: str, iterations: int | None = None) -> str:
        """The hash.

        Raises:
            TooManyGuesses: too many wait for theirs.
        """
        hashed = super().encode
        return aside(lambda: hashed(password, salt, iterations))

    def harden_runtime(self, password: str, encoded: str) -> None:
        """Take as long as for a hash of today. Where too many wait it is left out: the password was wrong."""
        with contextlib.suppress(TooManyGuesses):
            super().harden_runtime(password, encoded)


def aside(work: Callable[[], str]) -> str:
    """Do it in its turn, in a thread of its own; what it comes to.

    Raises:
        TooManyGuesses: `MOST` are at it or wait.
    """
    if not _places.acquire(blocking=False):
        raise TooManyGuesses("Many passwords are being checked. Try again in a few seconds.", _RETRY_SECONDS)
    try:
        with _turns:
            done: Future[str] = Future()
            threading.Thread(target=_run, args=(work, done), name="hash", daemon=True).start()
            return done.result()
    finally:
        _places.release()


def _run(work: Callable[[], str], done: "Future[str]") -> None:
    # Linux has a priority for each thread. Elsewhere it would be that of the whole process.
    if sys.platform == "linux":
        # A sandbox may forbid it. Then it takes turns with everything else.
        with contextlib.suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _NICENESS)
    try:
        done.set_result(work())
    except BaseException as exc:
        done.set_exception(exc)
