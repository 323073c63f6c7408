"""When the owner of an endpoint is warned, and when it is disabled."""

from collections.abc import Iterable

import pytest

from relaycore.sending.failing import HOLE_MS, Failing
from relaycore.sending.schedule import LONGEST_MS
from tests.unit.relaycore.delivering.places import NOW

HOUR = 3_600_000


def failing(hours: Iterable[float]) -> Failing:
    """It has failed so many hours after `NOW`, each time."""
    found = Failing()
    for hour in hours:
        found = found.failed(NOW + round(hour * HOUR))
    return found


@pytest.mark.parametrize(
    ("hours", "ends"),
    [
        ([0], False),
        ([0, 1], False),
        (range(120), False),
        (range(121), True),
        ([0, 24, 48, 72, 96, 119.9], False),
        ([0, 24, 48, 72, 96, 120], True),
        ([0, 48, 96, 144], True),
        # One message that fails now and then is no endpoint that does nothing but fail.
        ([0, 120], False),
        ([0, 1, 50.1, 120], False),
        ([0, 48.9, 97.8, 120], True),
        # Nothing came for two days and more: that is no failing.
        ([*range(24), *range(73, 121)], False),
        ([0, 500, 1000, 1500], False),
        # A clock that falls back begins anew.
        ([*range(100), 50, *range(51, 160)], False),
    ],
)
def test_five_days_of_nothing_but_failures_end_it(hours: Iterable[float], ends: bool) -> None:
    assert failing(hours).has_to_end is ends


def test_a_success_begins_anew() -> None:
    assert failing(range(119)).succeeded() == Failing()
    assert not failing(range(119)).succeeded().failed(NOW + 120 * HOUR).has_to_end


def test_where_nothing_changes_it_is_the_same_one() -> None:
    fine = Failing()
    assert fine.succeeded() is fine


def test_a_hole_is_longer_than_any_schedule_waits() -> None:
    assert HOLE_MS == LONGEST_MS + HOUR
    assert Failing(NOW, NOW).failed(NOW + HOLE_MS).since == NOW
    assert Failing(NOW, NOW).failed(NOW + HOLE_MS + 1).since == NOW + HOLE_MS + 1


def test_the_owner_is_warned_a_few_times() -> None:
    warned, now = [], Failing()
    for hour in range(121):
        before, now = now, now.failed(NOW + hour * HOUR)
        if (warning := now.warning(before)) is not None:
            warned.append((hour, warning // HOUR))
    assert warned == [(1, 0), (24, 24), (72, 72), (96, 96)]


def test_of_warnings_that_are_due_at_once_there_is_one() -> None:
    before = failing([0, 20])
    assert before.failed(NOW + 60 * HOUR).warning(before) == 24 * HOUR
    before = failing([0, 48])
    assert before.failed(NOW + 96 * HOUR).warning(before) == 96 * HOUR


def test_who_begins_anew_is_warned_anew() -> None:
    before = failing(range(100))
    again = before.succeeded()
    for hour in range(200, 225):
        before, again = again, again.failed(NOW + hour * HOUR)
    assert again.warning(before) == 24 * HOUR


def test_it_has_recovered_only_if_somebody_was_warned() -> None:
    for minutes, is_told in ((9, False), (10, True)):
        before = Failing(NOW, NOW + minutes * 60_000)
        assert before.succeeded().is_recovery(before) is is_told
        assert not before.is_recovery(before)
    assert not Failing().is_recovery(Failing())


def test_when_it_ends_is_known_from_the_first_failure_on() -> None:
    assert Failing().ends_at is None
    assert Failing(NOW, NOW).ends_at == NOW + 120 * HOUR
