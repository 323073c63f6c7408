"""How many messages were handed out, and how many are done."""

from typing import Any

import pytest

from subscribers_app.pulling import counting
from subscribers_app.pulling.counting import Counted
from subscribers_app.pulling.sums import NEVER, Sums


def numbers(found: Counted) -> tuple[int, int, int, int]:
    sums = found.take()
    return sums.handed_out, sums.done, sums.nacked, sums.uncounted


def counted(*positions: str, upto: str = "") -> Counted:
    """A page went out."""
    found = Counted(1, lambda _: None)
    found.handed_out(len(positions))
    found.show(positions, upto or positions[-1])
    return found


def test_a_page_that_is_committed_is_done() -> None:
    found = counted("1", "2", "3", upto="5")
    found.committed("5")
    assert numbers(found) == (3, 3, 0, 0)
    assert not found.take()


def test_a_page_may_be_committed_bit_by_bit_and_more_than_once() -> None:
    found = counted("1", "2", "3")
    for position in ("1", "1", "3", "3"):
        found.committed(position)
    assert numbers(found) == (3, 3, 0, 0)


def test_a_page_that_is_fetched_again_is_handed_out_again_and_done_once() -> None:
    found = counted("1", "2")
    found.handed_out(2)
    found.show(["1", "2"], "2")
    found.committed("2")
    assert numbers(found) == (4, 2, 0, 0)


def test_nobody_knows_how_much_a_commit_is_of_what_another_process_handed_out() -> None:
    found = counted("1", "2")
    found.committed("9")
    found.committed("9")
    assert numbers(found) == (2, 0, 0, 1)


def test_whoever_brings_it_is_told_once_until_it_is_taken() -> None:
    told: list[Counted] = []
    found = Counted(1, told.append)
    for _ in range(3):
        found.handed_out(1)
        found.done(1)
    assert told == [found]
    sums = found.take()
    assert (sums.handed_out, sums.done) == (3, 3)
    found.nacked(1)
    assert told == [found, found]
    found.put_back(sums)
    found.committed("9")
    assert told == [found, found, found], "it was taken meanwhile"


def test_what_could_not_be_brought_is_not_forgotten() -> None:
    found = counted("1", "2")
    found.done(1)
    sums = found.take()
    found.handed_out(1)
    found.nacked(1)
    found.put_back(sums)
    assert numbers(found) == (3, 1, 1, 0)


def test_when_that_was_last_is_not_lost_either(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [1.0]
    clock: Any = type("Clock", (), {"monotonic": staticmethod(lambda: now[0])})
    monkeypatch.setattr(counting, "time", clock)
    found = counted("1")
    now[0] = 2.0
    found.nacked(1)
    sums = found.take()
    now[0] = 3.0
    found.handed_out(1)
    found.committed("9")
    found.put_back(sums)
    assert found.take() == Sums(2, 0, 1, 1, handed_out_at=3.0, done_at=3.0, nacked_at=2.0)
    assert found.take() == Sums(0, 0, 0, 0, NEVER, NEVER, NEVER)


def test_whoever_has_something_says_so() -> None:
    noted: list[Counted] = []
    found = Counted(1, noted.append)
    found.handed_out(0)
    found.show([], "5")
    found.committed("5")
    assert noted == []
    found.committed("9")
    assert noted == [found]
