"""From a thread into an event loop: what Django's views call of what is async."""

import asyncio
import functools
import threading
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


def run(work: Coroutine[Any, Any, T]) -> T:
    """Have it done in the event loop that this process has for its threads; what comes of it."""
    return asyncio.run_coroutine_threadsafe(work, _loop()).result()


def call(function: Callable[[], object]) -> None:
    """Have it called there, some time from now."""
    _loop().call_soon_threadsafe(function)


@functools.lru_cache(maxsize=1)
def _loop() -> asyncio.AbstractEventLoop:
    loop = asyncio.new_event_loop()
    threading.Thread(target=loop.run_forever, name="relay-bridge", daemon=True).start()
    return loop
