"""Order by a field: keys, what waits, and how it goes on."""

import json
from collections.abc import Sequence
from dataclasses import replace

import pytest

from relaycore.delivering.cursor import Cursor
from relaycore.delivering.giving import Handed, Standing, Unread, lease_next
from relaycore.delivering.holding import (
    Earlier,
    Held,
    Missed,
    Reread,
    Step,
    chosen_by,
    go_on,
    hold,
    key_of,
    matched,
    require_field,
    still_needed,
)
from relaycore.delivering.leasing import Ahead, Delivery, Leased, Rows, State, first_of_each_key, lease
from relaycore.delivering.seeking import OnTheirWay, passed
from relaycore.delivering.settings import Settings
from relaycore.delivering.settling import redrive
from relaycore.delivering.skipping import Noted
from relaycore.errors import BadSubscription
from relaycore.position import previous_position
from relaycore.storing.expiring import NOTHING, Expired

from .places import NOW, at, row

HERE = Cursor(at(0), at(0))


def keyed(number: int, key: str, state: State = State.LEASED, **more: int) -> Delivery:
    return replace(row(number, state, **more), key=key)


def ahead(*keys: str, above: int = 0) -> Ahead:
    """Messages right above this one, with these keys."""
    messages = [(at(above + one), b"%012d" % (above + one)) for one in range(1, len(keys) + 1)]
    return Ahead(at(above), at(above + len(keys)), messages, 1, keys=keys)


def new(leased: Leased) -> list[str]:
    return [one.position for one in leased.new]


# --- keys -----------------------------------------------------------------------------------------


def test_equal_values_have_equal_keys_and_others_have_others() -> None:
    values = ["a", "b", 1, 1.5, "1", True, False, [], ["a"], {"a": 1, "b": 2}, "", 0]
    keys = {key_of(json.dumps({"customer": one, "n": 5}).encode(), "customer") for one in values}
    assert len(keys) == len(values)
    assert "" not in keys
    assert key_of(b'{"customer": {"b":2,"a":1}}', "customer") in keys


@pytest.mark.parametrize(
    "message",
    [b"text", b"\xff", b"[]", b'"a"', b"{}", b'{"customer": null}', b'{"customer": NaN}', b"[" * 9999],
)
def test_what_has_no_such_value_has_no_key(message: bytes) -> None:
    assert key_of(message, "customer") == ""


@pytest.mark.parametrize("field", ["", "x" * 101, "a\0", "\ud800", None, 5, ["a"], {"a": 1}])
def test_by_what_nothing_can_be_ordered(field: object) -> None:
    with pytest.raises(BadSubscription, match="field to order by"):
        require_field(field)
    assert require_field("x" * 100) == "x" * 100


# --- leasing --------------------------------------------------------------------------------------


def test_of_each_key_one_is_leased_and_the_others_wait() -> None:
    found = lease(Settings(), HERE, Rows(), ahead("a", "b", "a", "", "b", "a", ""), 10, NOW)
    assert new(found) == [at(1), at(2), at(4), at(7)]
    assert [one.key for one in found.new] == ["a", "b", "", ""]
    assert found.cursor.position == at(7)
    assert found.held == [
        Held("a", previous_position(at(3)), at(6), 2),
        Held("b", previous_position(at(5)), at(5), 1),
    ]
    assert not found.has_only_moved


def test_nothing_is_passed_without_waiting_once_enough_is_leased() -> None:
    found = lease(Settings(), HERE, Rows(), ahead("a", "a", "b", "a", "c"), 2, NOW)
    assert new(found) == [at(1), at(3)]
    assert found.cursor.position == at(4)
    assert [one.upto for one in found.held] == [at(4)]


def test_what_is_on_its_way_or_waits_holds_back_what_is_new() -> None:
    waits = Held("b", at(1), at(2))
    rows = Rows((), 2, at(1), {"a"}, {"b": waits})
    found = lease(Settings(), replace(HERE, position=at(2)), rows, ahead("a", "b", "a", above=2), 5, NOW)
    assert new(found) == []
    assert found.has_only_moved
    assert found.held == [
        Held("a", previous_position(at(3)), at(5), 2),
        Held("b", at(1), at(4), 2),
    ]


def test_at_the_bound_nothing_is_passed() -> None:
    rows = Rows((), 2, at(1), {"a"}, {"b": Held("b", at(1), at(2))}, [])
    found = lease(Settings(most_outstanding=2), HERE, rows, ahead("a", "b", "c"), 5, NOW)
    assert (found.cursor, found.held, found.new, found.is_full) == (HERE, [], [], True)


