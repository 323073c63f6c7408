"""How an endpoint is met after a pause: by one attempt, then by two, by four."""

from relaycore.sending.pace import PAUSE_SECONDS, Rise


def _succeed(rise: Rise, times: int) -> list[int]:
    """How many may be under way after each of so many successes."""
    found = []
    for _ in range(times):
        rise.succeed()
        found.append(rise.allowed(0))
    return found


def test_it_doubles_with_each_round_of_successes_up_to_the_most() -> None:
    rise = Rise(6, is_slow=True)
    assert rise.allowed(0) == 1
    assert _succeed(rise, 12) == [2, 2, 4, 4, 4, 4, 6, 6, 6, 6, 6, 6]


def test_a_failure_begins_the_round_anew_and_takes_nothing_back() -> None:
    rise = Rise(8, is_slow=True)
    assert _succeed(rise, 3)[-1] == 4
    for _ in range(9):
        assert _succeed(rise, 3) == [4, 4, 4]
        rise.fail()
    assert _succeed(rise, 4) == [4, 4, 4, 8]


def test_who_is_known_is_sent_to_as_it_takes_until_a_long_pause() -> None:
    rise = Rise(8)
    assert rise.allowed(10 * PAUSE_SECONDS) == 8
    rise.send(0)
    assert rise.allowed(PAUSE_SECONDS) == 8
    assert rise.allowed(PAUSE_SECONDS + 1) == 1
    rise.send(PAUSE_SECONDS + 1)
    assert rise.allowed(PAUSE_SECONDS + 2) == 1
    rise.succeed()
    assert rise.allowed(PAUSE_SECONDS + 2) == 2


def test_where_one_may_be_under_way_it_stays_one() -> None:
    assert set(_succeed(Rise(1, is_slow=True), 5)) == {1}
