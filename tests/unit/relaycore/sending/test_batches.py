"""What goes together, under which id, and what becomes of each message of it."""

from dataclasses import replace

import pytest

from relaycore.delivering.leasing import Delivery, Rows, State
from relaycore.errors import BadSubscription
from relaycore.sending.answers import Answer, Failure
from relaycore.sending.batches import composing
from relaycore.sending.batches.batch import Batch
from relaycore.sending.batches.ids import id_of
from relaycore.sending.batches.setting import check
from relaycore.sending.items import AGED, DONE, WITHHELD, Failed, Item
from relaycore.sending.verdict import is_of_content
from relaycore.sending.window import Window
from tests.unit.relaycore.delivering.places import NOW, at, document

from .windows import ORDERED, SETTINGS, add, look, look_at, numbers, standing, waiting, window, written

SOON = Failed(NOW + 5000, "status 500")
APART = Failed(NOW + 5000, "status 422", is_apart=True)
NEVER = Failed(None, "status 500")
MOST = 3


def batch_of(some: Window, most: int = MOST) -> Batch:
    found = some.next_batch(most)
    assert found is not None
    return found


def named(*which: int) -> str:
    return id_of(number.to_bytes(12, "big") for number in which)


def rows(*which: int, batch: str | None = None, attempt: int = 1, before: int = 0) -> list[Delivery]:
    name = named(*which) if batch is None else batch
    return [waiting(number, attempt, batch=name, before=before) for number in which]


def test_as_many_as_may_go_together_go_in_their_order() -> None:
    some = window(SETTINGS, 9, 1, 2, 3, 4, 5, 6, 7)
    found = [batch_of(some), batch_of(some)]
    assert [numbers(one.items) for one in found] == [[1, 2, 3], [4, 5, 6]]
    assert [one.id for one in found] == [named(1, 2, 3), named(4, 5, 6)]
    assert some.out == 6


def test_its_id_is_of_its_messages_in_their_order() -> None:
    assert len({named(1, 2), named(2, 1), named(1), named(2), named(1, 2, 3)}) == 5


def test_what_is_not_full_goes_at_once_where_nothing_is_under_way_and_waits_else() -> None:
    some = window(SETTINGS, 9, 1)
    first = batch_of(some)
    assert not some.is_lingering
    add(some, 2, 3)
    assert some.next_batch(MOST) is None
    assert some.is_lingering
    some.settle_batch(first, DONE)
    assert numbers(batch_of(some).items) == [2, 3]


def test_it_waits_no_more_once_that_is_said_and_what_comes_later_does() -> None:
    some = window(SETTINGS, 9, 1)
    batch_of(some)
    add(some, 2)
    some.hurry()
    assert numbers(batch_of(some).items) == [2]
    add(some, 3)
    assert some.next_batch(MOST) is None


def test_bytes_fill_a_batch_too_and_a_large_message_goes_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    size = len(document(1)["message"])
    monkeypatch.setattr(composing.Limits.__init__, "__defaults__", (2 * size,))
    some = window(SETTINGS, 9, 1, 2, 3)
    assert numbers(batch_of(some, 9).items) == [1, 2]
    monkeypatch.setattr(composing.Limits.__init__, "__defaults__", (1,))
    assert numbers(batch_of(some, 9).items) == [3]


def test_no_more_go_together_than_have_room_below_the_bound() -> None:
    some = window(SETTINGS, 4, 1, 2, 3, 4)
    assert numbers(batch_of(some).items) == [1, 2, 3]
    some.hurry()
    assert numbers(batch_of(some).items) == [4]
    assert some.next_batch(MOST) is None


def test_no_more_go_together_than_may_have_rows() -> None:
    some = window(replace(SETTINGS, most_outstanding=2), 9, 1, 2, 3)
    first = batch_of(some)
    assert numbers(first.items) == [1, 2]
    some.settle_batch(first, SOON)
    assert some.next_batch(MOST) is None


def test_what_failed_has_rows_of_one_batch_and_is_due_at_one_instant() -> None:
    some = window(SETTINGS, 9, 1, 2, 3)
    some.settle_batch(batch_of(some), SOON)
    new = written(some).new
    assert numbers(new) == [1, 2, 3]
    assert {(one.batch, one.attempt, one.due_at) for one in new} == {(named(1, 2, 3), 1, NOW + 5000)}


