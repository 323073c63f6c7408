"""The consumers that are asked for in one event loop."""

import asyncio
import time
from typing import Final

from compat_app.log_queue.reader import Reader
from compat_app.log_queue.remembering import Known
from relaybase.connections import one_per_loop

LINGER_SECONDS: Final = 30.0
"""So long what was read ahead is kept while nobody asks."""

_SWEEP_SECONDS: Final = 5.0


class Readers:
    """Of one event loop."""

    def __init__(self) -> None:
        self._readers: dict[Known, Reader] = {}
        self._task: asyncio.Task[None] | None = None

    def of(self, known: Known) -> Reader:
        """The reader of this consumer."""
        reader = self._readers.get(known)
        if reader is None:
            reader = self._readers[known] = Reader(known)
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._sweep())
        return reader

    async def _sweep(self) -> None:
        """Until nobody has asked for anything for a while."""
        while self._readers:
            await asyncio.sleep(_SWEEP_SECONDS)
            now = time.monotonic()
            for known, reader in list(self._readers.items()):
                if not reader.is_waited_at and now - reader.used_at > LINGER_SECONDS:
                    reader.close()
                    del self._readers[known]


@one_per_loop
def readers() -> Readers:
    """The ones of this event loop."""
    return Readers()
