"""What is appended when: nothing is forgotten, nothing is told that has not stood, memory is bounded."""

import itertools
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from relaycore.publishing import queue as module
from relaycore.publishing.queue import ENTRY_BYTES, Batch, Echo, Published, Queue, Room, Share
from relaycore.publishing.standing import Stood


def one(*documents: bytes, echo: Echo | None = None) -> Published:
    return Published(list(documents), echo)


def test_who_comes_alone_waits_for_nobody() -> None:
    queue, alone = Queue(), one(b"a")
    queue.add(alone)

    batch = queue.next()

    assert batch is not None
    assert batch.parts == [alone]
    assert queue.stood() == [alone]
    assert queue.is_empty


def test_what_comes_while_something_is_under_way_goes_into_the_next_one() -> None:
    queue = Queue()
    first, second, third = one(b"a"), one(b"b", b"c"), one(b"d")
    queue.add(first)
    queue.next()
    queue.add(second)
    queue.add(third)
    assert queue.next() is None

    queue.stood()
    batch = queue.next()

    assert batch is not None
    assert batch.documents == [b"b", b"c", b"d"]
    assert [part.first for part in batch.parts] == [0, 2]


def test_what_is_unknown_is_sent_again_before_anything_else() -> None:
    queue = Queue()
    first, second = one(b"a"), one(b"b")
    queue.add(first)
    sent = queue.next()
    queue.add(second)

    queue.unknown()

    assert queue.next() is sent
    assert first.may_repeat
    assert not second.may_repeat
    assert queue.stood() == [first]


def test_a_large_request_is_appended_alone_in_entries_of_a_mebibyte() -> None:
    queue = Queue()
    half, whole = ENTRY_BYTES // 2, ENTRY_BYTES
    large = one(b"b" * half, b"c" * half, b"d" * whole, b"e" * (whole + 1), b"f")
    parts = [one(b"a" * half), large, one(b"g")]
    for part in parts:
        queue.add(part)

    entries = []
    for part in parts:
        batch = queue.next()
        assert batch is not None
        assert batch.parts == [part]
        entries.append([b"".join(document[:1] for document in entry) for entry in batch.entries])
        queue.stood()

    assert entries == [[b"a"], [b"bc", b"d", b"e", b"f"], [b"g"]]
    assert large.lengths == [2, 1, 1, 1]


@given(st.lists(st.lists(st.integers(1, 40), min_size=1, max_size=9), max_size=9))
def test_everything_is_in_entries_in_order_and_none_is_larger_than_it_has_to_be(
    sizes: list[list[int]],
) -> None:
    queue, names = Queue(), itertools.count()
    parts = [one(*(b"%03d" % next(names) * size for size in request)) for request in sizes]
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(module, "ENTRY_BYTES", 90)
        patched.setattr(module, "ENTRY_MESSAGES", 4)
        for part in parts:
            queue.add(replace(part))
        found = []
        while (batch := queue.next()) is not None:
            stood = [str(len(found) + index) for index in range(len(batch.entries))]
            found += batch.entries
            at = 0
            for part in queue.stood():
                assert len(batch.entries) == 1 or len(batch.parts) == 1
                places = Stood([f"{id}-0" for id in stood], part.lengths, part.first).positions
                for document, position in zip(part.documents, places, strict=True):
                    entry = found[int(position.split("-")[0])]
                    assert entry[int(position.split("-")[2])] is document
                at += len(part.documents)
            assert at == len(batch.documents)

    assert [document for entry in found for document in entry] == [
        d for part in parts for d in part.documents
    ]
    for entry in found:
        assert len(entry) <= 4
        assert sum(map(len, entry)) <= 90 or len(entry) == 1


def test_echoes_on_one_channel_are_joined_as_long_as_they_follow_each_other() -> None:
    batch = Batch(
        [
            one(echo=Echo(b"a", [b"1"])),
            one(echo=Echo(b"a", [b"2", b"3"])),
            one(),
            one(echo=Echo(b"b", [b"4"])),
            one(echo=Echo(b"a", [b"5"])),
        ]
    )

    assert batch.echoes == [Echo(b"a", [b"1", b"2", b"3"]), Echo(b"b", [b"4"]), Echo(b"a", [b"5"])]


@given(st.lists(st.integers(0, 40)))
def test_there_is_never_more_than_the_room_but_for_one(sizes: list[int]) -> None:
    room, taken = Room(100), list[int]()
    for size in sizes:
        if room.take(size):
            taken.append(size)
        elif taken:
            room.give(taken.pop(0))
        assert room.taken == sum(taken) <= 100


def test_one_that_is_larger_than_the_room_is_taken_alone() -> None:
    room = Room(100)

    assert room.take(1000)
    assert not room.take(1)


def test_a_request_that_grows_holds_what_it_has_until_it_gives_it_back() -> None:
    room = Room(100)
    first, second = Share(room), Share(room)

    assert first.grow(60)
    assert second.grow(30)
    assert not first.grow(20)
    assert (first.size, second.size, room.taken) == (60, 30, 90)
    second.give_back()
    assert first.grow(1000)  # It is alone.
    first.give_back()
    assert room.taken == 0


class Histories(RuleBasedStateMachine):
    """Redis takes in what it is sent, or not, and its answers may be lost."""

    def __init__(self) -> None:
        super().__init__()
        self.queue = Queue()
        self.stream: list[bytes] = []
        self.sent: Batch | None = None
        self.asked: list[Published] = []
        self.told_good: list[Published] = []
        self.told_unconfirmed: list[Published] = []
        self.told_bad: list[Published] = []
        self.names = 0

    @rule(count=st.integers(1, 3))
    def publish(self, count: int) -> None:
        documents = [b"%d" % (self.names + index) for index in range(count)]
        self.names += count
        self.asked.append(one(*documents))
        self.queue.add(self.asked[-1])

    @precondition(lambda self: self.sent is None)
    @rule()
    def send(self) -> None:
        self.sent = self.queue.next()

    @precondition(lambda self: self.sent is not None)
    @rule(what=st.sampled_from(["stood", "unconfirmed", "refused", "lost before", "lost after"]))
    def answer(self, what: str) -> None:
        assert self.sent is not None
        assert self.queue.next() is None
        if what in {"stood", "unconfirmed", "lost after"}:
            self.stream += self.sent.documents
        self.sent = None
        if what == "stood":
            self.told_good += self.queue.stood()
        elif what == "unconfirmed":
            self.told_unconfirmed += self.queue.stood()
        elif what == "refused":
            self.told_bad += self.queue.refused()
        else:
            self.queue.unknown()

    @precondition(lambda self: self.sent is None)
    @rule()
    def give_up(self) -> None:
        self.told_bad += self.queue.give_up()

    @invariant()
    def what_was_told_has_stood(self) -> None:
        for part in [*self.told_good, *self.told_unconfirmed]:
            assert set(part.documents) <= set(self.stream)
        for part in self.told_bad:
            assert part.may_repeat or not set(part.documents) & set(self.stream)

    @invariant()
    def each_is_told_once_or_waits(self) -> None:
        told = [*self.told_good, *self.told_unconfirmed, *self.told_bad]
        assert len(set(map(id, told))) == len(told)
        if self.queue.is_empty:
            assert set(map(id, told)) == set(map(id, self.asked))

    @invariant()
    def what_stands_first_is_in_the_order_in_which_it_was_published(self) -> None:
        first = list(dict.fromkeys(self.stream))
        assert first == sorted(first, key=int)

    def teardown(self) -> None:
        if self.sent is not None:
            self.told_good += self.queue.stood()


TestHistories: Any = Histories.TestCase
