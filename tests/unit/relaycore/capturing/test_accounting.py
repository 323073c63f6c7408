"""What a leader confirms, and what it says was missed."""

from relaycore.capturing.accounting import Accounting, Missed, Why
from relaycore.capturing.ticks import Tick

BEFORE, FIRST, LATER = Tick(7, 1, 6, "run"), Tick(8, 2, 0, "run"), Tick(9, 2, 8, "run")


def leader(*, whole: bool = True, late: list[bytes] | None = None) -> Accounting:
    accounting = Accounting()
    accounting.lead(2, whole=whole, late=late or [])
    return accounting


def test_a_whole_leader_has_missed_nothing_and_confirms_from_its_first_tick_on() -> None:
    accounting = leader()
    accounting.begun(BEFORE)
    assert accounting.confirm(FIRST, on_record=True) is None
    assert accounting.heard(FIRST) == []
    assert accounting.since == BEFORE
    assert accounting.confirm(FIRST, on_record=True) == FIRST


def test_a_hole_reaches_from_what_was_confirmed_to_the_first_own_tick() -> None:
    accounting = leader(whole=False)
    accounting.begun(BEFORE)
    assert accounting.heard(FIRST) == [Missed(BEFORE, FIRST, Why.HOLE)]
    assert accounting.since is None


def test_channels_that_were_subscribed_late_are_missed_each() -> None:
    accounting = leader(late=[b"orders", b"alerts"])
    accounting.begun(BEFORE)
    assert [missed.channel for missed in accounting.heard(FIRST)] == [b"orders", b"alerts"]


def test_without_a_leader_before_there_is_nothing_to_count_from() -> None:
    accounting = leader(whole=False)
    accounting.begun(None)
    assert not accounting.is_forgotten
    assert accounting.heard(FIRST) == []
    assert accounting.is_forgotten


def test_a_whole_leader_has_heard_what_redis_has_forgotten() -> None:
    accounting = leader()
    accounting.begun(None)
    assert accounting.heard(FIRST) == []
    assert not accounting.is_forgotten


def test_a_tick_of_the_leader_before_settles_nothing() -> None:
    accounting = leader(whole=False)
    accounting.begun(BEFORE)
    assert accounting.heard(Tick(8, 1, 7, "run")) == []
    assert not accounting.is_settled


def test_an_own_tick_settles_nothing_while_it_is_not_known_what_was_confirmed() -> None:
    accounting = leader(whole=False)
    assert accounting.heard(FIRST) == []
    assert not accounting.is_settled


def test_nothing_is_confirmed_beyond_what_is_not_on_record() -> None:
    accounting = leader()
    accounting.begun(BEFORE)
    accounting.heard(FIRST)
    assert accounting.confirm(FIRST, on_record=True) == FIRST
    assert accounting.confirm(LATER, on_record=False) == FIRST
    assert accounting.confirm(LATER, on_record=True) == LATER


def test_deafness_reaches_from_the_last_tick_before_it_to_the_next_that_is_heard() -> None:
    accounting = leader()
    accounting.begun(BEFORE)
    accounting.heard(FIRST)
    accounting.deafened(FIRST)
    assert accounting.deafened(LATER) == FIRST  # A second connection that brought no tick.
    assert accounting.heard(LATER) == [Missed(FIRST, LATER, Why.DEAF)]
    assert not accounting.is_deaf


def test_who_has_resigned_leaves_it_to_the_next_leader() -> None:
    accounting = leader()
    accounting.begun(BEFORE)
    accounting.heard(FIRST)
    accounting.deafened(FIRST)
    accounting.resign()
    assert accounting.heard(LATER) == []


def test_it_says_since_when_nothing_was_heard_for_as_long_as_that_lasts() -> None:
    accounting = leader()
    accounting.begun(BEFORE)
    accounting.heard(FIRST)
    said = [accounting.deaf_since]
    accounting.deafened(FIRST)
    said.append(accounting.deaf_since)
    accounting.heard(LATER)
    said.append(accounting.deaf_since)
    assert said == [None, FIRST, None]


def test_a_term_begins_where_it_was_first_said_to() -> None:
    """Each answer tells what is confirmed; after the first one that may be by this very term."""
    accounting = leader(whole=False)
    accounting.begun(BEFORE)
    accounting.begun(LATER)
    assert accounting.heard(LATER) == [Missed(BEFORE, LATER, Why.HOLE)]


def test_a_new_term_confirms_nothing_of_what_the_one_before_has_confirmed() -> None:
    """Between the two others may have led."""
    accounting = leader()
    accounting.begun(BEFORE)
    accounting.heard(FIRST)
    accounting.confirm(FIRST, on_record=True)
    accounting.lead(3, whole=True, late=[])
    assert accounting.confirm(FIRST, on_record=True) is None
