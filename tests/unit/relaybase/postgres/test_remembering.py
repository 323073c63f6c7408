"""How what is remembered is read again: in which order, and who waits for it."""

import queue
import threading
from collections.abc import Iterator, Mapping, Sequence

import pytest

from relaybase.postgres import remembering
from relaybase.postgres.remembering import Remembering

SECONDS = 10.0


class Table(Remembering[int, int]):
    """Each key stands for itself. Once `holds_up` is set, each question waits until it is let."""

    subject = "what stands in a table"
    thread = "a test"

    def __init__(self) -> None:
        super().__init__()
        self.mark = 0
        self.asked: queue.SimpleQueue[list[int]] = queue.SimpleQueue()
        self.holds_up = False
        self.go = threading.Semaphore(0)

    def _read_mark(self) -> object:
        return self.mark

    def _read(self, keys: Sequence[int]) -> Mapping[int, int]:
        if self.holds_up:
            self.asked.put(list(keys))
            self.go.acquire(timeout=SECONDS)
        return {key: key for key in keys}


@pytest.fixture
def table() -> Iterator[Table]:
    table = Table()
    yield table
    table.holds_up = False
    table.go.release(100)
    table.close()


@pytest.fixture
def reading_again(monkeypatch: pytest.MonkeyPatch, table: Table) -> list[int]:
    """All 3,000 keys are being read again; those that were asked for first."""
    monkeypatch.setattr(remembering, "MOST", 3001)
    for question in [table._ask(key) for key in range(3000)]:
        question.result(SECONDS)
    assert table.recall(7) == 7
    table.holds_up = True
    table.mark += 1
    return table.asked.get(timeout=SECONDS)


def test_what_was_asked_for_last_is_read_again_first(table: Table, reading_again: list[int]) -> None:
    assert reading_again == [7, *range(2999, 2000, -1)]


def test_whoever_asks_while_all_is_read_again_waits_for_a_part_of_it(
    table: Table, reading_again: list[int]
) -> None:
    question, other = table._ask(-1), table._ask(-2)
    table.go.release(2)

    assert (question.result(SECONDS), other.result(SECONDS)) == (-1, -2)
    assert table.asked.get(timeout=SECONDS) == [-1, -2]
    assert len(table.asked.get(timeout=SECONDS)) == 1000
    assert table.asked.empty(), "the rest is still to be read again"


def test_who_asks_while_all_is_read_again_takes_the_place_of_what_was_not_asked_for_the_longest(
    table: Table, reading_again: list[int]
) -> None:
    questions = [table._ask(key) for key in (-1, -2)]
    table.holds_up = False
    table.go.release(100)
    assert [question.result(SECONDS) for question in questions] == [-1, -2]
    table._ask(-3).result(SECONDS)  # All of it has been read again by now.

    assert [table.recall(key) for key in (0, 1, 2, -1, -2, -3)] == [None, None, 2, -1, -2, -3]
