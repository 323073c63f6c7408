"""An endless loop in a thread of the test."""

import threading
import time
from collections.abc import Callable

from django.db import connection


class Loop:
    """Runs `loop(stopping)`. What it raised is raised again by `stop`."""

    def __init__(self, loop: Callable[[Callable[[], bool]], object]) -> None:
        self._asked = threading.Event()
        self._raised: list[BaseException] = []
        self._thread = threading.Thread(target=self._run, args=[loop], name="loop under test")
        self._thread.start()

    @property
    def is_alive(self) -> bool:
        return self._thread.is_alive()

    def ask_to_stop(self) -> None:
        self._asked.set()

    def stop(self) -> float:
        """Stop it; the seconds that took."""
        began = time.monotonic()
        self.ask_to_stop()
        self._thread.join(30)
        assert not self._thread.is_alive(), "the loop does not stop"
        if self._raised:
            raise self._raised.pop()
        return time.monotonic() - began

    def _run(self, loop: Callable[[Callable[[], bool]], object]) -> None:
        try:
            assert loop(self._asked.is_set) is not False, "somebody else holds the lease"
        except BaseException as exc:
            self._raised.append(exc)
        finally:
            connection.close()
