"""Attempts as bars: whatever there was shows, and nothing stands out of the picture."""

import random
from datetime import UTC, datetime, timedelta

import pytest

from webhooks_app.admin.chart import HEIGHT, SLOT, SLOTS, WIDTH, Bar, Point, draw

ROUNDED = 0.11
"""Two numbers with one digit, of what was one."""

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)


def _ago(slots: float, *, is_good: bool = True, seconds: float = 0.1) -> Point:
    return Point(NOW - slots * SLOT, is_good, seconds)


def test_without_attempts_there_is_no_picture() -> None:
    assert draw([], NOW) is None
    assert draw([_ago(SLOTS + 1), _ago(-1)], NOW) is None


def test_a_bar_is_what_was_taken_and_above_it_what_failed() -> None:
    points = [_ago(0.5), _ago(0.5), _ago(0.5), _ago(0.5, is_good=False), _ago(10.5, is_good=False)]
    chart = draw(points, NOW)
    assert chart is not None
    assert (chart.good, chart.bad, chart.most) == (3, 2, 4)
    assert (chart.since, chart.until) == (NOW - timedelta(hours=24), NOW)
    early, late = chart.attempts
    assert (late.lower_y, late.lower, late.upper_y, late.upper) == (20.0, 60.0, 0.0, 20.0)
    assert (early.lower, early.upper) == (0.0, 20.0)
    assert early.x < late.x == WIDTH - 9
    assert late.said == "2026-11-21 11:30 to 12:00 UTC: 3 taken, 1 failed"


def test_one_failure_among_thousands_shows() -> None:
    chart = draw([*(_ago(0.5) for _ in range(5000)), _ago(0.5, is_good=False)], NOW)
    assert chart is not None
    (bar,) = chart.attempts
    assert (bar.lower, bar.upper) == (HEIGHT - 2.0, 2.0)


def test_half_of_them_and_nearly_all_of_them_took_so_long() -> None:
    points = [_ago(0.5, seconds=number / 100) for number in range(100)]
    chart = draw(points, NOW)
    assert chart is not None
    assert (chart.median, chart.slow, chart.slowest) == (0.5, 0.95, 0.95)
    (bar,) = chart.seconds
    assert bar.said.endswith("half within 0.500 s, 95 of 100 within 0.950 s")
    assert bar.lower + bar.upper == pytest.approx(HEIGHT, abs=0.2)


def test_what_took_no_time_is_drawn_as_well() -> None:
    chart = draw([_ago(0.5, seconds=0.0)], NOW)
    assert chart is not None
    assert chart.seconds[0].lower == 0


@pytest.mark.parametrize("seed", range(20))
def test_nothing_stands_out_of_the_picture(seed: int) -> None:
    chance = random.Random(seed)
    points = [
        _ago(chance.uniform(0, SLOTS), is_good=chance.random() < 0.7, seconds=chance.expovariate(5))
        for _ in range(chance.randrange(1, 400))
    ]
    chart = draw(points, NOW)
    assert chart is not None

    def is_inside(bar: Bar) -> bool:
        ends = bar.upper_y >= 0 and bar.lower_y + bar.lower <= HEIGHT + ROUNDED
        return ends and 0 <= bar.x <= WIDTH - 8 and bar.upper_y + bar.upper <= bar.lower_y + ROUNDED

    assert all(map(is_inside, [*chart.attempts, *chart.seconds]))
