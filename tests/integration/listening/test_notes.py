"""What leaders note of gaps, as it then stands in PostgreSQL."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from channels_app.listening.recording.losses import GivenUp, Losses, write_loss
from channels_app.listening.recording.notes import (
    Closed,
    CoveredUntil,
    ForgottenUntil,
    Opened,
    Restored,
    between,
    write,
)
from channels_app.models import Channel, Gap
from leases_app.leasing import Contender, Term
from leases_app.models import Lease
from relaycore.capturing.ticks import Tick
from relaycore.times import from_milliseconds

pytestmark = pytest.mark.django_db

DEAF, ALONE = Gap.Cause.CONNECTION_LOST, Gap.Cause.NO_LISTENER
TERM = Term("listener", 0, 2, "me")


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


def at(milliseconds: int) -> datetime:
    return from_milliseconds(milliseconds)


def test_a_note_that_is_written_again_changes_nothing() -> None:
    for _ in range(2):
        write(Closed(1000, 2000, ALONE, 7), TERM)
    assert gaps() == [(1000, 2000, 7, False)]


def test_the_next_leader_makes_a_gap_longer_that_nobody_has_confirmed() -> None:
    write(Closed(1000, 2000, ALONE, 7), TERM)
    write(Closed(1000, 5000, ALONE, 30), TERM)
    assert gaps() == [(1000, 5000, 30, False)]


def test_a_shorter_one_does_not_make_it_shorter() -> None:
    write(Closed(1000, 5000, ALONE, 30), TERM)
    write(Closed(1000, 2000, ALONE, 7), TERM)
    assert gaps() == [(1000, 5000, 30, False)]


@pytest.mark.parametrize("covered_until", [1500, 3_600_000], ids=["sooner", "the clock was ahead"])
def test_what_was_taken_for_covered_is_a_gap_after_all(covered_until: int) -> None:
    write(Opened(1000, DEAF), TERM)
    write(CoveredUntil(covered_until), TERM)
    write(Closed(1000, 31_000, ALONE, 99), TERM)
    assert gaps() == [(1000, 31_000, 99, False)]


def test_an_open_gap_is_closed_from_where_everything_was_confirmed() -> None:
    write(Opened(1500, DEAF), TERM)
    write(Closed(1000, 3000, ALONE, 9), TERM)
    assert gaps() == [(1000, 3000, 9, False)]


def test_a_gap_that_another_listener_has_heard_is_covered_up_to_what_it_has_heard() -> None:
    write(Opened(1000, DEAF), TERM)
    write(CoveredUntil(4000), TERM)
    assert gaps() == [(1000, 4000, 0, True)]


def test_a_count_that_no_column_can_hold_is_not_known() -> None:
    write(Closed(1000, 2000, ALONE, 2**63), TERM)
    assert gaps() == [(1000, 2000, None, False)]


def test_a_time_that_no_column_can_hold_is_the_last_one() -> None:
    write(Closed(1000, 10**18, ALONE, 7), TERM)
    [gap] = Gap.objects.all()
    assert gap.ended_at is not None
    assert gap.ended_at.year == 9999


# --- a channel that Redis has refused ----------------------------------------------------


def refused(since: int) -> None:
    Gap.objects.create(partition=0, channel="bills", cause=Gap.Cause.REFUSED, began_at=at(since))


def test_the_gap_of_a_refused_channel_ends_with_what_was_counted_from_its_beginning_on() -> None:
    refused(1000)
    for _ in range(2):
        write(Closed(1000, 3000, Gap.Cause.REFUSED, 9, "bills"), TERM)
    assert gaps() == [(1000, 3000, 9, False)]


def test_one_that_began_before_anything_was_counted_has_no_bound() -> None:
    refused(500)
    write(Closed(1000, 3000, Gap.Cause.REFUSED, 9, "bills"), TERM)
    assert gaps() == [(500, 3000, None, False)]


def test_after_a_restart_of_redis_it_is_refused_all_the_same_and_nobody_knows_how_much() -> None:
    before, after = tick(1000), replace(tick(3000), run_id="another")
    assert between(before, after, Gap.Cause.REFUSED, "bills") == Closed(
        1000, 3000, Gap.Cause.REFUSED, None, "bills"
    )


# --- Redis has forgotten what was confirmed ----------------------------------------------


def test_what_redis_has_forgotten_is_a_gap_from_the_last_proof_on() -> None:
    for _ in range(2):
        write(ForgottenUntil(9000), Term("listener", 0, 2, "me", known_before=at(1000)))
    assert gaps() == [(1000, 9000, None, False)]


@pytest.mark.parametrize("cause", [Gap.Cause.RESTORED, Gap.Cause.VANISHED, Gap.Cause.MEMORY_FULL])
def test_what_a_leader_counts_makes_no_gap_smaller_that_is_a_fact(cause: Gap.Cause) -> None:
    Gap.objects.create(partition=0, cause=cause, began_at=at(1000), ended_at=at(2000))
    write(Closed(1000, 3000, ALONE, 9), TERM)
    assert sorted(gaps(), key=str) == [(1000, 2000, None, False), (1000, 3000, 9, False)]


def test_what_postgresql_has_forgotten_takes_in_what_is_open_and_the_lease_counts_on() -> None:
    term = Contender().claim(Lease.Role.LISTENER, 0)
    assert term is not None
    write(Opened(2000, ALONE), term)
    write(Restored(9000, 500), replace(term, known_before=at(1000)))
    assert gaps() == [(1000, 9000, None, False)]
    assert Gap.objects.get().cause == Gap.Cause.RESTORED
    write(CoveredUntil(9500), term)
    write(Closed(9000, 9500, ALONE, 0), term)
    assert (1000, 9000, None, False) in gaps()
    assert Lease.objects.get().writes == 500


def test_it_closes_the_gap_that_is_open() -> None:
    write(Opened(2000, ALONE), TERM)
    write(ForgottenUntil(9000), Term("listener", 0, 2, "me", known_before=at(1000)))
    assert gaps() == [(1000, 9000, None, False)]


def test_without_a_proof_it_begins_when_the_first_channel_was_heard() -> None:
    Channel.objects.create(channel="orders", first_heard_at=at(3000))
    write(ForgottenUntil(9000), TERM)
    assert gaps() == [(3000, 9000, None, False)]


def test_what_never_was_heard_has_no_gap_before_its_first_moment() -> None:
    Channel.objects.create(channel="orders")
    write(ForgottenUntil(9000), TERM)
    assert gaps() == []


def test_the_first_term_of_all_has_missed_nothing() -> None:
    Channel.objects.create(channel="orders", first_heard_at=at(8900))
    write(ForgottenUntil(9000), Term("listener", 0, 1, "me"))
    assert gaps() == []


# --- messages that were given up ---------------------------------------------------------


def tick(milliseconds: int) -> Tick:
    return Tick(milliseconds, 1, 0, "run", at=milliseconds)


def test_what_was_given_up_lies_between_two_ticks_by_the_clock_of_redis() -> None:
    losses = Losses()
    assert losses.heard(tick(1000)) is None
    losses.add(3, tick(1000))
    assert losses.heard(tick(1100)) is None
    losses.add(4, tick(1100))
    assert losses.heard(tick(1200)) is None
    assert losses.heard(tick(2100)) is None
    assert losses
    assert losses.heard(tick(2200)) == GivenUp(1000, 1200, 7)
    assert not losses
    assert losses.heard(tick(4000)) is None


def test_what_is_given_up_at_the_end_was_heard_since_what_stands() -> None:
    losses = Losses()
    losses.heard(tick(5000))
    losses.add(7, tick(2000))

    lost = losses.close()

    assert lost is not None
    assert (lost.began, lost.messages) == (2000, 7)
    assert lost.ended >= 5000
    assert losses.close() is None


def test_what_was_given_up_without_any_tick_the_next_leader_finds() -> None:
    """Redis refuses the script that ticks: this one has confirmed nothing."""
    losses = Losses()
    losses.add(7, None)
    assert losses.close() is None
    assert not losses


def test_what_was_given_up_leaves_other_gaps_alone() -> None:
    write(Opened(1000, DEAF), TERM)
    for _ in range(2):
        write_loss(GivenUp(1000, 2000, 7), 0)
    assert sorted(gaps(), key=str) == [(1000, 2000, 7, False), (1000, None, None, False)]


def test_what_was_missed_from_the_same_moment_on_is_another_gap() -> None:
    write_loss(GivenUp(1000, 2000, 7), 0)
    write(Closed(1000, 9000, ALONE, 30), TERM)
    assert sorted(gaps(), key=str) == [(1000, 2000, 7, False), (1000, 9000, 30, False)]