def test_rows_of_one_batch_go_together_however_many_may_by_now() -> None:
    some = window(SETTINGS, 9)
    look(some, *rows(1, 2, 3), *rows(4, 5))
    found = [batch_of(some, 2), batch_of(some, 2)]
    assert [one.id for one in found] == [named(1, 2, 3), named(4, 5)]
    assert found[0].tries == 2
    some.settle_batch(found[0], SOON)
    assert {one.batch for one in written(some).changed} == {named(1, 2, 3)}


def test_what_is_left_of_a_batch_has_an_id_of_its_own() -> None:
    some = window(SETTINGS, 9)
    look(some, *(one for one in rows(1, 2, 3) if one.position != at(2)))
    left = batch_of(some)
    assert left.id == named(1, 3)
    some.settle_batch(left, SOON)
    assert {one.batch for one in written(some).changed} == {named(1, 3)}


def test_what_has_grown_too_old_is_left_out_on_record() -> None:
    some = window(SETTINGS, 9)
    look(some, *rows(1, 2, 3))
    some.expire(at(2))
    assert batch_of(some).id == named(2, 3)
    assert [(one.row.position, one.cause) for one in written(some).lost] == [(at(1), AGED)]


def test_before_all_of_it_is_read_nothing_of_a_batch_goes() -> None:
    some = window(SETTINGS, 9)
    look_at(some, Rows(rows(1, 2, 3), 3, at(1)))
    some.read({one.id: document(1) for one in some.unread[:2]})
    assert some.next_batch(MOST) is None
    some.read({one.id: document(1) for one in some.unread})
    assert batch_of(some).id == named(1, 2, 3)


def test_nothing_of_a_batch_goes_before_all_of_it_has_rows_and_they_were_looked_at() -> None:
    """The window is read anew, and comes by one half of it first."""
    some = window(SETTINGS, 9, 1, 2, 3)
    some.settle_batch(batch_of(some), SOON)
    some.missed()
    some.load(standing(), SETTINGS)
    look_at(some, Rows())
    add(some, 1, 2)
    assert numbers(written(some).new) == [1, 2]
    look(some, *rows(1, 2, batch=named(1, 2, 3)), lowest=1)
    assert some.next_batch(MOST) is None
    add(some, 3)
    assert numbers(written(some).new) == [3]
    assert some.next_batch(MOST) is None
    look(some, *rows(1, 2, 3))
    assert batch_of(some).id == named(1, 2, 3)


def test_what_another_filter_does_not_want_holds_up_no_batch() -> None:
    some = window(ORDERED, 9, 1, 2, 3)
    some.settle_batch(batch_of(some), SOON)
    some.missed()
    some.load(standing(revision=2), ORDERED)
    look_at(some, Rows())
    add(some, 1, 2, 4)
    assert numbers(written(some).new) == [1, 2]
    look(some, *rows(1, 2, batch=named(1, 2, 3)), lowest=1)
    assert batch_of(some).id == named(1, 2)


def test_what_may_be_one_messages_doing_makes_each_of_them_go_by_itself() -> None:
    some = window(SETTINGS, 9, 1, 2, 3)
    some.settle_batch(batch_of(some), APART)
    assert [one.batch for one in written(some).new] == [named(1), named(2), named(3)]
    look(some, *(row for number in (1, 2, 3) for row in rows(number)))
    assert [numbers(batch_of(some).items) for _ in range(3)] == [[1], [2], [3]]


def test_a_message_that_is_sent_alone_is_in_no_batch() -> None:
    some = window(SETTINGS, 9, 1)
    item = some.next()
    assert item is not None
    some.settle(item, APART)
    assert [one.batch for one in written(some).new] == [""]


def test_in_a_format_with_one_message_rows_of_a_batch_go_each_by_itself_and_are_in_none() -> None:
    some = window(SETTINGS, 9)
    look(some, *rows(1, 2))
    item = some.next()
    assert item is not None
    some.settle(item, SOON)
    assert [(one.position, one.batch) for one in written(some).changed] == [(at(1), "")]


