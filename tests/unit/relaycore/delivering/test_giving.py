"""One fetch, on a locked subscription."""

from dataclasses import replace

import pytest

from relaycore.delivering.cursor import Cursor
from relaycore.delivering.giving import Handed, Outdated, Standing, Unread, fetch, lease_next
from relaycore.delivering.leasing import Ahead, Rows
from relaycore.delivering.settings import Settings
from relaycore.delivering.skipping import Noted, Skip
from relaycore.storing.expiring import NOTHING, Expired

from .places import NOW, at, row

HERE = Standing(Cursor(at(2), at(4), 3), Noted())
AHEAD = Ahead(at(2), at(6), [(at(5), b"5"), (at(6), b"6")], 3)
ELSEWHERE = [replace(AHEAD, above=at(1)), replace(AHEAD, above=at(3)), replace(AHEAD, generation=2)]


def leased(standing: Standing, ahead: Ahead, expired: Expired = NOTHING) -> Handed | None:
    handed = lease_next(standing, Settings(), Rows, ahead, 1, NOW, expired, {})
    assert handed is None or isinstance(handed, Handed)
    return handed


def no_rows() -> Rows:
    raise AssertionError("rows are not needed")


@pytest.mark.parametrize("ahead", ELSEWHERE)
def test_what_was_read_elsewhere_is_read_anew_and_nothing_is_noted(ahead: Ahead) -> None:
    assert fetch(HERE, ahead, Expired(at(9), 9)) is None
    assert lease_next(HERE, Settings(), no_rows, ahead, 1, NOW, Expired(at(9), 9), {}) is None


def test_what_was_chosen_by_other_settings_is_not_handed_out() -> None:
    changed = replace(HERE, revision=2)
    assert fetch(changed, AHEAD, Expired(at(9), 9)) == Outdated()
    assert lease_next(changed, Settings(), no_rows, AHEAD, 1, NOW, Expired(at(9), 9), {}) == Outdated()
    assert fetch(changed, replace(AHEAD, revision=2), NOTHING) == Handed(Cursor(at(2), at(6), 3), Noted())


def test_while_it_is_paused_nothing_is_handed_out_or_noted() -> None:
    paused = replace(HERE, is_active=False)
    nothing = Handed(HERE.cursor, HERE.noted, is_active=False)
    assert fetch(paused, AHEAD, Expired(at(9), 9)) == nothing
    assert lease_next(paused, Settings(), no_rows, AHEAD, 1, NOW, Expired(at(9), 9), {}) == nothing


def test_a_fetch_moves_what_was_fetched_and_not_the_cursor() -> None:
    assert fetch(HERE, AHEAD, NOTHING) == Handed(Cursor(at(2), at(6), 3), Noted())


def test_a_lease_moves_the_cursor_up_to_what_has_a_row() -> None:
    found = leased(HERE, AHEAD)
    assert found is not None
    assert found.leased is not None
    assert [one.position for one in found.leased.new] == [at(5)]
    assert found.cursor == Cursor(at(5), at(5), 3)


def test_what_was_deleted_above_the_cursor_is_told_with_it() -> None:
    expired = Expired(at(4), 3)
    for found in (fetch(HERE, AHEAD, expired), leased(HERE, AHEAD, expired)):
        assert isinstance(found, Handed)
        assert found.noted == Noted(at(4), 3)
        assert found.missed == Skip(at(2), at(4), 3)


def test_what_comes_again_is_read_before_and_what_is_gone_goes_on_record() -> None:
    rows = Rows([row(1, due_at=NOW), row(2, due_at=NOW)], 2, at(1))

    def given(read: dict[bytes, bool]) -> Handed | Unread | Outdated | None:
        return lease_next(HERE, Settings(), lambda: rows, AHEAD, 2, NOW, NOTHING, read)

    assert given({}) == Unread(rows.due)
    assert given({rows.due[0].id: True}) == Unread([rows.due[1]])
    found = given({rows.due[0].id: True, rows.due[1].id: False})
    assert isinstance(found, Handed)
    assert found.lost == [rows.due[1]]
    assert found.leased is not None
    assert [one.position for one in (*found.leased.again, *found.leased.new)] == [at(1), at(5)]
