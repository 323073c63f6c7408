"""One thread that writes subscriptions: what is asked meanwhile shares the next round.

A question is a function of a row (`entries`). It may read and write other rows (`ledger`), says by its
`Entry` where the cursor goes, and must raise what it raises before it writes anything: others are in the same
round. Nobody is answered before that is committed. Nobody waits longer than `PATIENCE_SECONDS`: what was not
begun by then is not done.

A round is one of two
    *By rows as they were left* (`unlocked`), if none of its questions needs more than its own row, and this
    clerk was the last one there as far as it knows. It is one statement. So goes most of what clients of mode
    `cursor` ask.

    *By rows that are locked* (`transactions`): what is left of the first kind, and everything else. A
    subscription that somebody else has locked holds up nobody but those who ask for it: the others are
    answered first, then it is waited for, for `ledger.LOCK_MS`; if that is not enough, once more in the next
    round.

A question may be asked twice, of different rows, and what comes of the first one is worth nothing then.

Failure
    What fails before the commit is done once more, with another connection: PostgreSQL may have been
    restarted. If the commit itself fails nobody knows what holds: all who asked are told so, and what they
    remember of rows is worth nothing. The one statement of the first kind may fail: it is decided by the row
    itself then, like what a client asks once more.
"""

import asyncio
import logging
import queue
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final

from django.db import DatabaseError, InterfaceError, connection

from relaybase.connections import one_per_loop
from relaycore.delivering.unlocked import Left
from relaycore.errors import Disconnected, one_line
from subscribers_app.pulling import ledger, sums
from subscribers_app.pulling.clerk import transactions, unlocked
from subscribers_app.pulling.clerk.entries import ALL, Answer, Entry, Question, Work
from subscribers_app.pulling.clerk.transactions import GONE, LOCKED
from subscribers_app.pulling.sums import Sums

__all__ = ["AWAY", "GONE", "LOCKED", "PATIENCE_SECONDS", "Clerk", "Entry", "Work", "clerk"]

log = logging.getLogger(__name__)

_MOST: Final = 256
"""Questions in one round, about: the first of them waits for the last."""

_MOST_LEFT: Final = 10_000
"""Rows of which it is remembered how they were left: 1 KiB each, about."""

AWAY: Final = "PostgreSQL does not answer. Try again in a few seconds."

PATIENCE_SECONDS: Final = 10.0
"""A PostgreSQL that stands still is as good as away."""


class Clerk:
    """Of one event loop."""

    def __init__(self) -> None:
        self._questions: queue.SimpleQueue[Sequence[Question] | None] = queue.SimpleQueue()
        self._new: list[Question] = []
        self._thread: threading.Thread | None = None
        self._left = Left(_MOST_LEFT)

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
        if not self._new:
            # All who ask in one turn of the event loop are in one round, and the thread is woken once.
            loop.call_soon(self._bring)
        self._new.append(Question(id, work, future))
        # `asyncio.wait_for` would take one more future, and one more turn of the event loop.
        patience = loop.call_later(PATIENCE_SECONDS, _settle, [(future, Disconnected(AWAY))])
        try:
            return await future
        finally:
            patience.cancel()

    def _bring(self) -> None:
        new, self._new = self._new, []
        self._questions.put(new)

    async def survey(self, ids: Sequence[int]) -> dict[int, ledger.Glance]:
        """Where these stand, without locking anything; those that are there. Raises as `ask`."""
        answer: dict[int, ledger.Glance] = await self._put(ALL, lambda sql: ledger.glance(sql, ids))
        return answer

    async def add_counts(self, counts: Mapping[int, Sums]) -> None:
        """Bring what was counted (`sums.add`). Raises as `ask`."""
        await self._put(ALL, lambda sql: sums.add(sql, counts))

    def end(self) -> None:
        """End the thread, and its connection, after what was asked. Nobody waits for that."""
        self._bring()
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
            came = (*first, *self._others(len(first)))
            asked = [question for question in came if not question.future.done()]
            if not asked:
                continue
            if rest := _as_left(asked, self._left):
                rest = _turn(rest, self._left, is_waiting=False)
            if rest and (still := _turn(rest, self._left, is_waiting=True)):
                self._questions.put(still)
        connection.close()

    def _others(self, count: int) -> list[Question]:
        """What has come meanwhile, beside so many."""
        others: list[Question] = []
        while count + len(others) < _MOST:
            try:
                questions = self._questions.get_nowait()
            except queue.Empty:
                break
            if questions is None:
                self._questions.put(None)
                break
            others += questions
        return others


@one_per_loop
def clerk() -> Clerk:
    """The one of this event loop."""
    return Clerk()


def _as_left(asked: Sequence[Question], left: Left) -> Sequence[Question]:
    """Answer these by rows as they were left; those that are not answered."""
    if (decided := unlocked.decide(asked, left)) is None:
        return asked
    try:
        written = unlocked.write(decided)
    except (DatabaseError, InterfaceError):
        connection.close()
        written = set()
    for id, entry in decided.entries.items():
        if id in written:
            left.leave(id, entry.standing)
        else:
            left.forget(id)
    pairs = list(zip(asked, decided.answers, strict=True))
    _tell([(question.future, answer) for question, answer in pairs if question.id in written])
    return [question for question in asked if question.id not in written]


def _turn(asked: Sequence[Question], left: Left, *, is_waiting: bool) -> list[Question]:
    """Answer these; those that are not answered, since somebody else has their subscription locked."""
    answers: Sequence[Any]
    try:
        answers = transactions.answer(asked, left, is_waiting=is_waiting)
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
    _tell([(question.future, answer) for question, answer in pairs if answer is not LOCKED])
    return [question for question, answer in pairs if answer is LOCKED]


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