def test_after_the_last_attempt_each_is_dead_by_itself() -> None:
    some = window(SETTINGS, 9, 1, 2)
    some.settle_batch(batch_of(some), NEVER)
    assert [(one.state, one.batch) for one in written(some).new] == [(State.DEAD, "")] * 2


def test_what_was_redriven_is_composed_anew_with_what_was_tried_as_often() -> None:
    some = window(SETTINGS, 9)
    look(some, *rows(1, 2, batch="", before=1), *rows(3, batch="", attempt=2, before=2), *rows(4, batch=""))
    assert [batch_of(some).id for _ in range(3)] == [named(1, 2), named(3), named(4)]
    assert Delivery(at(1), b"", State.DEAD, batch="b").redrive(NOW).batch == ""


def test_in_order_what_was_redriven_goes_by_itself_and_batches_one_after_another() -> None:
    some = window(ORDERED, 9, 5)
    look(some, *rows(1, 2, batch="", before=1), *rows(3, 4), lowest=1)
    first = batch_of(some)
    assert numbers(first.items) == [1]
    assert some.next_batch(MOST) is None
    some.settle_batch(first, DONE)
    written(some)
    look(some, *rows(3, 4), lowest=3)
    assert batch_of(some).id == named(3, 4)


def test_in_order_a_batch_that_is_not_the_lowest_waits() -> None:
    some = window(ORDERED, 9)
    look(some, *rows(3, 4), lowest=1, outstanding=3)
    assert some.next_batch(MOST) is None


def test_what_is_withheld_is_composed_anew() -> None:
    some = window(SETTINGS, 9, 1, 2)
    some.settle_batch(batch_of(some), WITHHELD)
    add(some, 3)
    assert batch_of(some).id == named(1, 2, 3)


def test_what_is_out_at_the_bound_gets_rows_of_its_batch() -> None:
    some = window(SETTINGS, 3, 1, 2, 3)
    batch_of(some)
    new = written(some).new
    assert [(one.attempt, one.batch) for one in new] == [(0, named(1, 2, 3))] * 3


def test_a_batch_that_has_no_room_lets_nothing_new_before_it() -> None:
    some = window(SETTINGS, 4, 9)
    first = batch_of(some)
    look(some, *rows(1, 2, 3, 4))
    add(some, 10)
    some.hurry()
    assert some.next_batch(MOST) is None
    some.settle_batch(first, DONE)
    written(some)
    look(some, *rows(1, 2, 3, 4))
    assert batch_of(some).id == named(1, 2, 3, 4)


@pytest.mark.parametrize(
    ("answer", "is_so"),
    [
        *((Answer(status), True) for status in (400, 413, 422)),
        *((Answer(status), False) for status in (200, 401, 404, 429, 500, 503)),
        (Answer(None, Failure.REQUEST), True),
        (Answer(None, Failure.TIMEOUT), False),
    ],
    ids=str,
)
def test_what_may_be_the_contents_doing(answer: Answer, is_so: bool) -> None:
    assert is_of_content(answer) is is_so


def test_a_batch_is_let_go_with_one_of_its_messages() -> None:
    items = [Item(at(number), number.to_bytes(12, "big"), document(number)) for number in (1, 2)]
    batch = Batch(items)
    assert not batch.is_let_go
    items[1].is_let_go = True
    assert batch.is_let_go


@pytest.mark.parametrize(
    ("format", "order", "most", "says"),
    [
        ("raw", "none", 5, "batch_messages: "),
        ("nothing", "none", 5, "batch_messages: "),
        ("ndjson", "field", None, "format: "),
        ("cloudevents-batch", "field", 5, "format: "),
    ],
)
def test_what_does_not_go_with_each_other_is_refused(
    format: str, order: str, most: int | None, says: str
) -> None:
    with pytest.raises(BadSubscription, match=says):
        check(format, order, most)


@pytest.mark.parametrize("order", ["none", "channel"])
def test_what_goes_with_each_other(order: str) -> None:
    check("ndjson", order, 5)
    check("ndjson", order, None)
    check("raw", order, None)
    check("raw", "field", None)
