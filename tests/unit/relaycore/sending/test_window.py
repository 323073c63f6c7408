"""What is tried next, what is written, and what is kept of a window that is let go."""

from dataclasses import replace

import pytest

from relaycore.delivering.giving import Standing
from relaycore.delivering.leasing import Ahead, Delivery, Rows, State
from relaycore.delivering.skipping import Noted, Skip
from relaycore.position import previous_position
from relaycore.sending.items import AGED, DONE, EXPIRED, WITHHELD, Aged, Failed, Lost
from relaycore.sending.window import Window
from relaycore.storing.expiring import Expired
from tests.unit.relaycore.delivering.places import NOW, at

from .windows import (
    ORDERED,
    SETTINGS,
    add,
    look,
    look_at,
    number,
    numbers,
    standing,
    taken,
    waiting,
    window,
    written,
)

SOON = Failed(NOW + 5000, "status 500")
NEVER = Failed(None, "status 500")


def test_before_postgresql_was_asked_for_rows_nothing_is_tried() -> None:
    fresh = Window(standing(), SETTINGS)
    add(fresh, 1)
    assert fresh.wants_look
    assert fresh.next() is None
    look_at(fresh, Rows())
    assert not fresh.wants_look
    assert number(fresh.next()) == 1


def test_messages_are_tried_in_their_order_as_many_as_there_are() -> None:
    some = window(SETTINGS, 5, 1, 2, 3)
    assert [number(one) for one in taken(some)] == [1, 2, 3]
    assert some.out == 3


def test_the_cursor_stands_below_the_lowest_that_is_out() -> None:
    some = window(SETTINGS, 5, 1, 2, 3)
    first, second, third = taken(some)
    some.settle(third, DONE)
    assert some.progress() is None
    some.settle(first, DONE)
    assert written(some).cursor.position == at(1)
    some.settle(second, DONE)
    progress = written(some)
    assert (progress.seen.position, progress.cursor.position) == (at(1), at(3))
    assert some.progress() is None


def test_what_was_looked_at_and_is_not_wanted_is_passed() -> None:
    some = window()
    add(some, 2, upto=7)
    (item,) = taken(some)
    assert some.place.position == at(7)
    some.settle(item, DONE)
    assert written(some).cursor.position == at(7)
    add(some, upto=9)
    progress = written(some)
    assert (progress.seen.position, progress.cursor.position, progress.new) == (at(7), at(9), [])


def test_what_fails_gets_its_row_in_the_step_that_passes_it() -> None:
    some = window(SETTINGS, 5, 1, 2)
    first, second = taken(some)
    some.settle(first, SOON)
    some.settle(second, NEVER)
    progress = written(some)
    assert progress.cursor.position == at(2)
    assert progress.new == [
        Delivery(at(1), first.id, State.WAITING, 1, NOW + 5000, why="status 500"),
        Delivery(at(2), second.id, State.DEAD, 1, why="status 500"),
    ]


def test_a_row_that_is_due_is_tried_first_under_its_next_attempt() -> None:
    some = window(SETTINGS, 5, 8)
    look(some, waiting(3, 4, before=2))
    item = some.next()
    assert item is not None
    assert (number(item), item.is_row, item.attempt, item.tries) == (3, True, 5, 3)
    assert number(some.next()) == 8


def test_a_row_changes_as_it_was_taken() -> None:
    some = window()
    rows = [waiting(1, 4), waiting(2, 4), waiting(3, 4)]
    look(some, *rows)
    first, second, third = taken(some)
    some.settle(first, DONE)
    some.settle(second, SOON)
    some.settle(third, NEVER)
    progress = written(some)
    assert progress.done == [rows[0]]
    assert progress.changed == [
        replace(rows[1], attempt=5, due_at=NOW + 5000, why="status 500"),
        replace(rows[2], attempt=5, state=State.DEAD, due_at=0, why="status 500"),
    ]
    assert progress.cursor == progress.seen
    assert some.progress() is None


