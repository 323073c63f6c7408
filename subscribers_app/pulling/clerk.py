"""One thread that locks subscriptions and writes them: what is asked meanwhile shares the next transaction.

A question is a function of a locked row. It may read and write rows (`ledger`), says by its `Entry` where the
cursor goes, and must raise what it raises before it writes anything: others are in the same transaction.
Nobody is answered before that is committed. Nobody waits longer than `PATIENCE_SECONDS`: what was not begun
by then is not done. If it fails before, all of it is done once more, with another
connection: PostgreSQL may have been restarted. If the commit itself fails nobody knows what holds: all who
asked are told so, and what they remember of rows is worth nothing.

A subscription that somebody else has locked holds up nobody but those who ask for it: the others are answered
first, then it is waited for, for `ledger.LOCK_MS`; if that is not enough, once more in the next round.
"""

import asyncio
import logging
import queue
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from dataclasses import dataclass
from typing import Any, Final, TypeVar

from django.db import DatabaseError, InterfaceError, connection
from django.db.backends.utils import CursorWrapper
from psycopg2.errors import LockNotAvailable

from relaybase.connections import one_per_loop
from relaycore.delivering.cursor import Cursor
from relaycore.delivering.skipping import Noted
from relaycore.errors import Disconnected, RelayError, SubscriptionUnknown, one_line
from subscribers_app.pulling import ledger, sums
from subscribers_app.pulling.sums import Sums

log = logging.getLogger(__name__)

_MOST: Final = 256
"""Questions in one transaction: the first of them waits for the last."""

AWAY: Final = "PostgreSQL does not answer. Try again in a few seconds."
GONE: Final = "There is no such subscription any more."

PATIENCE_SECONDS: Final = 10.0
"""A PostgreSQL that stands still is as good as away."""

_LOCKED: Final = object()

_ALL: Final = 0
"""In place of an id: the work is about many, and locks none."""

Answer = TypeVar("Answer")


class Entry:
    """A locked subscription, as it stands within the transaction. `now`: ms since 1970."""

    def __init__(self, sql: CursorWrapper, standing: ledger.Standing) -> None:
        self.sql = sql
        self.id = standing.id
        self.cursor: Cursor = standing.cursor
        self.noted: Noted = standing.noted
        self.is_active = standing.is_active
        self.revision = standing.revision
        self.now = standing.now
        self.was_fetched = False


Work = Callable[[Entry], Answer]


@dataclass(frozen=True, slots=True)
class _Question:
    id: int
    work: Callable[[Any], Any]
    future: "asyncio.Future[Any]"


class Clerk:
    """Of one event loop."""

    def __init__(self) -> None:
        self._questions: queue.SimpleQueue[_Question | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None

    async def ask(self, id: int, work: Work[Answer]) -> Answer:
        """What this says of the subscription, once it is committed.

        Raises:
            SubscriptionUnknown: there is none with this id.
            Disconnected: PostgreSQL does not answer, and whether this was done is not known.
            RelayError: whatever `work` raises.
        """
        answer: Answer = await self._put(id, work)
        return answer

    async def _put(self, id: int, work: Callable[[Any], Any]) -> Any:
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Any] = loop.create_future()
        if self._thread is None or not self._thread.is_alive():
            # Not one of `logs.thread`: its lines are not of the request that came first.
            self._thread = threading.Thread(target=self._run, name="relay-clerk", daemon=True)
            self._thread.start()
        self._questions.put(_Question(id, work, future))
        # `asyncio.wait_for` would take one more future, and one more turn of the event loop.
        patience = loop.call_later(PATIENCE_SECONDS, _settle, [(future, Disconnected(AWAY))])
        try:
            return await future
        finally:
            patience.cancel()

    async def survey(self, ids: Sequence[int]) -> dict[int, ledger.Glance]:
        """Where these stand, without locking anything; those that are there. Raises as `ask`."""
        answer: dict[int, ledger.Glance] = await self._put(_ALL, lambda sql: ledger.glance(sql, ids))
        return answer

    async def add_counts(self, counts: Mapping[int, Sums]) -> None:
        """Bring what was counted (`sums.add`). Raises as `ask`."""
        await self._put(_ALL, lambda sql: sums.add(sql, counts))

    def end(self) -> None:
        """End the thread, and its connection, after what was asked. Nobody waits for that."""
        self._questions.put(None)

    def close(self) -> None:
        """The same, and wait for it. For tests: a process ends it with itself."""
        self.end()
        if self._thread is not None:
            self._thread.join()
            self._thread = None

    def _run(self) -> None:
        while (first := self._questions.get()) is not None:
            # Whoever has been cancelled, or waits no more, is not done anything for.
            asked = [question for question in (first, *self._others()) if not question.future.done()]
            if not asked:
                continue
            if locked := _turn(asked, is_waiting=False):
                for question in _turn(locked, is_waiting=True):
                    self._questions.put(question)
        connection.close()

    def _others(self) -> list[_Question]:
        others: list[_Question] = []
        while len(others) < _MOST - 1:
            try:
                question = self._questions.get_nowait()
            except queue.Empty:
                break
            if question is None:
                self._questions.put(None)
                break
            others.append(question)
        return others


