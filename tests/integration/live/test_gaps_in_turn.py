"""A gap whose transaction is over after that of a gap with a higher number is told all the same."""

import asyncio
import threading
from collections.abc import Iterator
from datetime import timedelta

import pytest
from django.db import connection, transaction
from django.utils import timezone

from channels_app.models import Gap
from live.gaps import Gaps
from live.tails import Topic
from relaycore.live.ring import Ring
from relaycore.position import START, before_millisecond

pytestmark = pytest.mark.django_db(transaction=True)


def record(minutes_ago: int) -> Gap:
    began_at = timezone.now() - timedelta(minutes=minutes_ago)
    ended_at = began_at + timedelta(seconds=1)
    return Gap.objects.create(
        partition=0, cause=Gap.Cause.CONNECTION_LOST, began_at=began_at, ended_at=ended_at
    )


class Recording(threading.Thread):
    """A transaction that has written its gap, and goes on until it may end."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.has_written, self.may_end = threading.Event(), threading.Event()
        self.number = 0

    def run(self) -> None:
        try:
            with transaction.atomic():
                self.number = record(60).pk
                self.has_written.set()
                self.may_end.wait(20)
        finally:
            connection.close()


@pytest.fixture
def slow() -> Iterator[Recording]:
    # Numbers that tests before have taken, and that are gone, are waited for: they begin anew.
    with connection.cursor() as sql:
        sql.execute("TRUNCATE gaps RESTART IDENTITY CASCADE")
    record(90)
    found = Recording()
    found.start()
    assert found.has_written.wait(20)
    yield found
    found.may_end.set()
    found.join(20)


def test_who_was_told_a_higher_number_is_told_of_one_whose_transaction_is_over_later(slow: Recording) -> None:
    higher = record(30)
    assert higher.pk > slow.number
    topic = Topic("c", Ring("c", START, 1 << 20), None, is_listened=True)  # type: ignore[arg-type]
    here = before_millisecond(int(timezone.now().timestamp() * 1000))

    async def told(after: int | None, position: str) -> dict[int, int]:
        """What a web process tells who comes, by gap, with the number that is his from then on."""
        gaps = Gaps(lambda changed: None)
        await gaps.require()
        return {data["id"]: number for number, data in gaps.since([topic], after, position)}

    first = asyncio.run(told(None, START))
    assert slow.number not in first
    assert first[higher.pk] < slow.number
    slow.may_end.set()
    slow.join(20)
    # He comes again, and stands behind all of them by now.
    again = asyncio.run(told(max(first.values()), here))
    assert again == {slow.number: slow.number, higher.pk: higher.pk}
    assert asyncio.run(told(higher.pk, here)) == {}
