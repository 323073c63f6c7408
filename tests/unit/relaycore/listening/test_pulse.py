"""When a leader ticks, and what it means that its ticks do not come back."""

import math

import pytest

from relaycore.listening.pulse import DEAF_SECONDS, UNHEARD_SECONDS, Pulse

TICK = 0.1


def leader() -> Pulse:
    """A term begins at 0, and its first tick was heard."""
    pulse = Pulse(TICK)
    pulse.lead(0.0)
    _tick(pulse, 1, 0.0)
    return pulse


def _tick(pulse: Pulse, number: int, now: float, *, heard: bool = True) -> None:
    pulse.tick(now)
    pulse.published(number, now)
    if heard:
        pulse.hear(number)
        pulse.prove(now)
        pulse.sound()


def _resting() -> Pulse:
    """Nobody needs its ticks, and two have confirmed what was heard before."""
    pulse = leader()
    _tick(pulse, 2, 0.1)
    _tick(pulse, 3, 0.2)
    return pulse


def _due_in(pulse: Pulse, now: float, *, needed: bool = False, hurried: bool = False) -> float:
    return pulse.due_in(now, needed=needed, hurried=hurried)


# --- the rhythm --------------------------------------------------------------------------


def test_the_first_tick_of_a_term_is_due_at_once() -> None:
    pulse = Pulse(TICK)
    pulse.lead(0.0)
    assert _due_in(pulse, 0.0) == 0.0


def test_while_one_is_under_way_none_is_due() -> None:
    pulse = leader()
    pulse.tick(5.0)
    assert _due_in(pulse, 99.0, needed=True) == math.inf
    pulse.failed()
    assert _due_in(pulse, 99.0, needed=True) == 0.0


def test_while_others_hear_them_one_comes_each_interval() -> None:
    assert _due_in(_resting(), 0.2, needed=True) == pytest.approx(TICK)


def test_it_rests_while_nobody_needs_them() -> None:
    assert _due_in(_resting(), 0.2) == pytest.approx(5 * TICK)


def test_after_something_was_heard_two_more_come_one_to_follow_it_and_one_to_confirm_it() -> None:
    pulse = _resting()
    pulse.stir()
    assert _due_in(pulse, 0.2) == pytest.approx(TICK)
    _tick(pulse, 4, 0.3)
    assert _due_in(pulse, 0.3) == pytest.approx(TICK)
    _tick(pulse, 5, 0.4)
    assert _due_in(pulse, 0.4) == pytest.approx(5 * TICK)


def test_while_it_is_not_known_whether_the_connection_lives_it_does_not_rest() -> None:
    pulse = _resting()
    _tick(pulse, 4, 0.7, heard=False)
    assert _due_in(pulse, 0.7) == pytest.approx(TICK)
    pulse.sound()
    assert _due_in(pulse, 0.7) == pytest.approx(5 * TICK)


def test_what_is_to_be_announced_does_not_wait_for_a_whole_interval() -> None:
    assert _due_in(_resting(), 0.2, hurried=True) < 0.3 * TICK


# --- deaf --------------------------------------------------------------------------------


def test_it_is_deaf_when_a_published_tick_was_followed_by_silence() -> None:
    pulse = leader()
    _tick(pulse, 2, 1.0, heard=False)
    assert not pulse.is_deaf(1.0 + DEAF_SECONDS)
    assert pulse.is_deaf(1.01 + DEAF_SECONDS)


def test_further_ticks_into_the_silence_do_not_make_it_wait_longer() -> None:
    pulse = leader()
    for number in range(2, 12):
        _tick(pulse, number, 1.0 + number / 10, heard=False)
    assert pulse.is_deaf(1.21 + DEAF_SECONDS)


def test_whatever_comes_in_shows_that_the_connection_is_not_dead() -> None:
    """Under load its tick may stand behind seconds of messages."""
    pulse = leader()
    _tick(pulse, 2, 1.0, heard=False)
    pulse.sound()
    assert not pulse.is_deaf(9.0)


def test_a_tick_that_came_in_before_its_answer_is_not_waited_for() -> None:
    pulse = leader()
    pulse.tick(1.0)
    pulse.hear(2)
    pulse.sound()
    pulse.published(2, 1.0)
    assert not pulse.is_deaf(9.0)


def test_ticks_that_redis_does_not_take_say_nothing_of_the_data_connection() -> None:
    pulse = leader()
    pulse.tick(1.0)
    pulse.failed()
    assert not pulse.is_deaf(9.0)


def test_a_new_term_waits_for_nothing_from_the_one_before() -> None:
    pulse = leader()
    _tick(pulse, 2, 1.0, heard=False)
    pulse.lead(5.0)
    assert not pulse.is_deaf(6.0)


# --- unheard -----------------------------------------------------------------------------


def test_what_proves_hearing_is_a_tick_of_the_own_term_and_it_is_over_after_a_while() -> None:
    pulse = leader()
    pulse.prove(1.0)
    assert not pulse.is_unheard(1.0 + UNHEARD_SECONDS)
    assert pulse.is_unheard(1.01 + UNHEARD_SECONDS)
    assert pulse.heard_at == 1.0


def test_a_fresh_leader_has_as_long_for_its_first_proof() -> None:
    """Else one that leads into a black hole would never have to say so."""
    pulse = Pulse(TICK)
    pulse.lead(1.0)
    assert not pulse.is_unheard(1.0 + UNHEARD_SECONDS)
    assert pulse.is_unheard(1.01 + UNHEARD_SECONDS)


def test_messages_and_ticks_of_others_prove_nothing() -> None:
    pulse = leader()
    pulse.sound()
    pulse.stir()
    pulse.hear(99)
    assert pulse.heard_at == 0.0
    assert pulse.is_unheard(0.01 + UNHEARD_SECONDS)
