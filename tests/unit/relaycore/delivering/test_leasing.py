"""Who is given which message, what becomes of it, and when it is due again."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relaycore.delivering.cursor import Cursor
from relaycore.delivering.leasing import (
    GIVEN_BACK,
    LAPSED,
    LONGEST_MS,
    LONGEST_WAIT_MS,
    Ahead,
    Delivery,
    Rows,
    State,
    lease,
    wait_ms,
)
from relaycore.delivering.settings import Settings

from .places import NOW, SECOND, at, numbers, row, settings, times

SETTINGS = Settings(deadline_ms=30 * SECOND, most_deliveries=2, most_outstanding=4)


def ahead(first: int, *rest: int, above: int = 0, upto: int | None = None) -> Ahead:
    found = [(at(one), one.to_bytes(12, "big")) for one in (first, *rest)]
    return Ahead(at(above), at(upto) if upto is not None else found[-1][0], found, 1)


HERE = Cursor(at(0), at(0))


# --- one delivery ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("state", "due_at", "is_due"),
    [
        (State.WAITING, NOW - 1, True),
        (State.WAITING, NOW, True),
        (State.WAITING, NOW + 1, False),
        (State.LEASED, NOW, True),
        (State.LEASED, NOW + LONGEST_MS, False),
        (State.LEASED, NOW + LONGEST_MS + 1, True),
        (State.WAITING, 0, True),
        (State.DEAD, NOW - 1, False),
        (State.DEAD, NOW + LONGEST_MS + 1, False),
    ],
)
def test_when_a_row_is_due(state: State, due_at: int, is_due: bool) -> None:
    assert row(1, state, due_at=due_at).is_due(NOW) is is_due


@given(settings, times, st.integers(0, 12 * 3600 * SECOND), st.integers(0, 30))
def test_no_row_is_due_later_than_the_longest_time(
    settings: Settings, now: int, milliseconds: int, attempt: int
) -> None:
    settings = replace(settings, most_deliveries=None)
    leased = row(1, State.WAITING, attempt).lease(settings, now)
    extended = leased.extend(settings, now, max(1000, milliseconds))
    for one in (leased, extended, leased.nack(settings, now), leased.nack(settings, now, milliseconds)):
        assert now <= one.due_at <= now + LONGEST_MS
    assert leased.deadline_at <= leased.due_at
    assert extended.deadline_at == now + max(1000, milliseconds)


def test_waits_double_up_to_ten_minutes() -> None:
    assert [wait_ms(one) for one in range(5)] == [1000, 1000, 2000, 4000, 8000]
    assert wait_ms(10) == 512_000
    assert wait_ms(11) == wait_ms(10**9) == LONGEST_WAIT_MS


def test_after_the_last_attempt_there_is_no_wait() -> None:
    first = Delivery(at(1), b"").lease(SETTINGS, NOW)
    assert (first.attempt, first.deadline_at, first.due_at) == (1, NOW + 30_000, NOW + 31_000)
    second = first.lease(SETTINGS, NOW)
    assert (second.attempt, second.deadline_at, second.due_at) == (2, NOW + 30_000, NOW + 30_000)


def test_given_back_it_waits_and_after_the_last_attempt_it_is_dead() -> None:
    first = Delivery(at(1), b"").lease(SETTINGS, NOW)
    waiting = first.nack(SETTINGS, NOW)
    assert (waiting.state, waiting.due_at, waiting.deadline_at) == (State.WAITING, NOW + 1000, 0)
    assert first.nack(SETTINGS, NOW, 0).due_at == NOW
    dead = waiting.lease(SETTINGS, NOW).nack(SETTINGS, NOW, 5000)
    assert (dead.state, dead.why) == (State.DEAD, GIVEN_BACK)


@given(settings, st.integers(1, 4))
def test_a_redriven_message_has_all_its_attempts_again_and_none_of_them_twice(
    settings: Settings, redriven: int
) -> None:
    settings = replace(settings, most_deliveries=3)
    delivery = Delivery(at(1), b"")
    attempts = []
    for _ in range(redriven):
        for is_last in (False, False, True):
            delivery = delivery.lease(settings, NOW)
            attempts.append(delivery.attempt)
            assert delivery.has_spent(settings) is is_last
        delivery = delivery.die(LAPSED).redrive(NOW)
        assert delivery.is_due(NOW)
        assert not delivery.has_spent(settings)
        assert delivery.why == ""
    assert len(set(attempts)) == 3 * redriven
    assert delivery.lease(settings, NOW).nack(settings, NOW).due_at == NOW + 1000


HOLDING: list[tuple[State, int, str, bool, bool]] = [
    (State.LEASED, 2, "", True, False),
    (State.LEASED, 1, "", False, False),
    (State.WAITING, 2, "", False, False),
    (State.DEAD, 2, GIVEN_BACK, False, False),
    (State.DEAD, 2, LAPSED, False, True),
    (State.DEAD, 1, LAPSED, False, False),
]


@pytest.mark.parametrize(("state", "attempt", "why", "is_held", "has_lapsed"), HOLDING)
def test_who_has_it(state: State, attempt: int, why: str, is_held: bool, has_lapsed: bool) -> None:
    found = row(1, state, 2, why=why)
    assert found.is_held(attempt) is is_held
    assert found.has_lapsed(attempt) is has_lapsed


# --- many -----------------------------------------------------------------------------------------


def test_first_what_is_due_and_then_what_is_new() -> None:
    rows = Rows([row(1, due_at=NOW)], outstanding=2, lowest=at(1))
    found = lease(SETTINGS, replace(HERE, position=at(2)), rows, ahead(3, 4, 5, above=2), 2, NOW)
    assert [one.position for one in found.again] == [at(1)]
    assert [one.position for one in found.new] == [at(3)]
    assert found.cursor.position == found.cursor.fetched == at(3)


def test_when_all_that_was_read_is_given_the_cursor_passes_what_is_not_wanted() -> None:
    assert lease(SETTINGS, HERE, Rows(), ahead(1, 2, upto=9), 2, NOW).cursor.position == at(9)
    assert lease(SETTINGS, HERE, Rows(), ahead(1, 2, upto=9), 1, NOW).cursor.position == at(1)
    nothing = Ahead(at(0), at(9), (), 1)
    assert lease(SETTINGS, HERE, Rows(), nothing, 1, NOW).cursor.position == at(9)


@pytest.mark.parametrize(
    "elsewhere",
    [None, ahead(3, above=2), replace(ahead(1), generation=2), replace(ahead(1), generation=0)],
)
def test_what_was_read_elsewhere_is_not_given(elsewhere: Ahead | None) -> None:
    found = lease(SETTINGS, HERE, Rows(), elsewhere, 5, NOW)
    assert (found.new, found.cursor) == ([], HERE)


@pytest.mark.parametrize(("outstanding", "new", "is_full"), [(0, 4, False), (3, 1, False), (4, 0, True)])
def test_no_more_is_on_its_way_than_may_be(outstanding: int, new: int, is_full: bool) -> None:
    rows = Rows((), outstanding, at(0))
    found = lease(SETTINGS, HERE, rows, ahead(1, 2, 3, 4, 5, 6), 10, NOW)
    assert (len(found.new), found.is_full) == (new, is_full)


def test_who_has_died_makes_room() -> None:
    rows = Rows([row(1, attempt=2, due_at=NOW)], outstanding=4, lowest=at(1))
    found = lease(SETTINGS, HERE, rows, ahead(5, 6, above=0), 10, NOW)
    assert [(one.state, one.why) for one in found.dead] == [(State.DEAD, LAPSED)]
    assert len(found.new) == 1
    assert not found.again


ORDERED = replace(SETTINGS, is_ordered=True)


@pytest.mark.parametrize(
    ("rows", "again", "new", "dead"),
    [
        (Rows(), [], [5], []),
        (Rows((), 1, at(1)), [], [], []),
        (Rows([row(1, due_at=NOW)], 1, at(1)), [1], [], []),
        (Rows([row(2, due_at=NOW)], 2, at(1)), [], [], []),
        (Rows([row(1, due_at=NOW), row(2, due_at=NOW)], 2, at(1)), [1], [], []),
        (Rows([row(1, attempt=2, due_at=NOW)], 1, at(1)), [], [5], [1]),
        (Rows([row(1, attempt=2, due_at=NOW), row(2, due_at=NOW)], 2, at(1)), [], [], [1]),
        (Rows([row(2, attempt=2, due_at=NOW)], 2, at(1)), [], [], [2]),
    ],
    ids=[
        "nothing is on its way",
        "the lowest is not due",
        "the lowest is due",
        "another one is due",
        "both are due",
        "the only one has died",
        "the lowest has died",
        "another one has died",
    ],
)
def test_by_order_only_the_lowest_is_given(
    rows: Rows, again: list[int], new: list[int], dead: list[int]
) -> None:
    found = lease(ORDERED, replace(HERE, position=at(4)), rows, ahead(5, 6, above=4), 10, NOW)
    given = [[one.position for one in some] for some in (found.again, found.new, found.dead)]
    assert given == [[at(one) for one in some] for some in (again, new, dead)]


deliveries = st.builds(
    row,
    numbers,
    st.sampled_from([State.WAITING, State.LEASED]),
    st.integers(0, 6),
    due_at=st.integers(NOW - 50, NOW + 50),
)


@given(settings, st.lists(deliveries, max_size=6), st.integers(0, 6), st.integers(1, 8))
def test_whatever_stands_there_nothing_is_passed_without_a_row(
    settings: Settings, moving: list[Delivery], fresh: int, most: int
) -> None:
    stands = {one.position: one for one in moving}
    due = [stands[one] for one in sorted(stands) if stands[one].is_due(NOW)][:most]
    rows = Rows(due, len(stands), min(stands, default=""))
    here = Cursor(at(50), at(50))
    read = Ahead(at(50), at(60), (), 1)
    if fresh:
        read = ahead(51, *range(52, 51 + fresh), above=50, upto=60)
    found = lease(settings, here, rows, read, most, NOW)
    new = [one.position for one in found.new]
    passed = [position for position, _ in read.messages if position <= found.cursor.position]
    assert new == passed
    assert len(found.again) + len(new) <= most
    assert {one.position for one in found.again} | {one.position for one in found.dead} <= stands.keys()
    assert len(stands) - len(found.dead) + len(new) <= max(len(stands), settings.most_outstanding)
    for one in (*found.again, *found.new):
        assert one.state is State.LEASED
        assert one.deadline_at == NOW + settings.deadline_ms
        assert one.attempt == (stands[one.position].attempt if one.position in stands else 0) + 1
        assert settings.most_deliveries is None or one.attempt <= settings.most_deliveries
    if settings.is_ordered:
        assert len(found.again) + len(new) <= 1
        lowest = min(stands, default="")
        assert all(one.position == lowest for one in found.again)
        assert not new or len(stands) == len(found.dead)
