"""How many messages each program has produced (`prod_client`): brought to PostgreSQL after they are appended.

What is appended is not to be answered as if it were not: whoever is told so sends it again, and it is there
twice. So no fault of PostgreSQL is one of produce. What is counted meanwhile is brought in one transaction,
the next one begins when it is done, and whoever is alone waits for nobody. An answer waits for its count, so
that `client_size` has it in each process; but for `PATIENCE_SECONDS` at most, and not at all while PostgreSQL
is known to keep others waiting.

Exact
    A sum is brought until it is known to be there. Where the answer to a COMMIT is lost, PostgreSQL knows by
    the number of the transaction what became of it, and nothing is brought twice. (What is counted of
    subscriptions may be, `subscribers_app.pulling.counting`: those figures are for people, and the clerk's
    transactions are not theirs alone.) Lost is what a process has not brought when it is killed, or
    `PARTING_SECONDS` after it was told to stop.

What is kept in memory is bounded: who produces is known for 30 s after PostgreSQL has gone
(`relaybase.postgres.remembering`), and nobody produces without.
"""

import asyncio
import logging
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from django.db import DatabaseError, DataError, InterfaceError, connection, transaction

from relaybase.connections import one_per_loop
from relaybase.postgres.values import execute_values
from relaycore.errors import Disconnected, one_line

log = logging.getLogger(__name__)

PATIENCE_SECONDS: Final = 1.0
PARTING_SECONDS: Final = 3.0
AGAIN_SECONDS: Final = 1.0

NOT_COUNTED: Final = "What was produced is not all counted yet. Try again in a few seconds."

_ADD: Final = (
    "INSERT INTO queue_clients (name, messages) VALUES %s ON CONFLICT (name) "
    "DO UPDATE SET messages = queue_clients.messages + excluded.messages RETURNING txid_current()"
)


class Sums:
    """So many messages of each program, and whether they are there. For one thread."""

    def __init__(self, messages: Mapping[str, int]) -> None:
        # By name: several processes that bring at once never wait for each other in a circle.
        self._rows = sorted(messages.items())
        self._transaction: int | None = None
        """Its COMMIT was sent, and what became of it is not known."""

    def bring(self) -> None:
        """Returns once they are there, once.

        Raises:
            DatabaseError, InterfaceError: that is not known. To be called again.
        """
        if self._transaction is not None and self._is_committed(self._transaction):
            return
        self._transaction = None
        with transaction.atomic():
            with connection.cursor() as sql:
                found = execute_values(sql, _ADD, self._rows, page_size=len(self._rows), fetch=True)
            self._transaction = found[0][0]

    @staticmethod
    def _is_committed(number: int) -> bool:
        try:
            with connection.cursor() as sql:
                sql.execute("SELECT txid_status(%s)", [number])
                (status,) = sql.fetchone()
        except DataError:
            return False  # PostgreSQL has gone back to a time before it.
        if status == "in progress":
            raise InterfaceError("the transaction before has not ended yet")
        return bool(status != "aborted")  # None: so long ago that nobody knows.


class Counts:
    """Of one event loop."""

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(1, "queue-counts")
        self._pending: dict[str, int] = {}
        self._next: asyncio.Future[None] | None = None
        self._under_way: asyncio.Future[None] | None = None
        """Settled once what is pending, or being brought, is there."""
        self._task: asyncio.Task[None] | None = None
        self._is_late = False

    async def produced(self, client: str) -> None:
        """This program has produced one message more. It is brought, if that does not take long."""
        self._pending[client] = self._pending.get(client, 0) + 1
        if self._next is None:
            self._next = asyncio.get_running_loop().create_future()
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._run())
        if not self._is_late:
            await self._wait(self._next, PATIENCE_SECONDS)

    async def settle(self, seconds: float = PATIENCE_SECONDS) -> None:
        """Returns once everything that was counted here up to now is brought.

        Raises:
            Disconnected: that took longer.
        """
        last = self._next or self._under_way
        if last is not None and not await self._wait(last, seconds):
            raise Disconnected(NOT_COUNTED)

    async def _wait(self, brought: "asyncio.Future[None]", seconds: float) -> bool:
        is_brought = bool((await asyncio.wait({brought}, timeout=seconds))[0])
        if not is_brought:
            self._is_late = True
        return is_brought

    async def _run(self) -> None:
        while self._next is not None:
            (messages, self._pending), (brought, self._next) = (self._pending, {}), (self._next, None)
            self._under_way = brought
            await self._bring(Sums(messages))
            self._is_late, self._under_way = False, None
            brought.set_result(None)

    async def _bring(self, sums: Sums) -> None:
        loop, failures = asyncio.get_running_loop(), 0
        while (exc := await loop.run_in_executor(self._thread, _failure, sums)) is not None:
            failures += 1
            if failures == 1:
                continue  # PostgreSQL may have been restarted: with another connection it answers.
            if failures == 2:  # Once, and not each second.
                log.warning("log queue: what was produced is counted later: %s", one_line(exc))
            self._is_late = True
            await asyncio.sleep(AGAIN_SECONDS)


def _failure(sums: Sums) -> Exception | None:
    """Why they were not brought; None: they were. Whatever it is, it is tried again."""
    try:
        sums.bring()
    except Exception as exc:
        connection.close()
        if not isinstance(exc, (DatabaseError, InterfaceError)):
            log.error("log queue: nobody expected this", exc_info=exc)
        return exc
    return None


@one_per_loop
def counts() -> Counts:
    """The ones of this event loop."""
    return Counts()