def test_what_waits_is_leased_before_what_is_new_and_needs_no_room() -> None:
    waits = Held("a", at(1), at(4), 2)
    rows = Rows((), 1, "", (), {"a": waits}, [waits])
    reread = {"a": Reread(at(1), at(9), (at(3), b"3"))}
    cursor = replace(HERE, position=at(4))
    found = lease(Settings(most_outstanding=1), cursor, rows, ahead("b", above=4), 5, NOW, reread)
    assert new(found) == [at(3)]
    assert (found.held, found.free, found.cursor) == ([Held("a", at(3), at(4))], [], cursor)
    both = lease(Settings(), cursor, rows, ahead("b", "a", above=4), 5, NOW, reread)
    assert new(both) == [at(3), at(5)]
    assert both.held == [Held("a", at(3), at(6), 2)]


def test_a_key_that_has_died_is_not_free_until_the_next_look() -> None:
    dies = keyed(1, "a", attempt=2, due_at=NOW)
    rows = Rows([dies], 1, at(1), {"a"})
    cursor = replace(HERE, position=at(1))
    found = lease(Settings(most_deliveries=2), cursor, rows, ahead("a", "b", above=1), 5, NOW)
    assert ([one.position for one in found.dead], new(found)) == ([at(1)], [at(3)])
    assert [one.key for one in found.held] == ["a"]


def test_of_each_key_the_lowest_comes_again() -> None:
    rows = [keyed(1, "a"), keyed(2, "b"), keyed(3, "a"), keyed(4, ""), keyed(5, "")]
    assert [one.position for one in first_of_each_key(rows)] == [at(1), at(2), at(4), at(5)]


def test_one_that_parks_lets_all_others_flow_and_costs_two_rows() -> None:
    """A worker who never gets done with what a customer sends, in a thousand messages of ten."""
    messages = [str(number % 10) for number in range(1000)]
    cursor, rows, held = HERE, dict[str, Delivery](), dict[str, Held]()
    done: list[int] = []
    for _ in range(5000):
        busy = {one.key for one in rows.values()}
        opened = sorted((one for one in held.values() if one.key not in busy), key=lambda one: one.above)
        stands = Rows((), len(rows) + len(opened), "", busy, held, opened)
        above = len(messages) if cursor.position == at(1000) else int(cursor.position[:13])
        reread = {}
        for one in opened:
            begin = int(one.above[:13])
            found = next(n for n in range(begin, 1000) if messages[n] == one.key and at(n + 1) > one.above)
            reread[one.key] = Reread(one.above, at(found + 1), (at(found + 1), b"x"))
        read = ahead(*messages[above : above + 20], above=above)
        leased = lease(Settings(most_outstanding=4), cursor, stands, read, 3, NOW, reread)
        cursor = leased.cursor
        held |= {one.key: one for one in leased.held}
        for key in leased.free:
            del held[key]
        rows |= {one.position: one for one in leased.new}
        assert len(rows) <= 4
        for given in list(rows.values()):
            if given.key != "7":
                done.append(int(given.position[:13]) - 1)
                del rows[given.position]
    assert sorted(done) == [number for number in range(1000) if number % 10 != 7]
    for customer in range(10):
        of_it = [number for number in done if number % 10 == customer]
        assert of_it == sorted(of_it)
    assert list(rows) == [at(8)]
    assert held == {"7": Held("7", previous_position(at(18)), at(998), 99)}


# --- going on -------------------------------------------------------------------------------------


WAITS = Held("a", at(1), at(9), 3)


@pytest.mark.parametrize(
    ("reread", "step"),
    [
        (Reread(at(1), at(20), (at(4), b"4")), Step(Held("a", at(4), at(9), 2), (at(4), b"4"))),
        (Reread(at(1), at(20), (at(9), b"9")), Step(None, (at(9), b"9"))),
        (Reread(at(1), at(5)), Step(Held("a", at(5), at(9), 3))),
        (Reread(at(1), at(1)), Step(WAITS)),
        (Reread(at(1), at(20)), Step(None)),
        (
            Reread(at(1), at(20), (at(4), b"4"), Expired(at(3), 9)),
            Step(Held("a", at(4), at(9), 2), (at(4), b"4"), Missed("a", at(1), at(3), 2)),
        ),
        (
            Reread(at(1), at(20), None, Expired(at(50), 9)),
            Step(None, None, Missed("a", at(1), at(9), 3)),
        ),
        (Reread(at(1), at(5), None, Expired(at(1), 9)), Step(Held("a", at(5), at(9), 3))),
    ],
)
def test_what_becomes_of_what_waits(reread: Reread, step: Step) -> None:
    assert go_on(WAITS, reread) == step


