"""Controls: without one of the rules of `relaycore.sending` the same schedules find what it is for."""

from collections.abc import Callable
from dataclasses import replace
from itertools import takewhile
from typing import Any

import pytest

from relaycore.delivering import holding
from relaycore.delivering.giving import Standing
from relaycore.delivering.leasing import Rows
from relaycore.delivering.reading import ReadAhead
from relaycore.delivering.settings import Settings
from relaycore.leasing.confirming import Confirmed
from relaycore.sending import writing
from relaycore.sending.again import Again
from relaycore.sending.breaker import Breaker
from relaycore.sending.contents import Contents
from relaycore.sending.items import Failed, Item, Progress, State, Withheld
from relaycore.sending.keyed.keys import Keys
from relaycore.sending.noting import Noting
from relaycore.sending.window import Window
from relaycore.sending.writing import Passed
from tests.simulation.delivering.ledger import Entry

from .schedules import ANSWERING, DYING, LOOKING_AFTER, RETAINING, searched
from .sender import Line, Sender

TROUBLE = [*DYING, *ANSWERING]
Patch = pytest.MonkeyPatch


# --- 1: the cursor passes what is done, or gets its row in the same step --------------------------


def test_control_a_cursor_that_passes_what_is_out(monkeypatch: Patch) -> None:
    def out_as_well(items: Any, seen: str, *others: Any, is_stuck: bool) -> Passed:
        passed = list(takewhile(lambda one: one.state is not State.QUEUED, items))
        return Passed(passed, passed, [], passed[-1].position if passed else seen)

    monkeypatch.setattr(writing, "passed", out_as_well)
    assert searched(1, "plain")


def test_control_a_cursor_that_moves_without_rows(monkeypatch: Patch) -> None:
    monkeypatch.setattr(Entry, "insert", lambda self, new: None)
    assert searched(1, "plain", ANSWERING)


def test_control_rows_that_are_made_in_another_transaction(monkeypatch: Patch) -> None:
    transact, insert = Sender._transact, Entry.insert
    made: list[Any] = []

    def in_two(self: Sender, line: Line, work: Callable[[Entry], Any]) -> Any:
        made.clear()
        answer = transact(self, line, work)
        new = list(made)
        transact(self, line, lambda entry: [insert(entry, one) for one in new])
        return answer

    monkeypatch.setattr(Entry, "insert", lambda self, new: made.append(new))
    monkeypatch.setattr(Sender, "_transact", in_two)
    assert searched(1, "plain", ANSWERING)


def test_control_what_was_read_is_taken_for_all_there_is(monkeypatch: Patch) -> None:
    first = ReadAhead.first

    def up_to_the_end(self: ReadAhead, *limits: Any) -> tuple[list[Any], str]:
        return first(self, *limits)[0], self.looked

    monkeypatch.setattr(ReadAhead, "first", up_to_the_end)
    assert searched(1, "tight")


# --- 2: what is recorded holds under the epoch, and where it was seen -----------------------------


def test_control_a_sender_that_was_frozen_writes(monkeypatch: Patch) -> None:
    monkeypatch.setattr(Sender, "_is_current", lambda self: True)
    assert searched(2, "plain", DYING)


def test_control_a_seek_is_undone(monkeypatch: Patch) -> None:
    monkeypatch.setattr(Sender, "_stands", lambda self, entry, progress: True)
    assert searched(2, "plain", ["seek"])


def test_control_another_filter_is_passed_by_what_was_chosen_before(monkeypatch: Patch) -> None:
    def whatever_revision(self: Sender, entry: Entry, progress: Progress) -> bool:
        return entry.cursor.stands_as(progress.seen)

    monkeypatch.setattr(Sender, "_stands", whatever_revision)
    assert searched(1, "filtered", ["choose_anew", "kill"])


# --- 3: what is not known to be committed ---------------------------------------------------------


def test_control_what_may_be_committed_is_taken_for_committed(monkeypatch: Patch) -> None:
    def believe(self: Sender, window: Window) -> None:
        if window._step is not None:
            window.recorded(window._step.progress)

    monkeypatch.setattr(Sender, "_lose", believe)
    assert searched(5, "plain", TROUBLE)


