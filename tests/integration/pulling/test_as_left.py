"""What is decided by a row as the clerk has left it is written where that still stands so."""

import asyncio
import time
from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection, connections, transaction

from relaycore.delivering.cursor import Cursor
from relaycore.delivering.giving import Standing
from relaycore.delivering.skipping import Noted
from relaycore.delivering.unlocked import Left
from relaycore.errors import CursorMoved
from relaycore.position import first_of
from subscribers_app.models import Subscription
from subscribers_app.pulling.clerk import Clerk, transactions, unlocked
from subscribers_app.pulling.clerk.entries import Entry, Question

pytestmark = pytest.mark.django_db(transaction=True)

Subscribe = Callable[..., str]


def at(number: int) -> str:
    return first_of(f"{number}-0")


def commit(entry: Entry) -> Cursor:
    entry.cursor = entry.cursor.fetch(at(9), entry.cursor.generation).commit(at(5))
    entry.was_fetched = True
    return entry.cursor


@pytest.fixture
def row(subscribe: Subscribe) -> Subscription:
    """Somebody has fetched up to 5, and committed up to 3."""
    made = Subscription.objects.get(name=subscribe("cursor"))
    Subscription.objects.filter(pk=made.pk).update(position=at(3), fetched=at(5))
    return Subscription.objects.get(pk=made.pk)


def decided(row: Subscription) -> unlocked.Decided:
    cursor = Cursor(row.position, row.fetched, row.generation)
    left = Left(10)
    left.leave(row.pk, Standing(cursor, Noted(row.noted_upto, row.noted_messages), revision=row.revision))
    nobody: Any = None
    found = unlocked.decide([Question(row.pk, commit, nobody)], left)
    assert found is not None
    return found


def test_where_it_stands_as_it_was_left_it_is_written(row: Subscription) -> None:
    assert unlocked.write(decided(row)) == {row.pk}
    now = Subscription.objects.get(pk=row.pk)
    assert (now.position, now.fetched) == (at(5), at(9))
    assert now.last_fetch_at is not None


@pytest.mark.parametrize(
    "elsewhere",
    [
        {"position": at(4)},
        {"fetched": at(6)},
        {"generation": 77},
        {"noted_upto": at(1)},
        {"noted_messages": 3},
        {"state": "paused"},
        {"revision": 8},
    ],
    ids=lambda one: next(iter(one)),
)
def test_where_it_stands_otherwise_nothing_is(row: Subscription, elsewhere: dict[str, Any]) -> None:
    found = decided(row)
    Subscription.objects.filter(pk=row.pk).update(**elsewhere)
    before = Subscription.objects.filter(pk=row.pk).values().get()
    assert unlocked.write(found) == set()
    assert Subscription.objects.filter(pk=row.pk).values().get() == before


def test_a_row_that_somebody_has_locked_is_not_waited_for(row: Subscription) -> None:
    found = decided(row)

    async def write() -> set[int]:
        return await asyncio.to_thread(_in_a_thread, lambda: unlocked.write(found))

    with transaction.atomic():
        Subscription.objects.select_for_update().get(pk=row.pk)
        began = time.monotonic()
        assert asyncio.run(write()) == set()
        assert time.monotonic() - began < 2


def _in_a_thread(work: Callable[[], Any]) -> Any:
    try:
        return work()
    finally:
        connections.close_all()


@pytest.fixture
def locked(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many questions each transaction had that locked rows."""
    counts: list[int] = []
    answer = transactions.answer

    def counted(asked: Any, left: Left, *, is_waiting: bool) -> Any:
        counts.append(len(asked))
        return answer(asked, left, is_waiting=is_waiting)

    monkeypatch.setattr(transactions, "answer", counted)
    return counts


def step(entry: Entry) -> str:
    """On by one."""
    position = at(int(entry.cursor.position[:13]) + 1)
    entry.cursor = entry.cursor.fetch(position, entry.cursor.generation).commit(position)
    return position


def test_the_first_question_locks_and_the_others_do_not(row: Subscription, locked: list[int]) -> None:
    async def ask() -> list[str]:
        clerk = Clerk()
        try:
            return [await clerk.ask(row.pk, step) for _ in range(5)]
        finally:
            clerk.close()

    assert asyncio.run(ask()) == [at(number) for number in range(4, 9)]
    assert locked == [1]
    assert Subscription.objects.get(pk=row.pk).position == at(8)


def test_where_somebody_else_has_been_it_is_decided_by_what_he_has_left(
    row: Subscription, locked: list[int]
) -> None:
    async def ask() -> list[str]:
        ours, theirs = Clerk(), Clerk()
        try:
            return [await one.ask(row.pk, step) for one in (ours, theirs, ours, ours, theirs)]
        finally:
            ours.close()
            theirs.close()

    assert asyncio.run(ask()) == [at(number) for number in range(4, 9)]
    assert locked == [1, 1, 1, 1]


def test_a_refusal_is_by_the_row_itself(row: Subscription, locked: list[int]) -> None:
    async def ask() -> None:
        clerk = Clerk()
        try:
            await clerk.ask(row.pk, step)
            with pytest.raises(CursorMoved):
                await clerk.ask(row.pk, lambda entry: entry.cursor.commit(at(9)))
        finally:
            clerk.close()

    asyncio.run(ask())
    assert locked == [1, 1]


def test_when_its_connection_is_cut_it_is_decided_by_the_row(row: Subscription, locked: list[int]) -> None:
    async def ask() -> list[str]:
        clerk = Clerk()
        try:
            found = [await clerk.ask(row.pk, step) for _ in range(2)]
            await asyncio.to_thread(_in_a_thread, _cut_all_others)
            return [*found, await clerk.ask(row.pk, step)]
        finally:
            clerk.close()

    assert asyncio.run(ask()) == [at(4), at(5), at(6)]
    assert locked == [1, 1]


def _cut_all_others() -> None:
    with connection.cursor() as sql:
        sql.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid() AND query LIKE %s",
            ["WITH w AS%"],
        )
        assert sql.fetchall(), "nobody was cut"
