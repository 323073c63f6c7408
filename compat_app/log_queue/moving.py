"""Cursors of consumers, moved by compare-and-set: all who ask at the same time share one UPDATE.

Whoever is alone waits for nobody. A cursor goes on only from where it was seen, in the generation in which it
was seen (`Cursor.step`, as SQL): of two that would hand out the same message, in one process or in two, one
is told to look again. It is the row's own lock that decides, so a seek, a pause or a commit by the API is
never undone. Rows are locked in the order of their ids, as everywhere (`subscribers_app.pulling`).
"""

import asyncio
import logging
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Final, TypeVar

from django.db import DatabaseError, InterfaceError, connection

from relaybase.connections import one_per_loop
from relaybase.gathering import Gathering
from relaybase.postgres.values import execute_values
from relaycore.delivering.cursor import Cursor
from relaycore.errors import Disconnected, SubscriptionUnknown, one_line
from subscribers_app.pulling import ledger
from subscribers_app.pulling.clerk import AWAY, GONE
from subscribers_app.pulling.ledger import Glance

log = logging.getLogger(__name__)

_MOST: Final = 500

_MOVE: Final = "number, id, seen, generation, position"
_TO: Final = (
    "position = w.position, fetched = greatest(s.fetched, w.position), last_fetch_at = clock_timestamp()"
)
_STANDS: Final = "s.id = w.id AND s.position = w.seen AND s.generation = w.generation AND s.state = 'active'"

_MOVE_ONE: Final = (  # Constants, here and below.
    f"UPDATE subscriptions AS s SET {_TO} FROM (VALUES %s) AS w ({_MOVE}) "  # noqa: S608
    f"WHERE {_STANDS} RETURNING w.number"
)
_MOVE_MANY: Final = (
    f"WITH w ({_MOVE}) AS (VALUES %s), held AS MATERIALIZED "  # noqa: S608
    "(SELECT id FROM subscriptions WHERE id IN (SELECT id FROM w) ORDER BY id FOR NO KEY UPDATE) "
    f"UPDATE subscriptions AS s SET {_TO} FROM held JOIN w USING (id) WHERE {_STANDS} RETURNING w.number"
)

Answer = TypeVar("Answer")


@dataclass(frozen=True, slots=True, eq=False)
class Move:
    """From where the cursor of this subscription was seen to a position. No two are the same one."""

    id: int
    seen: Cursor
    position: str


class Mover:
    """Of one event loop."""

    def __init__(self) -> None:
        # Cursors are not to wait for those who only look.
        self._movers = ThreadPoolExecutor(1, "queue-moves")
        self._lookers = ThreadPoolExecutor(1, "queue-looks")
        self._moves: Gathering[Move, bool] = Gathering(self._move, _MOST)
        self._looks: Gathering[int, Glance] = Gathering(self._look, _MOST)

    async def move(self, move: Move) -> bool:
        """Whether the cursor stood there, and is moved; that is committed.

        Raises:
            Disconnected: PostgreSQL does not answer, and nobody knows whether it is.
        """
        return bool(await self._moves.find(move))

    async def look(self, id: int) -> Glance:
        """Where a subscription stands.

        Raises:
            SubscriptionUnknown: there is none with this id.
            Disconnected: PostgreSQL does not answer.
        """
        if (found := await self._looks.find(id)) is None:
            raise SubscriptionUnknown(GONE)
        return found

    async def _move(self, moves: Sequence[Move]) -> dict[Move, bool]:
        return await self._run(self._movers, lambda: _move(moves))

    async def _look(self, ids: Sequence[int]) -> dict[int, Glance]:
        return await self._run(self._lookers, lambda: _twice(lambda: _look(ids)))

    async def _run(self, threads: ThreadPoolExecutor, work: Callable[[], Answer]) -> Answer:
        def run() -> Answer:
            try:
                return work()
            except (DatabaseError, InterfaceError) as exc:
                connection.close()
                log.warning("consumers: %s", one_line(exc))
                raise Disconnected(AWAY) from exc

        return await asyncio.get_running_loop().run_in_executor(threads, run)


@one_per_loop
def mover() -> Mover:
    """The one of this event loop."""
    return Mover()


def _move(moves: Sequence[Move]) -> dict[Move, bool]:
    """Those that have moved their cursor: of several of one subscription that saw the same, one."""
    rows = [
        (number, move.id, move.seen.position, move.seen.generation, move.position)
        for number, move in enumerate(moves)
    ]
    statement = _MOVE_ONE if len(rows) == 1 else _MOVE_MANY
    with connection.cursor() as sql:
        found = execute_values(sql, statement, rows, page_size=_MOST, fetch=True)
    return {moves[number]: True for (number,) in found}


def _look(ids: Sequence[int]) -> dict[int, Glance]:
    with connection.cursor() as sql:
        return ledger.glance(sql, ids)


def _twice(look: Callable[[], Answer]) -> Answer:
    """PostgreSQL may have been restarted since: with another connection it answers."""
    try:
        return look()
    except (DatabaseError, InterfaceError):
        connection.close()
        return look()
