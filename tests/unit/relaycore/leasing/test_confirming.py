"""Until when the holder of a lease may be sure that nobody else has it."""

import pytest

from relaycore.leasing.confirming import Confirmed

TTL = 20.0


def confirmed(*asked_at: float) -> Confirmed:
    found = Confirmed(TTL)
    for one in asked_at:
        found.confirm(one)
    return found


@pytest.mark.parametrize(
    ("asked_at", "now", "holds"),
    [
        ([], 0.0, False),
        ([100.0], 100.0, True),
        ([100.0], 114.9, True),
        ([100.0], 115.0, False),  # Before the time to live is over: an attempt takes its time.
        ([100.0], 10_000.0, False),
        ([100.0, 105.0], 119.0, True),
        ([105.0, 100.0], 119.0, True),  # An answer that came late says nothing new.
    ],
)
def test_it_holds_from_when_it_was_asked_for(asked_at: list[float], now: float, holds: bool) -> None:
    assert confirmed(*asked_at).holds(now) is holds


def test_after_it_went_back_it_holds_once_nobody_else_can_be_sure_of_it() -> None:
    found = confirmed(100.0)
    found.withdraw(101.0)
    assert not found.holds(101.0), "what was confirmed before says nothing of whoever was given it since"
    found.confirm(101.0)
    assert not found.holds(101.0)
    found.confirm(120.0)
    assert not found.holds(120.9)
    assert found.holds(121.0)


def test_what_was_lost_does_not_hold() -> None:
    found = confirmed(100.0)
    found.end()
    assert not found.holds(100.0)
    found.confirm(105.0)  # An answer that was still under way.
    assert not found.holds(105.0)
