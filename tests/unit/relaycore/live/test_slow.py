"""Whether a client takes what it is sent."""

from relaycore.live.slow import is_too_slow


def test_who_takes_what_it_is_sent_stays_however_much_waits() -> None:
    assert not is_too_slow(0.0, 1 << 30, 1 << 20)
    assert not is_too_slow(0.9, 1 << 30, 1 << 20)


def test_a_send_that_does_not_end_is_given_up() -> None:
    assert not is_too_slow(29.9, 0, 1 << 20)
    assert is_too_slow(30.0, 0, 1 << 20)


def test_it_is_given_up_soon_where_much_waits() -> None:
    assert not is_too_slow(1.5, 1 << 20, 1 << 20)
    assert is_too_slow(1.5, (1 << 20) + 1, 1 << 20)
