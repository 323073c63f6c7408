"""Which batches may be in flight together: those of one listener, and those that share no message."""

from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relaycore.storing.together import Contents, Start, first_copies, start

ONE, SAME_LATER, NEXT, HTTP = b"7.c0ffee00.1", b"7.c0ffee00.2", b"8.c0ffee00.1", b"http.1"


def batch(*entries: tuple[bytes, str]) -> Contents:
    """Entries: their sources, and the ids of their messages, a letter each."""
    contents = Contents()
    for source, ids in entries:
        contents.add(source, ids)
    return contents


class InFlight(list[Contents]):
    """Batches in flight, the oldest first."""

    def submit(self, contents: Contents) -> Start:
        """When this one may be sent, which is one of them then."""
        found = start(contents, self)
        self.append(contents)
        return found

    def settle(self, count: int = 1) -> None:
        """The oldest ones are settled."""
        del self[:count]


class Ids(list[str]):
    """Looked at so many times."""

    looked = 0

    def __iter__(self) -> Iterator[str]:
        self.looked += 1
        return super().__iter__()


def started(*batches: Contents) -> list[Start]:
    in_flight = InFlight()
    return [in_flight.submit(one) for one in batches]


def test_of_one_listener_no_id_is_looked_at() -> None:
    in_flight, ids = InFlight(), Ids("ab")
    for _ in range(3):
        contents = Contents()
        for _ in range(2):
            contents.add(ONE, ids)
        assert in_flight.submit(contents) == Start()
    assert ids.looked == 0


def test_what_a_listener_has_published_twice_is_no_repetition() -> None:
    assert started(batch((ONE, "ab"), (ONE, "a")), batch((ONE, "a"))) == [Start(), Start()]
    # Nor is it beside something else.
    assert started(batch((ONE, "ab"), (ONE, "a"), (HTTP, "x")), batch((ONE, "ab"))) == [Start(), Start()]


@pytest.mark.parametrize("source", [SAME_LATER, NEXT, HTTP, b"1.1", b"retry.0a", b"7.c0ffee00.x", b""])
def test_what_shares_nothing_with_a_listener_waits_for_nothing(source: bytes) -> None:
    assert started(batch((ONE, "ab")), batch((source, "cd")), batch((ONE, "ef"))) == [Start()] * 3


@pytest.mark.parametrize("source", [SAME_LATER, NEXT, HTTP, b"1.1", b"retry.0a", b"7.c0ffee00.x", b""])
def test_what_another_source_repeats_waits_for_the_first(source: bytes) -> None:
    assert started(batch((ONE, "ab")), batch((source, "bc"))) == [Start(), Start(after=1)]
    assert started(batch((source, "ab")), batch((ONE, "bc"))) == [Start(), Start(after=1)]
    assert started(batch((ONE, "ab"), (source, "bc"))) == [Start(repeats=True)]


@pytest.mark.parametrize("source", [HTTP, b"retry.0a", b"", b"1", b"1.", b".1", b"1.1\n", b"x1.1", b"1.G.1"])
def test_a_source_that_is_no_listener_may_repeat_itself(source: bytes) -> None:
    assert started(batch((source, "ab")), batch((source, "bc"))) == [Start(), Start(after=1)]
    assert started(batch((source, "aba"))) == [Start(repeats=True)]
    assert started(batch((source, "ab"), (source, "c"), (source, "a"))) == [Start(repeats=True)]
    assert started(batch((source, "ab")), batch((source, "cd"))) == [Start(), Start()]


def test_it_waits_for_the_youngest_one_that_it_shares_with() -> None:
    in_flight = InFlight()
    for ids in ("ab", "cd", "ef", "gh"):
        in_flight.submit(batch((HTTP, ids)))
    assert in_flight.submit(batch((HTTP, "ae"))) == Start(after=3)
    in_flight.settle(3)
    assert in_flight.submit(batch((HTTP, "bd"))) == Start()
    assert in_flight.submit(batch((HTTP, "h"))) == Start(after=1)


def test_what_is_settled_or_forgotten_holds_nothing_up() -> None:
    in_flight = InFlight()
    in_flight.submit(batch((HTTP, "ab")))
    in_flight.settle()
    assert in_flight.submit(batch((HTTP, "ab"))) == Start()
    in_flight.clear()
    assert in_flight.submit(batch((HTTP, "ab"))) == Start()


def test_beside_others_each_id_is_looked_at_once() -> None:
    in_flight, entries = InFlight(), [Ids("a"), Ids("b"), Ids("c"), Ids("d")]
    for ids, source in zip(entries, (ONE, HTTP, ONE, HTTP), strict=True):
        contents = Contents()
        contents.add(source, ids)
        in_flight.submit(contents)
    assert [ids.looked for ids in entries] == [1, 1, 1, 1]


entries = st.lists(st.tuples(st.sampled_from([ONE, SAME_LATER, HTTP, b""]), st.text("abcdef", max_size=4)))


@given(st.lists(entries, max_size=6))
def test_no_two_copies_of_a_message_are_on_their_way_at_one_time(
    batches: list[list[tuple[bytes, str]]],
) -> None:
    """But for equal texts of one listener. Looked at message by message, as slowly as can be."""

    def copies(one: list[tuple[bytes, str]]) -> list[tuple[bytes, str, int]]:
        return [(source, id, at) for at, (source, ids) in enumerate(one) for id in ids]

    def may_repeat(a: tuple[bytes, str, int], b: tuple[bytes, str, int]) -> bool:
        return a[1] == b[1] and (a[0] != b[0] or a[0] in {HTTP, b""})

    in_flight, settled = InFlight(), 0
    for number, one in enumerate(batches):
        begin = in_flight.submit(batch(*one))
        shared = [
            earlier
            for earlier in range(settled, number)
            if any(may_repeat(a, b) for a in copies(one) for b in copies(batches[earlier]))
        ]
        assert begin.after == (shared[-1] - settled + 1 if shared else 0)
        mine = copies(one)
        assert begin.repeats == any(may_repeat(a, b) for i, a in enumerate(mine) for b in mine[i + 1 :])
        in_flight.settle(begin.after)
        settled += begin.after


@given(st.text("abc", max_size=8))
def test_the_first_copy_of_each_goes_first(ids: str) -> None:
    firsts, later = first_copies(ids)
    assert firsts == sorted(firsts)
    assert [ids[at] for at in firsts] == list(dict.fromkeys(ids))
    assert sorted([*firsts, *later]) == list(range(len(ids)))
    assert all(ids.index(ids[at]) == first < at for at, first in later.items())
    assert list(later) == sorted(later)
