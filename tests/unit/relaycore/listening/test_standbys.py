"""A standby is proved, never assumed."""

import pytest

from relaycore.listening.standbys import PROOF_TICKS, Standby, Standbys

TICK = 0.1
ALL = 77
"""The digest of the channels that are heard."""
GOOD_SECONDS = 2 * PROOF_TICKS * TICK


def leader(*, number: int = 10) -> Standbys:
    """Of a term whose first tick has this number."""
    standbys = Standbys(b"own", TICK)
    standbys.lead()
    standbys.learn(number, 1, {}, 0.0)
    return standbys


# --- the standby -------------------------------------------------------------------------


def test_a_standby_that_is_whole_proves_it_at_each_second_tick() -> None:
    standby = Standby()
    assert [standby.proves(number, ALL, whole=True) for number in range(7, 13)] == [True, False] * 3


def test_a_standby_that_is_not_whole_proves_nothing_and_the_next_tick_at_which_it_is() -> None:
    standby = Standby()
    assert not standby.proves(7, ALL, whole=False)
    assert standby.proves(8, ALL, whole=True)
    assert not standby.proves(10, ALL, whole=False)
    assert standby.proves(11, ALL, whole=True)


def test_after_redis_has_lost_its_counter_a_standby_proves_at_once() -> None:
    standby = Standby()
    assert standby.proves(1000, ALL, whole=True)
    assert standby.proves(3, ALL, whole=True)


# --- what the leader knows of it ---------------------------------------------------------


def test_nobody_is_a_standby_before_the_term_has_ticked() -> None:
    standbys = Standbys(b"own", TICK)
    standbys.lead()
    assert not standbys.has_proof(ALL, 0.0)


def test_a_number_of_this_term_is_a_proof() -> None:
    standbys = leader()
    standbys.learn(12, 2, {b"other": (11, ALL)}, 0.2)
    assert standbys.has_proof(ALL, 0.2)


def test_what_was_proved_to_the_leader_before_proves_nothing() -> None:
    standbys = leader(number=10)
    standbys.learn(11, 2, {b"other": (9, ALL)}, 0.1)
    assert not standbys.has_proof(ALL, 0.1)


def test_the_own_name_never_counts() -> None:
    """It stands there from the time at which this listener was a standby itself."""
    standbys = leader()
    standbys.learn(12, 2, {b"own": (12, ALL)}, 0.2)
    assert not standbys.has_proof(ALL, 0.2)


@pytest.mark.parametrize(("age", "counts"), [(PROOF_TICKS, True), (PROOF_TICKS + 1, False)])
def test_a_proof_is_good_for_some_ticks(age: int, counts: bool) -> None:
    standbys = leader()
    standbys.learn(30, 2, {b"other": (30 - age, ALL)}, 2.0)
    assert standbys.has_proof(ALL, 2.0) is counts


@pytest.mark.parametrize(("later", "counts"), [(GOOD_SECONDS - 0.01, True), (GOOD_SECONDS + 0.01, False)])
def test_a_proof_is_good_only_while_redis_answers(later: float, counts: bool) -> None:
    standbys = leader()
    standbys.learn(12, 2, {b"other": (12, ALL)}, 0.2)
    assert standbys.has_proof(ALL, 0.2 + later) is counts


def test_a_standby_that_proves_no_more_is_none_while_others_subscribe_the_ticks() -> None:
    """Any number of connections may subscribe: another deployment's, an operator's, a dead one's."""
    standbys = leader()
    standbys.learn(12, 2, {b"other": (12, ALL)}, 0.2)
    for number in range(13, 20):
        standbys.learn(number, 50, {b"other": (12, ALL)}, number / 10)
        standbys.hear(number)
    assert standbys.audience == 49
    assert not standbys.has_proof(ALL, 1.9)


def test_one_standby_of_several_is_enough() -> None:
    standbys = leader()
    standbys.learn(30, 4, {b"dead": (12, ALL), b"own": (30, ALL), b"other": (29, ALL)}, 2.0)
    assert standbys.has_proof(ALL, 2.0)


def test_what_was_proved_on_another_server_is_not_known_to_be_true() -> None:
    standbys = leader()
    standbys.learn(12, 2, {b"other": (12, ALL)}, 0.2)
    standbys.distrust()
    assert not standbys.has_proof(ALL, 0.2)
    standbys.learn(13, 2, {b"other": (12, ALL)}, 0.3)
    assert not standbys.has_proof(ALL, 0.3), "it is from before"
    standbys.learn(15, 2, {b"other": (14, ALL)}, 0.5)
    assert standbys.has_proof(ALL, 0.5)


def test_a_new_term_knows_nothing_of_what_was_proved_in_the_one_before() -> None:
    standbys = leader()
    standbys.learn(12, 2, {b"other": (12, ALL)}, 0.2)
    standbys.lead()
    assert not standbys.has_proof(ALL, 0.2)


# --- how many hear the ticks -------------------------------------------------------------


def test_before_its_first_tick_was_heard_somebody_may_be_there() -> None:
    assert Standbys(b"own", TICK).audience == 1


def test_a_fresh_leader_whose_ticks_nobody_subscribes_is_alone_and_may_stay_where_it_is() -> None:
    """Else one that leads into a black hole would give way to nobody, again and again."""
    standbys = Standbys(b"own", TICK)
    standbys.lead()
    standbys.learn(11, 0, {}, 0.1)
    assert standbys.audience == 0
    standbys.learn(12, 5, {}, 0.2)
    assert standbys.audience == 1, "it is not known whether that is itself"


def test_of_those_who_hear_a_tick_the_own_connection_is_one() -> None:
    standbys = leader()
    standbys.learn(11, 3, {}, 0.1)
    standbys.hear(11)
    assert standbys.audience == 2
    standbys.learn(12, 1, {}, 0.2)
    standbys.hear(12)
    assert standbys.audience == 0


def test_a_tick_that_was_not_heard_counts_nobody() -> None:
    """Redis ends a connection long before its last bytes are read, so the own one may be missing in it."""
    standbys = leader()
    standbys.learn(11, 2, {}, 0.1)
    standbys.hear(11)
    standbys.learn(12, 1, {}, 0.2)
    assert standbys.audience == 1


def test_those_who_heard_an_earlier_tick_are_not_counted_by_a_later_one() -> None:
    standbys = leader()
    standbys.learn(11, 9, {}, 0.1)
    standbys.hear(12)
    assert standbys.audience == 1


def test_the_answer_may_come_after_the_tick_itself() -> None:
    standbys = leader()
    standbys.hear(11)
    standbys.learn(11, 4, {}, 0.1)
    assert standbys.audience == 3


def test_who_does_not_hear_the_same_channels_does_not_stand_by() -> None:
    """It has not looked at the table yet, or Redis refuses it one: that channel it would not go on with."""
    standbys = leader()
    standbys.learn(12, 2, {b"other": (11, 5)}, 0.2)
    assert not standbys.has_proof(ALL, 0.2)
    assert standbys.has_proof(5, 0.2)


def test_a_standby_that_hears_other_channels_than_before_says_so_at_once() -> None:
    standby = Standby()
    assert standby.proves(7, ALL, whole=True)
    assert standby.proves(8, 5, whole=True)
    assert not standby.proves(9, 5, whole=True)