def test_a_row_whose_message_is_gone_goes_on_record() -> None:
    some = window()
    look_at(some, Rows([waiting(1), waiting(2)], 2, at(1)))
    assert numbers(some.unread) == [1, 2]
    some.read({(1).to_bytes(12, "big"): None})
    assert numbers(some.unread) == [2]
    assert some.next() is None
    assert written(some).lost == [Lost(waiting(1), EXPIRED)]


def test_what_is_too_old_is_not_tried_and_is_on_record() -> None:
    some = window(SETTINGS, 9, 1, 2, 4, 5, 6)
    look(some, waiting(3), waiting(7))
    first = some.next()
    assert number(first) == 3
    assert first is not None
    some.expire(at(5))
    assert [number(one) for one in taken(some)] == [7, 5, 6]
    progress = written(some)
    assert progress.aged == [Aged(previous_position(at(1)), at(4), 3)]
    assert progress.cursor.position == at(4)
    some.settle(first, WITHHELD)
    some.expire(at(5))
    assert written(some).lost == [Lost(waiting(3), AGED)]


def test_each_run_of_what_is_too_old_is_a_record() -> None:
    some = window(SETTINGS, 9, 1, 2, 3, 4)
    first, second = some.next(), some.next()
    assert first is not None
    assert second is not None
    some.settle(first, WITHHELD)
    some.settle(second, DONE)
    some.expire(at(4))
    assert written(some).aged == [
        Aged(previous_position(at(1)), at(1), 1),
        Aged(previous_position(at(3)), at(3), 1),
    ]


# --- bounds -------------------------------------------------------------------------------------


def test_at_the_bound_nothing_more_is_tried_till_something_is_recorded() -> None:
    some = window(SETTINGS, 3, 1, 2, 3)
    look(some, waiting(9))
    tried = taken(some)
    assert [number(one) for one in tried] == [9, 1, 2]
    for one in tried:
        some.settle(one, DONE)
    assert some.next() is None
    progress = some.progress()
    assert progress is not None
    assert some.next() is None
    some.recorded(progress)
    assert number(some.next()) == 3


def test_what_hangs_at_the_bound_gets_its_row_while_it_is_out() -> None:
    some = window(SETTINGS, 3, 1, 2, 3)
    first, second, third = taken(some)
    some.settle(second, DONE)
    some.settle(third, DONE)
    progress = written(some)
    assert progress.new == [Delivery(at(1), first.id)]
    assert progress.cursor.position == at(3)
    look(some, Delivery(at(1), first.id))
    add(some, 4, 5)
    assert [number(one) for one in taken(some)] == [4, 5]
    some.settle(first, SOON)
    assert written(some).changed == [
        Delivery(at(1), first.id, State.WAITING, 1, NOW + 5000, why="status 500")
    ]


@pytest.mark.parametrize("is_early", [True, False])
def test_what_has_got_its_row_while_it_was_out_and_is_done_goes(is_early: bool) -> None:
    some = window(SETTINGS, 1, 1)
    (item,) = taken(some)
    progress = some.progress()
    assert progress is not None
    if is_early:
        some.settle(item, DONE)
    some.recorded(progress)
    if not is_early:
        some.settle(item, DONE)
    assert written(some).done == progress.new


def test_what_has_got_its_row_and_was_withheld_is_a_row_from_then_on() -> None:
    some = window(SETTINGS, 1, 1)
    (item,) = taken(some)
    progress = some.progress()
    assert progress is not None
    some.settle(item, WITHHELD)
    some.recorded(progress)
    again = some.next()
    assert again is item
    assert again.is_row
    some.settle(again, DONE)
    written(some)
    assert some.next() is None


def test_in_order_the_rows_are_looked_at_with_what_is_written_of_them() -> None:
    some = window(ORDERED)
    look(some, waiting(1), waiting(2))
    first = some.next()
    assert first is not None
    some.settle(first, DONE)
    assert not some.wants_look
    progress = some.progress()
    assert progress is not None
    assert some.wants_look, "and not a turn later: of what is redriven each message takes that time"
    some.recorded(progress)
    assert some.wants_look
    look(some, waiting(2))
    assert number(some.next()) == 2