# --- 4: nothing is sent but under a lease that is confirmed ---------------------------------------


def test_control_once_confirmed_for_ever(monkeypatch: Patch) -> None:
    monkeypatch.setattr(Confirmed, "holds", lambda self, now: self._until is not None)
    assert searched(4, "plain", DYING)


def test_control_a_lease_that_holds_from_when_the_answer_came(monkeypatch: Patch) -> None:
    monkeypatch.setattr(Sender, "_holds_from", lambda self, asked_at: self._seconds)
    assert searched(4, "plain", DYING, most=2000, first=442)


def test_control_a_lease_that_is_looked_at_once_for_all_that_waits(monkeypatch: Patch) -> None:
    monkeypatch.setattr(Sender, "_may_still_try", lambda self, line, item: not item.is_let_go)
    assert searched(4, "plain", DYING, most=2000, first=241)


# --- 5: what a sender that dies repeats -----------------------------------------------------------


def test_control_as_many_without_a_trace_as_you_like(monkeypatch: Patch) -> None:
    begin = Window.__init__

    def without_a_bound(
        self: Window, standing: Standing, settings: Settings, most: int, dead_upto: str
    ) -> None:
        begin(self, standing, settings, 1000, dead_upto)

    monkeypatch.setattr(Window, "__init__", without_a_bound)
    assert searched(3, "tight")


def test_control_only_what_is_out_counts_at_the_bound(monkeypatch: Patch) -> None:
    settle = Window.settle

    def forget(self: Window, item: Item, outcome: Any) -> None:
        counted = not item.is_let_go and not isinstance(outcome, Withheld)
        settle(self, item, outcome)
        self._here.unrecorded -= counted

    monkeypatch.setattr(Window, "settle", forget)
    monkeypatch.setattr(Window, "room", property(lambda self: 9))
    assert searched(3, "tight")


# --- 6: what is known to be done ------------------------------------------------------------------


def test_control_what_is_known_to_be_done_is_forgotten(monkeypatch: Patch) -> None:
    def forget(self: Contents, position: str) -> None:
        for one in self.items:
            one.is_let_go = True

    monkeypatch.setattr(Contents, "_keep", forget)
    assert searched(5, "plain", DYING)


def test_control_what_another_revision_does_not_want_is_forgotten(monkeypatch: Patch) -> None:
    add = Window.add

    def forgetful(self: Window, *arguments: Any) -> bool:
        was_added = add(self, *arguments)
        if was_added and self._here.kept:
            self._here.let_go_kept(self._looked)
            self._here.count()
        return was_added

    monkeypatch.setattr(Window, "add", forgetful)
    assert searched(5, "tight", ["choose_anew", "choose_anew", "answer"], most=2000)


def test_control_what_is_done_before_a_seek_is_done_after_it(monkeypatch: Patch) -> None:
    load = Window.load

    def in_the_same_generation(self: Window, standing: Standing, *others: Any) -> None:
        self._seen = replace(self._seen, generation=standing.cursor.generation)
        load(self, standing, *others)

    monkeypatch.setattr(Window, "load", in_the_same_generation)
    assert searched(1, "plain", ["seek", "answer"], most=1000)


def test_control_what_is_due_is_tried_while_it_is_out(monkeypatch: Patch) -> None:
    look = Again.look

    def as_if_nothing_was_out(self: Again, rows: Rows) -> None:
        self._items = {}
        look(self, rows)

    monkeypatch.setattr(Again, "look", as_if_nothing_was_out)
    assert searched(5, "plain", TROUBLE)


# --- 7: a row is changed as it was taken ----------------------------------------------------------


def test_control_what_was_skipped_comes_back_by_an_answer(monkeypatch: Patch) -> None:
    monkeypatch.setattr(
        Entry, "update", lambda self, changed: self.rows.update({one.position: one for one in changed})
    )
    monkeypatch.setattr(Sender, "_is_as_taken", lambda self, entry, position, attempt: True)
    assert searched(7, "plain", [*ANSWERING, *LOOKING_AFTER], most=2000)


