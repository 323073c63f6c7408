"""A retention that is made shorter deletes nothing for a minute."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from relaycore.storing.shortening import WAIT, Retention

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
DAY, HOUR = 86_400, 3600


def at(seconds: float) -> datetime:
    return NOON + timedelta(seconds=seconds)


def test_what_held_before_holds_for_a_minute() -> None:
    shorter = Retention(DAY).become(HOUR, NOON)

    assert (shorter.seconds, shorter.holds(NOON), shorter.holds(at(59.9))) == (HOUR, DAY, DAY)
    assert shorter.holds(at(60)) == HOUR


def test_for_ever_is_longer_than_everything() -> None:
    shorter = Retention().become(HOUR, NOON)
    assert (shorter.holds(NOON), shorter.holds(at(60))) == (None, HOUR)


def test_a_longer_one_holds_at_once() -> None:
    assert Retention(HOUR).become(DAY, NOON) == Retention(DAY)
    assert Retention(HOUR).become(None, NOON) == Retention()


def test_set_back_within_the_minute_nothing_has_happened() -> None:
    assert Retention(DAY).become(HOUR, NOON).become(DAY, at(59)) == Retention(DAY)


def test_shortened_twice_the_minute_begins_anew_and_the_longest_holds() -> None:
    twice = Retention(DAY).become(2 * HOUR, NOON).become(HOUR, at(30))
    assert (twice.holds(at(89)), twice.holds(at(90))) == (DAY, HOUR)


def test_what_is_in_between_is_still_shorter() -> None:
    assert Retention().become(HOUR, NOON).become(DAY, at(30)).holds(at(61)) is None


def test_a_clock_that_is_set_back_deletes_nothing_early() -> None:
    assert Retention(DAY).become(HOUR, NOON).holds(at(-3600)) == DAY


STEPS = st.lists(st.tuples(st.floats(0, 90), st.none() | st.integers(60, 1000)), min_size=1, max_size=8)


def _deletes_early(steps: list[tuple[float, int | None]], *, waits: bool) -> bool:
    """Whether at any moment messages go that by some time of the last minute were to stay."""
    retention, now, were = Retention(), 0.0, [(float("-inf"), float("inf"))]
    for pause, seconds in steps:
        for moment in (now, now + pause / 2, now + pause):
            lately = [kept for until, kept in were if until > moment - WAIT.total_seconds()]
            holds = _number(retention.holds(at(moment)))
            if holds < max([*lately, _number(retention.seconds)]):
                return True
        now += pause
        were.append((now, _number(retention.seconds)))
        retention = retention.become(seconds, at(now)) if waits else Retention(seconds)
    return False


def _number(seconds: int | None) -> float:
    return float("inf") if seconds is None else seconds


@given(STEPS)
def test_nothing_goes_that_was_to_stay_within_the_last_minute(steps: list[tuple[float, int | None]]) -> None:
    assert not _deletes_early(steps, waits=True)


def test_without_the_minute_it_does() -> None:
    assert _deletes_early([(0, 60), (1, None)], waits=False)
