"""Who has heard for long enough, and which request is late."""

from relaycore.receiving.hearing import Awake, Hearing


def test_has_heard_for_long_enough_from_when_it_could() -> None:
    hearing = Hearing(100.0)
    assert [hearing.is_long_enough(now, 20.0) for now in (101.0, 110.0, 119.9, 120.0)] == [False] * 3 + [True]
    hearing.failed(121.0)
    assert not hearing.is_long_enough(130.0, 20.0)
    assert hearing.is_long_enough(141.0, 20.0)


def test_begins_anew_after_it_stood_still() -> None:
    hearing = Hearing(100.0)
    assert not hearing.is_long_enough(115.5, 15.0)
    assert [hearing.is_long_enough(now, 15.0) for now in (120.0, 130.0, 130.5)] == [False, False, True]


def test_what_is_old_is_late_and_so_is_what_waited_while_it_stood_still() -> None:
    awake = Awake(0.0)
    for second in range(10):
        awake.beat(float(second))
    assert not awake.is_late(0.5, 10.5)
    assert awake.is_late(0.5, 10.6)
    # It stands still, and reads what waited before or after it knows that.
    assert awake.is_late(30.0, 30.0)
    awake.beat(30.1)
    assert awake.is_late(30.5, 30.6)
    assert not awake.is_late(31.1, 31.2)