def test_no_more_rows_than_may_be_on_their_way() -> None:
    some = window(replace(SETTINGS, most_outstanding=3), 9, 1, 2, 3, 4)
    look_at(some, Rows((), 1, at(9)))
    first, second = taken(some)
    some.settle(first, SOON)
    some.settle(second, DONE)
    third = some.next()
    assert number(third) == 3
    assert third is not None
    assert some.next() is None
    some.settle(third, NEVER)
    assert number(some.next()) == 4
    written(some)
    assert some.next() is None
    assert some.wants_look


def test_there_is_room_for_no_more_than_are_not_recorded() -> None:
    some = window(SETTINGS, 4, 1, 2)
    assert (some.room, some.size) == (2, 2)
    look(some, waiting(9))
    assert (some.room, some.size) == (1, 3)
    tried = taken(some)
    some.settle(tried[2], DONE)
    assert (some.room, some.size) == (1, 2)


# --- order by channel ---------------------------------------------------------------------------


def test_in_order_one_is_tried_at_a_time() -> None:
    some = window(ORDERED, 5, 1, 2)
    (item,) = taken(some)
    some.settle(item, DONE)
    assert number(some.next()) == 2


def test_in_order_what_was_withheld_is_the_next_one() -> None:
    some = window(ORDERED, 5, 1, 2)
    (item,) = taken(some)
    some.settle(item, WITHHELD)
    assert some.next() is item


def test_in_order_what_has_failed_holds_back_the_rest_till_it_is_done() -> None:
    some = window(ORDERED, 5, 1, 2)
    (item,) = taken(some)
    some.settle(item, SOON)
    assert some.next() is None
    written(some)
    assert some.next() is None
    assert some.wants_look
    look_at(some, Rows((), 1, at(1)))
    assert some.next() is None
    look(some, waiting(1))
    (again,) = taken(some)
    assert again.is_row
    some.settle(again, DONE)
    assert some.next() is None
    written(some)
    assert some.next() is None
    look(some)
    assert number(some.next()) == 2


def test_in_order_what_is_dead_holds_back_nothing() -> None:
    some = window(ORDERED, 5, 1, 2)
    (item,) = taken(some)
    some.settle(item, NEVER)
    assert number(some.next()) == 2


def test_in_order_no_row_but_the_lowest_is_tried() -> None:
    some = window(ORDERED, 5, 8)
    look(some, waiting(3), lowest=2, outstanding=2)
    assert some.next() is None
    look(some, waiting(2), waiting(3))
    (item,) = taken(some)
    assert number(item) == 2
    some.settle(item, DONE)
    assert some.next() is None


# --- what is let go -----------------------------------------------------------------------------


def test_once_it_is_not_known_whether_a_step_was_committed_nothing_goes_on() -> None:
    some = window(SETTINGS, 5, 1, 2)
    first, _ = taken(some)
    some.settle(first, DONE)
    progress = some.progress()
    some.missed()
    assert some.needs_load
    assert some.next() is None
    assert some.progress() is None
    assert not add(some, 3)
    assert progress is not None
    some.recorded(progress)
    look_at(some, Rows())
    assert not some.wants_look
    assert some.needs_load


@pytest.mark.parametrize("is_committed", [True, False])
def test_what_is_known_to_be_done_is_not_tried_again(is_committed: bool) -> None:
    some = window(SETTINGS, 9, 1, 2, 3, 4)
    first, second, third, _ = taken(some)
    some.settle(first, DONE)
    some.settle(second, SOON)
    assert some.progress() is not None
    some.missed()
    some.settle(third, DONE)
    some.load(standing(2 if is_committed else 0), SETTINGS)
    look(some)
    add(some, *([] if is_committed else [1, 2]), 3, 4, 5)
    assert [number(one) for one in taken(some)] == [5]
    progress = written(some)
    assert numbers(progress.new) == ([] if is_committed else [2])
    assert progress.cursor.position == at(3)


def test_what_is_not_wanted_by_another_revision_is_let_go() -> None:
    some = window(SETTINGS, 9, 1, 2, 3)
    first, second, third = taken(some)
    some.settle(second, SOON)
    some.load(standing(revision=2), SETTINGS)
    look(some)
    add(some, 4, upto=4)
    assert some.out == 2
    some.settle(first, SOON)
    some.settle(third, DONE)
    (fourth,) = taken(some)
    some.settle(fourth, DONE)
    progress = written(some)
    assert (progress.revision, progress.cursor.position, progress.new) == (2, at(4), [])
    assert some.out == 0