def test_control_a_dead_letter_of_what_has_arrived_since(monkeypatch: Patch) -> None:
    look_up = Sender._look_up
    monkeypatch.setattr(Sender, "_look_up", lambda self, entry: (*look_up(self, entry)[:3], ""))
    assert searched(5, "once", ["seek", "answer", "redrive", "redrive"], most=2000)


def test_control_what_was_redriven_dies_by_an_answer_of_before(monkeypatch: Patch) -> None:
    """One whose record was not heard of is written once more."""
    monkeypatch.setattr(Sender, "_is_as_taken", lambda self, entry, position, attempt: position in entry.rows)
    assert searched(8, "plain", ["answer", "redrive", "redrive", "redrive"], most=6000, first=300)


# --- 8: order -------------------------------------------------------------------------------------


def test_control_in_order_several_at_once(monkeypatch: Patch) -> None:
    begin = Window._begin

    def in_no_order(self: Window, standing: Standing, settings: Settings, dead_upto: str) -> None:
        begin(self, standing, replace(settings, is_ordered=False), dead_upto)

    monkeypatch.setattr(Window, "_begin", in_no_order)
    assert searched(6, "ordered")


def test_control_in_order_what_is_new_does_not_wait_for_rows(monkeypatch: Patch) -> None:
    monkeypatch.setattr(Contents, "on_their_way", property(lambda self: 0))
    assert searched(6, "ordered", ANSWERING)


def test_control_in_order_nobody_asks_for_rows_first(monkeypatch: Patch) -> None:
    monkeypatch.setattr(
        Again, "is_known", property(lambda self: True, lambda self, value: None), raising=False
    )
    assert searched(6, "ordered", TROUBLE)


def test_control_in_order_what_is_known_of_rows_is_not_asked_anew(monkeypatch: Patch) -> None:
    """After one is done it is not known how many are left."""
    written = Again.written

    def count_down(self: Again, progress: Progress) -> None:
        written(self, progress)
        self.outstanding = max(0, self.outstanding - len(progress.done) - len(progress.changed))

    monkeypatch.setattr(Again, "written", count_down)
    assert searched(6, "ordered", ANSWERING)


def test_control_in_order_whatever_row_is_due(monkeypatch: Patch) -> None:
    next_one = Again.next

    def whatever(self: Again, is_out: Any, is_ordered: bool) -> Item | None:
        return next_one(self, is_out, is_ordered=False)

    monkeypatch.setattr(Again, "next", whatever)
    assert searched(6, "ordered", [*ANSWERING, "redrive", "redrive"], most=3000)


# --- 9: what is withheld is no attempt ------------------------------------------------------------


def test_control_what_is_withheld_counts(monkeypatch: Patch) -> None:
    def count(self: Sender, item: Item) -> Failed:
        return Failed(None, "withheld")

    monkeypatch.setattr(Sender, "_withheld", count)
    assert searched(8, "once", ["pause", "resume", "answer"], most=1000)


def test_control_a_redriven_one_has_no_tries_left(monkeypatch: Patch) -> None:
    monkeypatch.setattr(Item, "tries", property(lambda self: self.attempt))
    assert searched(8, "plain", [*ANSWERING, "redrive", "redrive"], most=2000)


# --- 10: retention and age ------------------------------------------------------------------------


def test_control_nobody_looks_what_is_missing(monkeypatch: Patch) -> None:
    monkeypatch.setattr(Noting, "find", lambda self, above, expired: None)
    assert searched(1, "plain", RETAINING)


def test_control_what_was_deleted_is_looked_for_before_it_is_read(monkeypatch: Patch) -> None:
    monkeypatch.setattr(Sender, "_expired", lambda self, read, early: early)
    assert searched(1, "plain", RETAINING, most=2000)


