"""What was attempted lately, on its way into the log."""

import asyncio
import logging
import time
from collections import deque
from datetime import UTC, datetime
from typing import Final

from pymongo.errors import PyMongoError

from relaycore.errors import one_line
from relaycore.sending.answers import Answer
from relaycore.sending.items import Item
from webhooks_app import attempts
from webhooks_app.attempts import Attempted
from webhooks_app.sending.known import Hook, KnownEndpoint

log = logging.getLogger(__name__)

_MOST_WAITING: Final = 20_000
"""While MongoDB is away. It is a log: what does not fit is counted, and let go."""

_AGAIN_SECONDS: Final = 2.0


class Logbook:
    """Of one sender, in its event loop."""

    def __init__(self) -> None:
        self._waiting: deque[Attempted] = deque(maxlen=_MOST_WAITING)
        self._writing: asyncio.Task[None] | None = None
        self._not_before = float("-inf")
        self.lost = 0

    def note(self, endpoint: KnownEndpoint, hook: Hook, item: Item, id: str, answer: Answer) -> None:
        """An attempt has ended."""
        self.lost += len(self._waiting) == _MOST_WAITING
        known = hook.subscription
        self._waiting.append(
            # In the order of its fields: with their names it takes twice as long, and it is done each time.
            Attempted(
                datetime.fromtimestamp(time.time() - answer.seconds, UTC),
                *(known.id, known.name, endpoint.id, endpoint.name),
                *(item.id, item.position, item.attempt, id),
                *(answer.status, answer.failure, answer.seconds, answer.body),
            )
        )

    def write(self) -> None:
        """Bring what waits, unless somebody does."""
        if self._waiting and self._writing is None and time.monotonic() >= self._not_before:
            batch = list(self._waiting)
            self._waiting.clear()
            self._writing = asyncio.create_task(self._bring(batch))
            self._writing.add_done_callback(self._done)

    async def _bring(self, batch: list[Attempted]) -> None:
        try:
            self.lost += await asyncio.to_thread(attempts.record, batch)
        except PyMongoError as exc:
            self._not_before = time.monotonic() + _AGAIN_SECONDS
            room = _MOST_WAITING - len(self._waiting)
            self.lost += max(0, len(batch) - room)
            self._waiting.extendleft(reversed(batch[-room:] if room else ()))
            log.info("attempts are not logged for now: %s", one_line(exc))
        except Exception as exc:  # It would be the same once more, for ever.
            self.lost += len(batch)
            log.warning("%d attempts are not logged: %s", len(batch), type(exc).__name__)

    def _done(self, task: "asyncio.Task[None]") -> None:
        self._writing = None

    async def close(self) -> None:
        """Bring the rest, if MongoDB takes it in time."""
        self.write()
        if self._writing is not None:
            await asyncio.wait({self._writing}, timeout=1.0)
