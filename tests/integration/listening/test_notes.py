"""What leaders note of gaps, as it then stands in PostgreSQL."""

from datetime import timedelta

import pytest

from channels_app.listening.gaps import Closed, Covered, Opened, write
from channels_app.models import Gap
from relaycore.times import from_milliseconds

pytestmark = pytest.mark.django_db

DEAF, ALONE = Gap.Cause.CONNECTION_LOST, Gap.Cause.NO_LISTENER


def gaps() -> list[tuple[int, int | None, int | None, bool]]:
    """From, to (ms since 1970), missed at most, covered."""
    epoch = from_milliseconds(0)
    milliseconds = timedelta(milliseconds=1)
    return [
        (
            (gap.began_at - epoch) // milliseconds,
            None if gap.ended_at is None else (gap.ended_at - epoch) // milliseconds,
            gap.missed_at_most,
            gap.covered,
        )
        for gap in Gap.objects.order_by("began_at", "id")
    ]


def test_a_note_that_is_written_again_changes_nothing() -> None:
    for _ in range(2):
        write(Closed(1000, 2000, ALONE, 7), 0)
    assert gaps() == [(1000, 2000, 7, False)]


def test_the_next_leader_makes_a_gap_longer_that_nobody_has_confirmed() -> None:
    write(Closed(1000, 2000, ALONE, 7), 0)
    write(Closed(1000, 5000, ALONE, 30), 0)
    assert gaps() == [(1000, 5000, 30, False)]


def test_a_shorter_one_does_not_make_it_shorter() -> None:
    write(Closed(1000, 5000, ALONE, 30), 0)
    write(Closed(1000, 2000, ALONE, 7), 0)
    assert gaps() == [(1000, 5000, 30, False)]


def test_what_was_taken_for_covered_is_a_gap_after_all() -> None:
    write(Opened(1000, DEAF), 0)
    write(Closed(1000, 2000, DEAF, 7), 0)
    Gap.objects.update(covered=True)
    write(Closed(1000, 3000, ALONE, 9), 0)
    assert gaps() == [(1000, 3000, 9, False)]


def test_an_open_gap_is_closed_from_where_everything_was_confirmed() -> None:
    write(Opened(1500, DEAF), 0)
    write(Closed(1000, 3000, ALONE, 9), 0)
    assert gaps() == [(1000, 3000, 9, False)]


def test_a_gap_that_another_listener_has_heard_is_covered() -> None:
    write(Opened(1000, DEAF), 0)
    write(Covered(), 0)
    [(began, ended, missed, covered)] = gaps()
    assert (began, missed, covered) == (1000, 0, True)
    assert ended is not None
