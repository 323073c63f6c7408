"""The queue of the roster's thread: what is in order first, looks made one and never too often."""

import threading
import time
from itertools import pairwise

from channels_app.listening.recording.jobs import MOST_NAMES, Jobs, TableLook

LONG = 60.0
WHOLE = TableLook()


def rested() -> Jobs[str]:
    """A queue that has given out its first look at the whole table."""
    jobs: Jobs[str] = Jobs()
    assert jobs.take(LONG) == WHOLE
    return jobs


def test_the_first_job_is_a_look_at_the_whole_table() -> None:
    assert Jobs[str]().take(LONG) == WHOLE


def test_what_is_put_comes_in_order_and_before_any_look() -> None:
    jobs = Jobs[str]()
    jobs.look("orders")
    jobs.put("one")
    jobs.look("bills")
    jobs.put("two")
    assert [jobs.take(LONG) for _ in range(3)] == ["one", "two", WHOLE]


def test_looks_that_wait_are_one() -> None:
    jobs = rested()
    for _ in range(10_000):
        jobs.look("orders")
    jobs.look("bills")
    look = jobs.take(LONG)
    assert isinstance(look, TableLook)
    assert sorted(look.names) == ["bills", "orders"]
    jobs.put("next")
    assert jobs.take(LONG) == "next"


def test_a_look_at_all_takes_in_every_other_one() -> None:
    jobs = rested()
    jobs.look("orders")
    jobs.look()
    jobs.look("bills")
    assert jobs.take(LONG) == WHOLE


def test_a_look_at_too_many_is_one_at_all() -> None:
    jobs = rested()
    for number in range(MOST_NAMES):
        jobs.look(str(number))
    jobs.look("0")
    assert jobs.take(LONG) != WHOLE
    for number in range(MOST_NAMES + 1):
        jobs.look(str(number))
    assert jobs.take(LONG) == WHOLE


def test_a_look_at_all_that_is_due_leaves_what_was_asked_for_by_name() -> None:
    jobs = rested()
    jobs.look("orders")
    assert jobs.take(0.0) == WHOLE
    assert jobs.take(LONG) == TableLook(("orders",))


def test_a_look_after_a_rest_is_at_once_and_one_right_after_a_look_waits() -> None:
    jobs = rested()
    times = []
    for _ in range(3):
        jobs.look("orders")
        assert jobs.take(LONG) == TableLook(("orders",))
        times.append(time.monotonic())
    assert all(0.19 < after - before < 0.6 for before, after in pairwise(times))


def test_what_is_put_does_not_wait_for_a_look_that_waits() -> None:
    jobs = rested()
    jobs.look("orders")
    jobs.take(LONG)
    jobs.look("orders")
    threading.Timer(0.05, jobs.put, ["a gap"]).start()
    began = time.monotonic()
    assert jobs.take(LONG) == "a gap"
    assert time.monotonic() - began < 0.19


def test_the_whole_table_is_looked_at_in_time_however_many_names_are_asked_for() -> None:
    jobs = rested()
    until = time.monotonic() + 1.2
    looks = []
    while time.monotonic() < until:
        jobs.look("orders")
        looks.append(jobs.take(0.5))
    assert 2 <= looks.count(WHOLE) <= 3
    assert TableLook(("orders",)) in looks


def test_the_end_comes_after_what_was_put_and_waits_for_no_look() -> None:
    jobs = rested()
    jobs.put("a gap")
    jobs.look("orders")
    jobs.close()
    assert jobs.take(LONG) == "a gap"
    assert jobs.take(LONG) is None