def test_what_one_revision_does_not_want_and_the_next_one_does_is_not_tried_again() -> None:
    some = window(SETTINGS, 9, 1, 2, 3)
    first, second, third = taken(some)
    some.settle(second, DONE)
    some.settle(third, SOON)
    for revision, wanted in ((2, (1, 4)), (3, (1, 2, 3, 4))):
        some.load(standing(revision=revision), SETTINGS)
        look(some)
        add(some, *wanted)
    assert [number(one) for one in taken(some)] == [4]
    some.settle(first, DONE)
    progress = written(some)
    assert (progress.cursor.position, numbers(progress.new)) == (at(3), [3])


def test_what_another_revision_wants_below_all_that_is_done_is_tried_one_by_one() -> None:
    """At the bound, and nothing of it can be recorded before."""
    some = window(SETTINGS, 3, 7, 8, 9)
    for one in taken(some):
        some.settle(one, DONE)
    some.load(standing(revision=2), SETTINGS)
    look(some)
    add(some, 1, 2, 3)
    for wanted in (1, 2, 3):
        (item,) = taken(some)
        assert number(item) == wanted
        some.settle(item, DONE)
        assert some.next() is None
        written(some)
    add(some, 7, 8, 9, 10)
    assert some.next() is None
    assert written(some).cursor.position == at(9)
    assert number(some.next()) == 10


def test_what_is_out_while_another_revision_comes_is_out_once() -> None:
    some = window(SETTINGS, 9, 1)
    (item,) = taken(some)
    some.load(standing(revision=2), SETTINGS)
    look(some)
    add(some, 1, 2)
    assert [number(one) for one in taken(some)] == [2]
    some.settle(item, DONE)
    assert written(some).cursor.position == at(1)


def test_what_was_withheld_after_another_revision_came_is_chosen_by_that() -> None:
    some = window(SETTINGS, 9, 1, 2)
    first, second = taken(some)
    some.load(standing(revision=2), SETTINGS)
    look(some)
    some.settle(first, WITHHELD)
    add(some, 1, 2)
    some.settle(second, WITHHELD)
    assert [number(one) for one in taken(some)] == [1, 2]


def test_after_a_seek_nothing_of_before_counts() -> None:
    some = window(SETTINGS, 9, 1, 2, 3)
    look(some, waiting(9))
    tried = taken(some)
    some.settle(tried[1], DONE)
    some.settle(tried[2], SOON)
    some.load(standing(0, generation=2), SETTINGS)
    look(some)
    add(some, 1, 2)
    some.settle(tried[0], DONE)
    assert [number(one) for one in taken(some)] == [1, 2]
    assert some.progress() is None
    assert some.out == 3


def test_what_of_before_a_seek_is_out_counts_at_the_bound_and_in_order() -> None:
    some = window(ORDERED, 1, 1)
    (item,) = taken(some)
    some.load(standing(0, generation=2), ORDERED)
    look(some)
    add(some, 1)
    assert some.next() is None
    some.settle(item, DONE)
    assert number(some.next()) == 1


def test_a_row_that_was_got_while_out_is_known_though_nobody_heard_of_it() -> None:
    some = window(SETTINGS, 1, 1)
    (item,) = taken(some)
    progress = some.progress()
    assert progress is not None
    some.missed()
    some.settle(item, DONE)
    some.load(standing(1), SETTINGS)
    look(some, Delivery(at(1), item.id))
    assert some.next() is None
    assert written(some).done == progress.new


def test_a_row_that_was_going_to_be_got_is_not_got_once_it_is_done() -> None:
    some = window(SETTINGS, 1, 1)
    (item,) = taken(some)
    assert some.progress() is not None
    some.missed()
    some.load(standing(), SETTINGS)
    look(some)
    add(some, 1)
    some.settle(item, DONE)
    progress = written(some)
    assert (progress.new, progress.cursor.position) == ([], at(1))


