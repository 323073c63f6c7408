"""What follows for readers, and for who counts, from what Redis says of a partition."""

import pytest

from relaycore.position import first_of, next_position
from relaycore.storing.known import Beside, delivered_below, operation_time, operation_time_of, watermark

AT = 1_732_190_000_000


def test_where_nothing_waits_only_what_comes_is_above() -> None:
    beside = Beside(last_id="7-1", at=AT)
    assert watermark(beside) == delivered_below(beside) == first_of(f"{AT}-0")


def test_what_comes_is_above_what_stands_although_the_clock_was_set_back() -> None:
    beside = Beside(last_id=f"{AT + 5}-3", at=AT)
    assert watermark(beside) == delivered_below(beside) == next_position(f"{AT + 5}-3")


def test_what_was_delivered_is_counted_up_to_the_first_that_was_not() -> None:
    beside = Beside(waiting="9-0", undelivered="9-0", last_id="12-0", at=AT)
    assert watermark(beside) == delivered_below(beside) == first_of("9-0")


def test_what_is_pending_keeps_readers_back_and_was_delivered() -> None:
    beside = Beside(waiting="5-0", delivered=True, undelivered="9-0", last_id="12-0", at=AT)
    assert watermark(beside) == first_of("5-0")
    assert delivered_below(beside) == first_of("9-0")

    beside = Beside(waiting="5-0", delivered=True, last_id="9-0", at=AT)
    assert delivered_below(beside) == first_of(f"{AT}-0")


def test_the_order_of_texts_is_the_order_of_times() -> None:
    times = [(0, 1), (9, 10), (10, 2), (10, 11), (1_795_262_400, 1), (2**32 - 1, 2**32 - 1)]

    texts = [operation_time(*time) for time in times]

    assert sorted(texts) == texts
    assert [operation_time_of(text) for text in texts] == times
    assert min(texts) > ""


@pytest.mark.parametrize("text", ["", "1.1", "x" * 21, "0000000001.000000000", "0000000001.0000000001\n"])
def test_what_somebody_else_has_put_there_is_no_time(text: str) -> None:
    assert operation_time_of(text) is None
