"""A message that was handed out before is leased again only once it was read."""

from collections.abc import Sequence

import pytest

from relaycore.delivering.cursor import Cursor
from relaycore.delivering.giving import Handed, Outdated, Standing, Unread, lease_next
from relaycore.delivering.leasing import Ahead, Delivery, Rows, State, lease
from relaycore.delivering.settings import Settings
from relaycore.delivering.skipping import Noted
from relaycore.storing.expiring import NOTHING

NOW = 10_000_000


def position(index: int) -> str:
    return f"{index:013}-0000000000-00000"


def row(index: int, attempt: int = 1) -> Delivery:
    return Delivery(position(index), b"%012d" % index, State.LEASED, attempt, NOW - 1, NOW - 1000)


CURSOR = Cursor(position(9), position(9))
NEW = Ahead(position(9), position(11), [(position(10), b"%012d" % 10), (position(11), b"%012d" % 11)], 1)


def give(
    rows: Sequence[Delivery], read: dict[bytes, bool], settings: Settings | None = None, most: int = 10
) -> Handed | Unread | Outdated | None:
    found = Rows(rows, len(rows), min((one.position for one in rows), default=""))
    return lease_next(
        Standing(CURSOR, Noted()), settings or Settings(), lambda: found, NEW, most, NOW, NOTHING, read
    )


def given(handed: Handed | Unread | Outdated | None) -> tuple[list[str], list[str], list[str]]:
    """Positions of what is handed out again, of what is new, of what is lost."""
    assert isinstance(handed, Handed)
    assert handed.leased is not None
    return (
        [one.position for one in handed.leased.again],
        [one.position for one in handed.leased.new],
        [one.position for one in handed.lost],
    )


def test_nothing_is_due_nothing_is_read() -> None:
    assert given(give([], {})) == ([], [position(10), position(11)], [])


def test_what_is_due_is_read_before_anything_is_written() -> None:
    rows = [row(1), row(2)]
    assert give(rows, {}) == Unread(rows)
    assert give(rows, {rows[0].id: True}) == Unread([rows[1]])
    assert give(rows, {}, most=1) == Unread([rows[0]])


def test_what_was_read_is_leased_and_what_is_gone_is_lost() -> None:
    rows = [row(1), row(2), row(3)]
    found = give(rows, {rows[0].id: True, rows[1].id: False, rows[2].id: True})
    assert given(found) == ([position(1), position(3)], [position(10), position(11)], [position(2)])


def test_what_has_died_need_not_be_read() -> None:
    handed = give([row(1, attempt=3)], {}, Settings(most_deliveries=3))
    assert isinstance(handed, Handed)
    assert handed.leased is not None
    assert [one.state for one in handed.leased.dead] == [State.DEAD]


def test_what_was_not_looked_for_is_never_leased_again() -> None:
    rows = [row(1), row(2), row(3)]
    found = give(rows, {rows[0].id: False}, most=1)
    assert given(found) == ([], [position(10)], [position(1)])


@pytest.mark.parametrize("others", [0, 1])
def test_in_order_nothing_overtakes_what_is_next_after_a_lost_one(others: int) -> None:
    rows = [row(1), row(2)][: 1 + others]
    found = give(rows, {rows[0].id: False}, Settings(is_ordered=True))
    assert given(found) == ([], [] if others else [position(10)], [position(1)])


@pytest.mark.parametrize(
    ("settings", "waiting", "is_full"),
    [
        (Settings(most_outstanding=1), 1, True),
        (Settings(most_outstanding=2), 1, False),
        (Settings(is_ordered=True), 1, True),
        (Settings(is_ordered=True), 0, False),
    ],
)
def test_it_says_whether_somebody_else_has_to_settle_first(
    settings: Settings, waiting: int, is_full: bool
) -> None:
    rows = Rows((), waiting, position(1) if waiting else "")
    assert lease(settings, CURSOR, rows, None, 10, NOW).is_full is is_full


@pytest.mark.parametrize("settings", [Settings(most_outstanding=1), Settings(is_ordered=True)])
def test_where_none_may_be_given_it_is_not_for_want_of_a_settlement(settings: Settings) -> None:
    rows = Rows([row(1)], 1, position(1))
    assert not lease(settings, CURSOR, rows, None, 0, NOW).is_full