@one_per_loop
def clerk() -> Clerk:
    """The one of this event loop."""
    return Clerk()


def _turn(asked: Sequence[_Question], *, is_waiting: bool) -> list[_Question]:
    """Answer these; those that are not answered, since somebody else has their subscription locked."""
    try:
        answers = _answer(asked, is_waiting=is_waiting)
    except Exception as exc:
        connection.close()
        if isinstance(exc, (DatabaseError, InterfaceError)):
            log.warning("subscriptions: %s", one_line(exc))
            failure: Exception = Disconnected(AWAY)
        else:
            log.error("subscriptions", exc_info=exc)
            failure = exc
        answers = [failure] * len(asked)
    pairs = list(zip(asked, answers, strict=True))
    _tell([(question.future, answer) for question, answer in pairs if answer is not _LOCKED])
    return [question for question, answer in pairs if answer is _LOCKED]


def _answer(asked: Sequence[_Question], *, is_waiting: bool) -> list[Any]:
    """What each is answered: an exception where it is one, `_LOCKED` where nothing was done."""
    for is_last in (False, True):
        is_done = False
        try:
            # Not by Django's `atomic`, which goes to PostgreSQL and back for each of its statements alone.
            with connection.cursor() as sql:
                answers, cursors, fetched = _work(sql, asked, is_waiting=is_waiting)
                is_done = True
                ledger.end(sql, cursors, fetched)
        except (DatabaseError, InterfaceError) as exc:
            if isinstance(exc.__cause__, LockNotAvailable):
                ledger.give_up(connection)
                return [_LOCKED] * len(asked)
            # What failed before the commit was not done: with another connection it may be.
            connection.close()
            if is_last or is_done:
                raise
        else:
            return answers
    raise AssertionError("not reached")


_Written = tuple[list[Any], Sequence[tuple[int, Cursor]], Set[int]]
"""Answers, and what `ledger.end` takes."""


def _work(sql: CursorWrapper, asked: Sequence[_Question], *, is_waiting: bool) -> _Written:
    wanted = {question.id for question in asked if question.id != _ALL}
    found = ledger.begin(sql, wanted, is_skipping=not is_waiting)
    missing = wanted - found.keys()
    locked = ledger.existing(sql, missing) if missing and not is_waiting else set[int]()
    entries = {id: Entry(sql, standing) for id, standing in found.items()}
    answers: list[Any] = []
    for question in asked:
        entry = entries.get(question.id)
        if question.id == _ALL:
            answers.append(question.work(sql))
            continue
        if entry is None:
            answers.append(_LOCKED if question.id in locked else SubscriptionUnknown(GONE))
            continue
        try:
            answers.append(question.work(entry))
        except RelayError as exc:
            answers.append(exc)
    # When somebody asked last is written along, and else once a second.
    fetched = {id for id, entry in entries.items() if entry.was_fetched}
    changed = [
        (id, entry.cursor)
        for id, entry in entries.items()
        if entry.cursor != found[id].cursor or (id in fetched and not found[id].is_attended)
    ]
    return answers, changed, fetched


def _tell(told: Sequence[tuple["asyncio.Future[Any]", Any]]) -> None:
    if not told:
        return
    try:
        # All of them are of the clerk's event loop.
        told[0][0].get_loop().call_soon_threadsafe(_settle, told)
    except RuntimeError:
        log.info("the event loop has ended before an answer")


def _settle(answers: Iterable[tuple["asyncio.Future[Any]", Any]]) -> None:
    for future, answer in answers:
        if future.done():  # Whoever asked has been cancelled.
            continue
        if isinstance(answer, Exception):
            future.set_exception(answer)
        else:
            future.set_result(answer)