def test_what_somebody_has_skipped_is_not_tried() -> None:
    some = window()
    look(some, waiting(1), waiting(2))
    look(some, waiting(2))
    assert [number(one) for one in taken(some)] == [2]


def test_what_is_out_is_not_tried_again_though_postgresql_says_it_is_due() -> None:
    some = window()
    look(some, waiting(1))
    assert [number(one) for one in taken(some)] == [1]
    look(some, waiting(1))
    assert some.next() is None


def test_while_a_step_is_under_way_a_look_says_nothing() -> None:
    some = window()
    look(some, waiting(1))
    (item,) = taken(some)
    some.settle(item, DONE)
    progress = some.progress()
    assert progress is not None
    assert some.progress() is None
    some.recorded(progress)
    written_since = some.next()
    assert written_since is None
    look(some, waiting(2))
    (item,) = taken(some)
    some.settle(item, DONE)
    progress = some.progress()
    look(some, waiting(2), waiting(3))
    assert some.next() is None


@pytest.mark.parametrize("elsewhere", [standing(1), standing(generation=2), standing(revision=2)])
def test_rows_of_when_it_stood_elsewhere_are_not_its_own(elsewhere: Standing) -> None:
    some = window(SETTINGS, 5, 1)
    some.look(elsewhere, Rows([waiting(9)], 1, at(9)))
    assert some.needs_load
    some.load(elsewhere, SETTINGS)
    assert some.next() is None
    assert numbers(some.unread) == []


def test_what_is_not_from_here_is_not_taken() -> None:
    some = window(SETTINGS, 5, 1)
    elsewhere = window(SETTINGS, 5, 1, 2)
    other = Window(standing(1, revision=2), SETTINGS)
    for one in (elsewhere, other):
        place = one.place
        ahead = replace(_ahead(some), above=place.position, revision=one._revision)
        assert not some.add(ahead, [], Expired())
    assert not some.add(replace(_ahead(some), generation=2), [], Expired())
    assert some.add(_ahead(some), [], Expired())


def _ahead(some: Window) -> Ahead:
    return Ahead(some.place.position, at(30), [], 1, 1)


# --- what retention deletes ---------------------------------------------------------------------


def test_what_is_missing_is_on_record_once_the_cursor_has_come_there() -> None:
    some = window(SETTINGS, 9, 1)
    add(some, 5, expired=Expired(at(4), 3))
    assert some.progress() is None
    (first, fifth) = taken(some)
    some.settle(first, DONE)
    progress = written(some)
    assert progress.cursor.position == at(1)
    assert progress.noted == Noted(at(4), 3)
    assert progress.missed == [Skip(at(1), at(4), 3)]
    some.settle(fifth, DONE)
    assert written(some).noted is None


def test_what_was_deleted_below_is_noted_no_sooner() -> None:
    some = window(SETTINGS, 9, 1, 2)
    add(some, 5, expired=Expired(at(1), 1))
    first, second, fifth = taken(some)
    some.settle(second, DONE)
    assert some.progress() is None
    some.settle(first, DONE)
    progress = written(some)
    assert (progress.noted, progress.missed) == (Noted(at(1), 1), [])
    some.settle(fifth, DONE)
    written(some)


def test_what_is_missing_where_nothing_comes_is_on_record() -> None:
    some = window()
    add(some, expired=Expired(at(4), 3))
    progress = written(some)
    assert progress.cursor == progress.seen
    assert progress.missed == [Skip(progress.seen.position, at(4), 3)]
    add(some, expired=Expired(at(4), 3))
    assert some.progress() is None


# --- dead letters of before a seek back ----------------------------------------------------------


def test_what_is_done_that_was_dead_before_a_seek_back_is_said() -> None:
    some = Window(standing(), SETTINGS, dead_upto=at(3))
    look(some)
    add(some, 1, 2, 3, 4)
    first, second, third, fourth = taken(some)
    some.settle(first, DONE)
    some.settle(second, SOON)
    some.settle(third, DONE)
    some.settle(fourth, DONE)
    assert written(some).risen == [at(1), at(3)]
    some.load(standing(0, generation=2), SETTINGS)
    look(some)
    add(some, 1)
    (again,) = taken(some)
    some.settle(again, DONE)
    assert written(some).risen == []
