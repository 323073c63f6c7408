"""How fast messages go out, and what readers said last."""

import time
from datetime import UTC, datetime
from typing import Any

import pytest
from django.db import connection, transaction

from subscribers_app import activity
from subscribers_app.models import Subscription, SubscriptionCounts, SubscriptionMinute
from subscribers_app.pulling import sums
from subscribers_app.pulling.sums import Sums
from tests.integration.subscriptions.conftest import subscribe

pytestmark = pytest.mark.django_db


def _add(row: Subscription, **counts: Any) -> None:
    with transaction.atomic(), connection.cursor() as sql:
        sums.add(sql, {row.pk: Sums(**counts)})


def _pass(minutes: int) -> None:
    """So many minutes later."""
    rows = list(SubscriptionMinute.objects.all())
    SubscriptionMinute.objects.all().delete()
    for row in rows:
        row.minute -= minutes
        row.is_odd = row.minute % 2 == 1
        row.save(force_insert=True)


@pytest.fixture(autouse=True)
def _no_minute_ends_meanwhile() -> None:
    if (left := 60 - time.time() % 60) < 8:
        time.sleep(left + 0.1)


def _totals(row: Subscription) -> tuple[int, int | None, int]:
    found = activity.of(row)
    assert found is not None
    assert 60 <= found.seconds <= 121
    done = None if found.done is None else round(found.done * found.seconds)
    return round(found.handed_out * found.seconds), done, round(found.nacked * found.seconds)


def test_who_was_never_asked_has_no_rate_and_no_answer(orders: Any) -> None:
    row = subscribe()
    assert _totals(row) == (0, 0, 0)
    found = activity.of(row)
    assert found is not None
    assert (found.handed_out_at, found.answer) == (None, None)
    row.delete()
    assert activity.of_all([Subscription(pk=1 << 40)]) == {}


def test_a_rate_is_of_this_minute_and_the_one_before(orders: Any) -> None:
    row = subscribe()
    _add(row, handed_out=5, done=3, nacked=1)
    _add(row, handed_out=1, done=1)
    assert _totals(row) == (6, 4, 1)
    _pass(1)
    _add(row, handed_out=10)
    assert _totals(row) == (16, 4, 1)
    _pass(1)
    assert _totals(row) == (10, 0, 0)
    _add(row, handed_out=2)
    assert _totals(row) == (12, 0, 0)
    _pass(7)
    assert _totals(row) == (0, 0, 0)
    # However long it goes on there are two rows.
    assert SubscriptionMinute.objects.count() == 2
    assert SubscriptionCounts.objects.get().handed_out == 18


def test_how_much_was_done_is_not_known_after_a_commit_that_nobody_can_count(orders: Any) -> None:
    row = subscribe(mode="cursor")
    _add(row, handed_out=5, done=5)
    _add(row, uncounted=1)
    assert _totals(row) == (5, None, 0)
    _pass(2)
    assert _totals(row) == (0, 0, 0)


@pytest.mark.parametrize(("mode", "what"), [("lease", "ack"), ("cursor", "commit")])
def test_the_last_answer_is_the_later_one(orders: Any, mode: str, what: str) -> None:
    row, now = subscribe(mode=mode), time.monotonic()

    def answer() -> tuple[str, float]:
        found = activity.of(row)
        assert found is not None
        assert found.answer is not None
        return found.answer.what, (datetime.now(UTC) - found.answer.at).total_seconds()

    _add(row, done=1, done_at=now - 50)
    assert answer() == (what, pytest.approx(50, abs=3))
    _add(row, nacked=1, nacked_at=now - 20)
    assert answer() == ("nack", pytest.approx(20, abs=3))
    # What is brought late does not make it older.
    _add(row, done=1, done_at=now - 40, nacked=1, nacked_at=now - 30)
    assert answer() == ("nack", pytest.approx(20, abs=3))
    _add(row, done=1, done_at=now - 10)
    assert answer() == (what, pytest.approx(10, abs=3))


def test_the_api_says_so(api: Any, orders: Any) -> None:
    row = subscribe()
    said = api.get("/api/v1/subscriptions/billing").json()
    assert (said["last_handed_out_at"], said["last_answer"]) == (None, None)
    assert said["rates"] == {"seconds": said["rates"]["seconds"], "handed_out": 0, "done": 0, "nacked": 0}
    now = time.monotonic()
    _add(row, handed_out=60, done=30, nacked=6, handed_out_at=now, done_at=now - 1, nacked_at=now)
    for said in (
        api.get("/api/v1/subscriptions/billing").json(),
        api.get("/api/v1/subscriptions").json()["results"][0],
    ):
        rates = said["rates"]
        per_second = [rates[name] * rates["seconds"] for name in ("handed_out", "done", "nacked")]
        assert per_second == pytest.approx([60, 30, 6], rel=0.02)
        assert said["last_answer"]["answer"] == "nack"
        answered, given = said["last_answer"]["at"], said["last_handed_out_at"]
        assert abs(datetime.fromisoformat(answered) - datetime.fromisoformat(given)).total_seconds() < 0.1
