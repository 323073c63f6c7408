"""What the UPDATE does with cursors is what `Cursor.step` says of each of them."""

import asyncio
import itertools
from typing import Any

import pytest
from django.db import connection

from compat_app.log_queue import moving
from compat_app.log_queue.moving import Move, Mover
from relaycore.delivering.cursor import Cursor
from relaycore.position import first_of
from subscribers_app.models import Subscription
from tests.integration.log_queue.conftest import Client

pytestmark = pytest.mark.django_db(transaction=True)

AT, NEXT, FAR = (first_of(f"{number}-0") for number in (10, 11, 20))


@pytest.fixture
def rows(client: Client, topic: str) -> list[Any]:
    """Subscriptions of consumers."""
    client.producer(topic)
    names = [f"queue.consumer.{client.consumer(topic)}" for _ in range(8)]
    return list(Subscription.objects.filter(name__in=names).order_by("pk"))


def standing(row: Any) -> Cursor:
    row.refresh_from_db()
    return Cursor(row.position, row.fetched, row.generation)


@pytest.mark.parametrize("many", [False, True])
def test_a_cursor_goes_on_from_where_it_was_seen_alone(rows: list[Any], many: bool) -> None:
    stands = [
        Cursor(position, fetched, generation)
        for position, fetched, generation in itertools.product((AT, NEXT), (NEXT, FAR), (1, 2))
    ]
    seen = Cursor(AT, AT, 1)
    moves = []
    for row, cursor in zip(rows, stands, strict=True):
        position, fetched, generation = cursor.position, cursor.fetched, cursor.generation
        Subscription.objects.filter(pk=row.pk).update(
            position=position, fetched=fetched, generation=generation
        )
        moves.append(Move(row.pk, seen, NEXT))
    moved: dict[Move, bool] = {}
    for some in [moves] if many else [[one] for one in moves]:
        moved |= moving._move(some)
    expected = [cursor.step(seen, NEXT) for cursor in stands]
    assert [moved.get(one, False) for one in moves] == [one is not None for one in expected]
    assert [standing(row) for row in rows] == [
        old if new is None else new for old, new in zip(stands, expected, strict=True)
    ]
    assert any(expected)
    assert not all(expected)


def test_one_that_is_paused_goes_nowhere(rows: list[Any]) -> None:
    row = rows[0]
    Subscription.objects.filter(pk=row.pk).update(state=Subscription.State.PAUSED)
    before = standing(row)
    assert moving._move([Move(row.pk, before, NEXT)]) == {}
    assert standing(row) == before


def test_of_many_that_saw_the_same_one_goes_on(rows: list[Any]) -> None:
    """In one process as well, in one question: whoever else there is, it is told to look again."""
    before, others = standing(rows[0]), rows[1:]

    async def run() -> list[bool]:
        mover = Mover()
        moves = [Move(one.pk, standing, NEXT) for one, standing in zip(others, befores, strict=True)]
        moves += [Move(rows[0].pk, before, NEXT) for _ in range(5)]
        try:
            return (await asyncio.gather(*map(mover.move, moves)))[len(others) :]
        finally:
            mover._movers.submit(lambda: connection.close()).result()  # noqa: PLW0108 -- its own one

    befores = [standing(one) for one in others]
    assert sorted(asyncio.run(run())) == [False] * 4 + [True]
    assert standing(rows[0]).position == NEXT