def test_the_last_one_that_is_found_is_all_that_was_left() -> None:
    last = Held("a", at(1), at(9), 1)
    assert go_on(last, Reread(at(1), at(9), (at(9), b"9"), Expired(at(8), 5))) == Step(None, (at(9), b"9"))


def test_what_waits_one_by_one() -> None:
    first = hold(None, "a", at(3))
    assert not first.covers(at(2))
    assert first.covers(at(3))
    assert hold(first, "a", at(7)) == Held("a", previous_position(at(3)), at(7), 2)


def test_one_page_serves_all_that_wait_in_it() -> None:
    opened = [
        Held("a", at(1), at(9)),
        Held("b", at(4), at(9)),
        Held("c", at(2), at(9)),
        Held("a2", at(6), at(9)),
    ]
    page = [(at(2), b"2", "b"), (at(3), b"3", ""), (at(5), b"5", "b"), (at(6), b"6", "a")]
    assert matched(opened, page, at(6), NOTHING) == {
        "a": Reread(at(1), at(6), (at(6), b"6")),
        "b": Reread(at(4), at(6), (at(5), b"5")),
        "c": Reread(at(2), at(6)),
    }


def test_it_is_read_before_it_is_leased_and_only_what_was_read_there() -> None:
    standing = Standing(replace(HERE, position=at(9)), Noted())
    rows = Rows((), 1, "", (), {"a": WAITS}, [WAITS])

    def given(reread: dict[str, Reread]) -> object:
        return lease_next(standing, Settings(), lambda: rows, ahead(above=9), 5, NOW, NOTHING, {}, reread)

    assert given({}) == Unread([], (WAITS,))
    assert given({"a": Reread(at(2), at(9))}) == Unread([], (WAITS,))
    handed = given({"a": Reread(at(1), at(9), (at(4), b"4"))})
    assert isinstance(handed, Handed)
    assert handed.leased is not None
    assert new(handed.leased) == [at(4)]


# --- operators ------------------------------------------------------------------------------------


def test_a_seek_passes_over_what_waits() -> None:
    held = [Held("a", at(2), at(8), 3), Held("b", at(6), at(7), 1)]
    assert OnTheirWay.of(0, "", "").and_waiting(held, at(2)) == OnTheirWay()
    assert OnTheirWay.of(0, "", "").and_waiting(held, at(3)) == OnTheirWay(3, at(2), at(3))
    rows = OnTheirWay.of(1, at(1), at(1)).and_waiting(held, at(20))
    assert rows == OnTheirWay(5, previous_position(at(1)), at(8))
    lost = passed(at(9), at(20), rows, 4)
    assert lost is not None
    assert (lost.after, lost.upto, lost.messages) == (previous_position(at(1)), at(20), 9)


@pytest.mark.parametrize(
    ("number", "is_redriven"), [(2, True), (3, False), (8, False), (9, True), (11, False)]
)
def test_a_dead_letter_that_waits_is_not_redriven(number: int, is_redriven: bool) -> None:
    dead: Sequence[Delivery] = [keyed(number, "a", State.DEAD)]
    held = [Held("a", at(2), at(8)), Held("b", at(0), at(10))]
    assert bool(redrive(replace(HERE, position=at(10)), dead, NOW, held)) is is_redriven


def test_what_waits_was_chosen_by_what_was_set_when_it_was_passed() -> None:
    earlier = [Earlier(1, at(9), "other"), Earlier(2, at(3), "first"), Earlier(2, at(6), "second")]
    chosen = [chosen_by(at(number), 2, earlier, "now") for number in (1, 3, 4, 6, 7)]
    assert chosen == ["first", "first", "second", "second", "now"]
    assert still_needed(2, earlier, [Held("a", at(4), at(5)), Held("b", at(3), at(9))]) == [earlier[2]]
    assert still_needed(2, earlier, [Held("a", at(2), at(5))]) == earlier[1:]
    assert still_needed(2, earlier, []) == []
