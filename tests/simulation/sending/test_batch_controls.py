"""Controls: without one of the rules of `relaycore.sending.batches` schedules find what it is for."""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import islice
from typing import Any

import pytest

from relaycore.delivering.leasing import Delivery, Rows
from relaycore.sending import again
from relaycore.sending.again import Again
from relaycore.sending.batches import batch, composing
from relaycore.sending.batches.batch import Batch
from relaycore.sending.batches.composing import Limits
from relaycore.sending.contents import Contents
from relaycore.sending.items import DONE, Failed, Item, Outcome, Progress
from relaycore.sending.keyed import queue
from relaycore.sending.window import Window
from tests.simulation.delivering.ledger import Entry

from .schedules import ANSWERING, DYING, searched

TROUBLE = [*DYING, *ANSWERING]
ANEW = ["choose_anew", "choose_anew", "answer", "answer"]
Patch = pytest.MonkeyPatch


def test_control_the_id_of_the_first_message(monkeypatch: Patch) -> None:
    """Another composition has it as well, once one behind the first has gone."""
    monkeypatch.setattr(batch, "id_of", lambda ids: next(iter(ids)).hex())
    assert searched(13, "batches", [*ANSWERING, "skip", "retain"])


def test_control_rows_that_do_not_say_of_which_batch_they_are(monkeypatch: Patch) -> None:
    insert = Entry.insert

    def of_none(self: Entry, new: Iterable[Delivery]) -> None:
        insert(self, [replace(one, batch="") for one in new])

    monkeypatch.setattr(Entry, "insert", of_none)
    assert searched(13, "batches", ANSWERING)


def test_control_half_of_a_batch_is_looked_at(monkeypatch: Patch) -> None:
    due = Entry.due

    def cut(self: Entry, most: int) -> Rows:
        rows = due(self, most)
        return replace(rows, due=rows.due[:most])

    monkeypatch.setattr(Entry, "due", cut)
    assert searched(13, "batches", ANSWERING)


def test_control_half_of_a_batch_has_no_row_yet(monkeypatch: Patch) -> None:
    monkeypatch.setattr(Contents, "_is_elsewhere", lambda self, looked, batch: False)
    assert searched(13, "batches", ANEW, most=3000)


def test_control_half_of_a_batch_has_got_its_row_since(monkeypatch: Patch) -> None:
    written = Again.written

    def forget(self: Again, progress: Progress) -> None:
        written(self, progress)
        self._grown.clear()

    monkeypatch.setattr(Again, "written", forget)
    assert searched(13, "batches", ANEW, most=3000)


def test_control_half_of_a_batch_is_not_read_yet(monkeypatch: Patch) -> None:
    monkeypatch.setattr(again, "_is_missing", lambda item: False)
    assert searched(13, "batches", [*TROUBLE, "choose_anew"], most=3000)


def test_control_what_is_divided_goes_together_again(monkeypatch: Patch) -> None:
    monkeypatch.setattr(Item, "_alone", "")
    assert searched(13, "batches", ANSWERING)


def test_control_what_is_divided_is_lost_but_for_one(monkeypatch: Patch) -> None:
    settle = Window.settle

    def first(self: Window, batch: Batch, outcome: Outcome) -> None:
        for number, one in enumerate(batch.items):
            is_lost = number and isinstance(outcome, Failed) and outcome.is_apart
            settle(self, one, DONE if is_lost else outcome)

    monkeypatch.setattr(Window, "settle_batch", first)
    assert searched(1, "batches", ANSWERING)


def test_control_a_batch_that_is_larger_than_the_room(monkeypatch: Patch) -> None:
    def all_of_them(items: Iterable[Item], limits: Limits) -> Iterator[Item]:
        return islice(items, limits.most)

    monkeypatch.setattr(queue, "taken", all_of_them)
    assert searched(3, "batches", ANSWERING)


def test_control_rows_that_are_more_than_there_is_room_for(monkeypatch: Patch) -> None:
    of_rows = composing.of_rows

    def whatever_room(ready: Any, is_torn: Any, limits: Limits, **more: Any) -> Any:
        return of_rows(ready, is_torn, replace(limits, room=1000), **more)

    monkeypatch.setattr(again, "of_rows", whatever_room)
    assert searched(3, "batches", TROUBLE, most=2000)


def test_control_in_order_rows_go_together_that_have_others_between(monkeypatch: Patch) -> None:
    of_rows = composing.of_rows

    def in_no_order(ready: Any, is_torn: Any, limits: Limits, is_ordered: bool) -> Any:
        return of_rows(ready, is_torn, limits, is_ordered=False)

    monkeypatch.setattr(again, "of_rows", in_no_order)
    assert searched(6, "batches in order", [*ANSWERING, "redrive", "redrive"], most=2000, first=747)
