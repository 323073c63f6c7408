"""How far subscriptions are behind, for whoever looks often: metrics, the home page.

MongoDB is asked in rounds, by one thread of the process, and not more often than every `FRESH_SECONDS`
however many look. A round takes `ROUND_SECONDS` at most and begins with those that were measured longest ago.
One that has a whole round and takes longer has had its turn: else nothing would be known of any other.
What was not measured for `KEEP_SECONDS` is not known.
"""

import functools
import logging
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from pymongo.errors import PyMongoError

from messages_app.searching import counting
from messages_app.searching.counting import Count
from relaybase import logs
from relaycore.errors import one_line
from subscribers_app import lag
from subscribers_app.lag import MOST, Lag
from subscribers_app.watching import Watched

log = logging.getLogger(__name__)

FRESH_SECONDS: Final = 5.0
ROUND_SECONDS: Final = 1.0
KEEP_SECONDS: Final = 60.0


@dataclass(frozen=True, slots=True)
class _Measured:
    """Above this position there were so many, at this instant of the monotonic clock."""

    at: float
    position: str
    count: Count


class Measuring:
    """For one process. Any thread may call it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._known: dict[int, _Measured] = {}
        self._turns: dict[int, float] = {}
        """Of rounds alone: when each was measured last, or had a whole round and was not."""
        self._began_at = float("-inf")
        self._ended = threading.Event()
        self._ended.set()

    def lags(self, rows: Sequence[Watched], patience_seconds: float) -> dict[int, Lag]:
        """Of those of which it is known, by their keys; after at most so long."""
        with self._lock:
            if self._ended.is_set() and time.monotonic() - self._began_at >= FRESH_SECONDS:
                self._began_at = time.monotonic()
                round_ = logs.thread(functools.partial(self._round, list(rows)), "measuring")
                self._ended.clear()
                try:
                    round_.start()
                except RuntimeError as exc:  # No room for a thread.
                    log.warning("how far subscriptions are behind is not measured: %s", exc)
                    self._ended.set()
        self._ended.wait(patience_seconds)
        oldest = time.monotonic() - KEEP_SECONDS
        with self._lock:
            known = dict(self._known)
        return {
            row.id: _lag(row, known[row.id].count)
            for row in rows
            if row.id in known and known[row.id].at >= oldest and known[row.id].position <= row.position
        }

    def forget(self) -> None:
        """Everything, and the next look measures anew. For tests."""
        self._ended.wait(ROUND_SECONDS + 1)
        with self._lock:
            self._known, self._turns, self._began_at = {}, {}, float("-inf")

    def _round(self, rows: Sequence[Watched]) -> None:
        try:
            known = {row.id: self._known[row.id] for row in rows if row.id in self._known}
            before, began = self._turns, time.monotonic()
            self._turns = {row.id: before.get(row.id, float("-inf")) for row in rows}
            turns = sorted(rows, key=lambda row: self._turns[row.id])
            for row in turns:
                if (left := began + ROUND_SECONDS - time.monotonic()) <= 0:
                    break
                if row is turns[0]:
                    self._turns[row.id] = began
                found = counting.count(row.channel, row.position, most=MOST, seconds=left)
                self._turns[row.id] = time.monotonic()
                known[row.id] = _Measured(self._turns[row.id], row.position, found)
                with self._lock:
                    self._known = dict(known)
        except PyMongoError as exc:
            log.warning("how far subscriptions are behind is not known: %s", one_line(exc))
        finally:
            self._ended.set()


@functools.lru_cache(maxsize=1)
def measuring() -> Measuring:
    """The one of this process."""
    return Measuring()


def _lag(row: Watched, above: Count) -> Lag:
    # The cursor may have gone on since that was counted.
    first = max(above.first, row.position) if above.first else ""
    counted = replace(above, first=first)
    return lag.reckon(counted, row.outstanding, row.waiting, row.lowest, row.now, is_filtered=row.is_filtered)