def test_control_what_was_deleted_is_noted_before_the_cursor_is_there(monkeypatch: Patch) -> None:
    upto = Noting.upto
    monkeypatch.setattr(Noting, "upto", lambda self, position: upto(self, "9"))
    assert searched(1, "plain", [*TROUBLE, *RETAINING], most=2000)


def test_control_a_row_waits_for_a_message_that_is_gone(monkeypatch: Patch) -> None:
    read = Again.read

    def only_what_is_there(self: Again, documents: Any) -> None:
        read(self, {id: one for id, one in documents.items() if one is not None})

    monkeypatch.setattr(Again, "read", only_what_is_there)
    assert searched(12, "plain", [*ANSWERING, *RETAINING])


@pytest.mark.parametrize(("cause", "reader"), [("expired", "plain"), ("age", "aged"), ("retention", "plain")])
def test_control_what_is_not_sent_is_not_on_record(monkeypatch: Patch, cause: str, reader: str) -> None:
    record = Entry.record

    def but_this(self: Entry, what: str, *arguments: Any) -> None:
        if what != cause:
            record(self, what, *arguments)

    monkeypatch.setattr(Entry, "record", but_this)
    assert searched(1, reader, [*TROUBLE, *RETAINING])


def test_control_what_is_too_old_is_sent(monkeypatch: Patch) -> None:
    monkeypatch.setattr(Window, "expire", lambda self, before: None)
    assert searched(9, "aged", TROUBLE)


# --- 11, 12: the breaker, and how many rows -------------------------------------------------------


def test_control_whoever_is_left_alone_is_tried_by_many(monkeypatch: Patch) -> None:
    may_try = Breaker.may_try
    monkeypatch.setattr(Breaker, "may_try", lambda self, now, out: may_try(self, now, 0))
    assert searched(11, "plain", ANSWERING)


def test_control_as_many_rows_as_you_like(monkeypatch: Patch) -> None:
    monkeypatch.setattr(Contents, "on_their_way", property(lambda self: 0))
    assert searched(10, "tight", ANSWERING)


# --- order by a field -----------------------------------------------------------------------------


def test_control_what_waits_is_not_held(monkeypatch: Patch) -> None:
    monkeypatch.setattr(Entry, "hold", lambda self, held, free: None)
    assert searched(1, "keyed", ANSWERING)


def test_control_what_fails_parks_nothing(monkeypatch: Patch) -> None:
    monkeypatch.setattr(Keys, "is_parked", lambda self, key: False)
    assert searched(6, "keyed", ANSWERING)


def test_control_a_key_is_forgotten_while_it_is_out(monkeypatch: Patch) -> None:
    monkeypatch.setattr(Keys, "is_out", lambda self, key: False)
    assert searched(6, "keyed", [*TROUBLE, "seek", "redrive"], most=2000, first=189)


def test_control_what_waits_was_chosen_by_the_filter_of_now(monkeypatch: Patch) -> None:
    def by_now(position: str, generation: int, earlier: Any, now: Any) -> Any:
        return now

    monkeypatch.setattr(holding, "chosen_by", by_now)
    assert searched(1, "keyed and filtered", ["choose_anew", "choose_anew", "answer"])


def test_control_what_was_deleted_while_it_waited_is_not_on_record(monkeypatch: Patch) -> None:
    record = Entry.record

    def of_no_key(
        self: Entry, cause: str, after: str, upto: str, messages: int | None, key: str = ""
    ) -> None:
        if not key:
            record(self, cause, after, upto, messages)

    monkeypatch.setattr(Entry, "record", of_no_key)
    assert searched(1, "keyed", [*ANSWERING, *RETAINING])


def test_control_a_key_that_goes_on_two_at_a_time(monkeypatch: Patch) -> None:
    """Its next message gets its row while the one before it is still on its way."""
    subtract = Keys.step

    def early(self: Keys, ended: Any, new: Any, held: Any) -> Any:
        return subtract(self, {*ended, *self._rows}, new, held)

    monkeypatch.setattr(Keys, "step", early)
    monkeypatch.setattr(Keys, "is_out", lambda self, key: False)
    assert searched(6, "keyed", ANSWERING)
