"""What becomes of rows."""

from dataclasses import replace

import pytest

from relaycore.delivering.cursor import Cursor
from relaycore.delivering.leasing import GIVEN_BACK, LAPSED, Delivery, State
from relaycore.delivering.settings import Settings
from relaycore.delivering.settling import Change, Settled, meant, redrive, settle
from relaycore.delivering.tokens import Token

from .places import NOW, at, row

SETTINGS = Settings(most_deliveries=3)
HERE = Cursor(at(9), at(9), generation=2)


def ack(delivery: Delivery, now: int) -> None:
    pass


def nack(delivery: Delivery, now: int) -> Delivery:
    return delivery.nack(SETTINGS, now)


def extend(delivery: Delivery, now: int) -> Delivery:
    return delivery.extend(SETTINGS, now, 5000)


def settled(change: Change, token: Token, *rows: Delivery) -> Settled:
    found = {one.position: one for one in rows if one.position in meant(HERE, [token])}
    return settle(HERE, [token], found, change, NOW)


LEASED = row(1, attempt=2)


@pytest.mark.parametrize("change", [nack, extend])
def test_the_last_one_who_has_it_decides(change: Change) -> None:
    assert settled(ack, Token(2, 2, at(1)), LEASED) == Settled([at(1)], [], [True])
    becomes = change(LEASED, NOW)
    assert becomes is not None
    assert settled(change, Token(2, 2, at(1)), LEASED) == Settled([], [becomes], [True])


@pytest.mark.parametrize("change", [ack, nack, extend])
@pytest.mark.parametrize(
    ("token", "stands"),
    [
        (Token(1, 2, at(1)), LEASED),
        (Token(3, 2, at(1)), LEASED),
        (Token(2, 1, at(1)), LEASED),
        (Token(2, 3, at(1)), LEASED),
        (Token(2, 2, at(2)), LEASED),
        (Token(2, 2, at(1)), replace(LEASED, state=State.WAITING)),
        (Token(2, 2, at(1)), LEASED.die(GIVEN_BACK)),
        (Token(2, 1, at(1)), LEASED.die(LAPSED)),
        (Token(2, 2, at(1)), LEASED.die(LAPSED).redrive(NOW)),
    ],
)
def test_nobody_else_does(change: Change, token: Token, stands: Delivery) -> None:
    assert settled(change, token, stands) == Settled([], [], [False])


def test_after_its_last_deadline_it_may_be_done_and_nothing_else() -> None:
    lapsed = LEASED.die(LAPSED)
    assert settled(ack, Token(2, 2, at(1)), lapsed) == Settled([at(1)], [], [True])
    for change in (nack, extend):
        assert settled(change, Token(2, 2, at(1)), lapsed) == Settled([], [], [False])


def test_a_token_from_before_a_seek_asks_for_no_row() -> None:
    assert meant(HERE, [Token(1, 1, at(1)), Token(2, 1, at(2)), Token(3, 1, at(3))]) == [at(2)]


def test_of_the_same_token_twice_one_counts() -> None:
    late, good = Token(2, 1, at(1)), Token(2, 2, at(1))
    rows = {at(1): LEASED, at(2): row(2)}
    tokens = [late, good, good, Token(2, 1, at(2))]
    assert settle(HERE, tokens, rows, ack, NOW) == Settled([at(1), at(2)], [], [False, True, False, True])


def test_dead_letters_below_the_cursor_are_redriven() -> None:
    dead, above = row(9).die(LAPSED), row(10).die(LAPSED)
    again = redrive(HERE, [dead, above, row(3), row(4, State.WAITING)], NOW)
    assert again == [dead.redrive(NOW)]
