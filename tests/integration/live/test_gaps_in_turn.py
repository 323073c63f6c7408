"""A gap whose transaction is over after that of a gap with a higher number is told all the same."""

import asyncio
import threading
from collections.abc import Iterator
from datetime import timedelta

import pytest
from django.db import connection, transaction
from django.utils import timezone

from channels_app.models import Channel, Gap
from live.gaps import Gaps
from live.tails import Topic
from relaycore.live.ring import Ring
from relaycore.live.settled import WAIT_SECONDS
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


async def told(after: int | None, position: str) -> dict[int, int]:
    """What a web process that has just started tells who comes, by gap, with the number that is his then."""
    gaps = Gaps(lambda changed: None, list)
    await gaps.require()
    topic = Topic("c", Ring("c", START, 1 << 20), None)  # type: ignore[arg-type]
    return {data["id"]: number for number, data in gaps.since([topic], after, position)}


def test_after_a_start_nobody_is_told_again_because_a_number_is_missing_since_long_ago() -> None:
    first, taken_back, last = (record(minutes) for minutes in (90, 60, 30))
    number = taken_back.pk
    taken_back.delete()
    here = before_millisecond(int(timezone.now().timestamp() * 1000))
    began = asyncio.run(told(None, START))
    assert began[last.pk] < number, "it was written just now, so the missing one may still come"
    assert last.pk in asyncio.run(told(began[last.pk], here))
    long_ago = timezone.now() - timedelta(seconds=WAIT_SECONDS + 1)
    Gap.objects.update(recorded_at=long_ago)
    began = asyncio.run(told(None, START))
    assert began[last.pk] == last.pk
    assert asyncio.run(told(began[last.pk], here)) == {}
    Gap.objects.update(recorded_at=None)  # Of before that was noted.
    assert asyncio.run(told(None, START)) == {first.pk: first.pk, last.pk: last.pk}


def test_when_it_is_recorded_is_noted_by_the_clock_of_the_database() -> None:
    before = Channel.objects.now()
    number = record(60).pk
    recorded_at = Gap.objects.get(pk=number).recorded_at
    assert recorded_at is not None
    assert before <= recorded_at <= Channel.objects.now()


def test_who_was_told_a_higher_number_is_told_of_one_whose_transaction_is_over_later(slow: Recording) -> None:
    higher = record(30)
    assert higher.pk > slow.number
    here = before_millisecond(int(timezone.now().timestamp() * 1000))
    first = asyncio.run(told(None, START))
    assert slow.number not in first
    assert first[higher.pk] < slow.number
    slow.may_end.set()
    slow.join(20)
    # He comes again, and stands behind all of them by now.
    again = asyncio.run(told(max(first.values()), here))
    assert again == {slow.number: slow.number, higher.pk: higher.pk}
    assert asyncio.run(told(higher.pk, here)) == {}
