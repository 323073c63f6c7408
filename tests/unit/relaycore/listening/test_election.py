"""The table by which one listener leads or does not, and the ways in which it is walked."""

from itertools import product

import pytest

from relaycore.capturing.ticks import LEADING, LEAVING, LEFT, Tick, TickState
from relaycore.listening.election import HANDOVER_SECONDS, SILENT_TICKS, Election
from relaycore.listening.transitions import TRANSITIONS, Action, Event, IllegalEvent, State

TICK = 0.1
PATIENCE = SILENT_TICKS * TICK
SOON = 0.001

# States | events | the next state, `=` for the same one: what follows. All else is illegal.
TABLE = """
    JOINING FOLLOWING | JOINED CUT CUT_ALONE    | JOINING
    JOINING FOLLOWING | HEARD                   | FOLLOWING
    JOINING FOLLOWING | HEARD_LEFT              | FOLLOWING: CLAIM
    JOINING FOLLOWING | SILENT                  | =: ASK
    JOINING FOLLOWING | NOBODY                  | =: CLAIM
    JOINING FOLLOWING | DEAF                    | JOINING: REJOIN
    JOINING FOLLOWING | WON                     | LEADING: LEAD
    JOINING FOLLOWING | REFUSED LOST            | =
    JOINING FOLLOWING | STOP STOP_ALONE         | ENDED

    LEADING           | JOINED HEARD_OWN        | =
    LEADING           | CUT_ALONE               | =
    LEADING           | SUPERSEDED              | FOLLOWING: STEP_DOWN
    LEADING           | WON                     | =: LEAD
    LEADING           | REFUSED LOST            | JOINING: RESIGN
    LEADING           | CUT                     | JOINING: SAY_LEFT RESIGN
    LEADING           | RETIRE                  | YIELDING
    LEADING           | STOP                    | LEAVING
    LEADING           | STOP_ALONE              | ENDED

    YIELDING YIELDED  | HEARD_OWN LOST          | =
    YIELDING          | STANDS                  | YIELDED
    YIELDING YIELDED  | WON                     | LEADING: TAKE_BACK LEAD
    YIELDING YIELDED  | FORSAKEN CUT_ALONE      | LEADING: TAKE_BACK
    YIELDING YIELDED  | REFUSED                 | JOINING: TAKE_BACK RESIGN
    YIELDING YIELDED  | CUT                     | JOINING: TAKE_BACK SAY_LEFT RESIGN
    YIELDING          | STOP                    | LEAVING
    YIELDED           | STOP                    | LEFT
    YIELDING YIELDED  | SUPERSEDED              | ENDED: TAKE_BACK STEP_DOWN
    YIELDING YIELDED  | STOP_ALONE              | ENDED: TAKE_BACK

    LEAVING LEFT      | HEARD_OWN LOST STOP     | =
    LEAVING           | JOINED                  | =
    LEAVING           | STANDS                  | LEFT
    LEAVING LEFT      | WON                     | LEAVING: TAKE_BACK LEAD
    LEAVING LEFT      | SUPERSEDED              | ENDED: TAKE_BACK STEP_DOWN
    LEAVING LEFT      | REFUSED                 | ENDED: TAKE_BACK RESIGN
    LEAVING LEFT      | CUT                     | ENDED: TAKE_BACK SAY_LEFT RESIGN
    LEAVING LEFT      | FORSAKEN CUT_ALONE      | ENDED: TAKE_BACK
    LEAVING LEFT      | STOP_ALONE              | ENDED: TAKE_BACK

    ENDED | JOINED HEARD HEARD_LEFT HEARD_OWN SUPERSEDED SILENT NOBODY DEAF WON REFUSED LOST | =
    ENDED | STOP STOP_ALONE STANDS FORSAKEN CUT CUT_ALONE                                    | =
"""

TICKING = {State.LEADING, State.YIELDING, State.YIELDED, State.LEAVING, State.LEFT}
HANDING_OVER = TICKING - {State.LEADING}


def _read() -> dict[tuple[State, Event], tuple[State, tuple[Action, ...]]]:
    rows = {}
    for line in filter(None, map(str.strip, TABLE.splitlines())):
        states, events, outcome = line.split("|")
        then, _, actions = outcome.partition(":")
        for state, event in product(states.split(), events.split()):
            assert (State[state], Event[event]) not in rows, "written down twice"
            to = state if then.strip() == "=" else then.strip()
            rows[State[state], Event[event]] = State[to], tuple(Action[name] for name in actions.split())
    return rows


EXPECTED = _read()
ROWS = [(state, event, *TRANSITIONS[state][event]) for state in State for event in TRANSITIONS[state]]


@pytest.mark.parametrize(("state", "event"), [*product(State, Event)], ids=lambda each: each.name)
def test_each_event_in_each_state_leads_to_what_is_written_down_or_is_illegal(
    state: State, event: Event
) -> None:
    election = Election(TICK)
    election.state = state
    if (state, event) in EXPECTED:
        actions = election._on(event)
        assert (election.state, actions) == EXPECTED[state, event]
    else:
        with pytest.raises(IllegalEvent, match=f"^{event.name} in {state.name}$"):
            election._on(event)
        assert election.state is state


# --- what holds for all of it ------------------------------------------------------------


def test_who_has_ended_never_comes_back() -> None:
    assert {then for state, _, then, _ in ROWS if state is State.ENDED} == {State.ENDED}


def test_a_term_begins_with_a_lease_and_with_nothing_else() -> None:
    for state, event, then, actions in ROWS:
        if then in TICKING and state not in TICKING:
            assert event is Event.WON
        if state is not State.ENDED:
            assert (Action.LEAD in actions) == (event is Event.WON), (state, event)


def test_who_does_not_tick_is_never_told_of_a_tick_of_its_own() -> None:
    for state in State:
        own = {Event.HEARD_OWN, Event.SUPERSEDED, Event.STANDS, Event.FORSAKEN} & TRANSITIONS[state].keys()
        assert not own or state in TICKING | {State.ENDED}


def test_who_ticks_is_never_asked_whether_it_is_silent() -> None:
    for state in TICKING:
        assert not {Event.SILENT, Event.NOBODY, Event.DEAF, Event.HEARD} & TRANSITIONS[state].keys()


def test_whoever_hands_over_has_an_answer_to_whatever_may_fail_meanwhile() -> None:
    fails = {Event.FORSAKEN, Event.CUT, Event.CUT_ALONE, Event.STOP_ALONE, Event.STOP, Event.LOST}
    for state in HANDING_OVER:
        assert fails | {Event.REFUSED, Event.WON, Event.SUPERSEDED} <= TRANSITIONS[state].keys()


def test_what_is_held_since_the_point_of_a_hand_over_is_taken_back_before_anything_else() -> None:
    """Whoever comes to lead holds it as well; but nobody may have."""
    for state, event, then, actions in ROWS:
        if state in HANDING_OVER and (then not in HANDING_OVER or event is Event.WON):
            assert actions[0] is Action.TAKE_BACK, (state, event)


def test_who_ticks_no_more_has_given_up_its_term_unless_it_ends() -> None:
    for state, event, then, actions in ROWS:
        if state in TICKING and then not in TICKING | {State.ENDED}:
            assert {Action.RESIGN, Action.STEP_DOWN} & set(actions), (state, event)


def test_only_who_leads_retires_and_only_who_was_told_to_go_ends_without_a_successor() -> None:
    assert [state for state, event, *_ in ROWS if event is Event.RETIRE] == [State.LEADING]
    for state, event, then, _ in ROWS:
        if event is Event.FORSAKEN and state is not State.ENDED:
            assert then is (State.LEADING if state in {State.YIELDING, State.YIELDED} else State.ENDED)


# --- one listener's view -----------------------------------------------------------------


def tick(number: int, epoch: int = 1, state: TickState = LEADING) -> Tick:
    return Tick(number, epoch, number - 1, "run", state)


def joined(floor: int = 0) -> Election:
    election = Election(TICK)
    election.joined(0.0, floor)
    return election


def following(number: int = 7) -> Election:
    """It has heard one tick, at 0."""
    election = joined()
    hear(election, tick(number))
    assert election.state is State.FOLLOWING
    return election


def leading(epoch: int = 1) -> Election:
    """Its first tick was heard, at 0."""
    election = joined()
    election.won(epoch)
    hear(election, tick(1, epoch))
    assert election.state is State.LEADING
    return election


def hear(
    election: Election, heard: Tick, now: float = 0.0, *, covered: bool = True, whole: bool = True
) -> tuple[Action, ...]:
    return election.heard(heard, now, covered=covered, whole=whole)


def turn(election: Election, now: float, *, caught_up: bool = True, whole: bool = True) -> tuple[Action, ...]:
    return election.turn(now, caught_up=caught_up, whole=whole)


# --- silence -----------------------------------------------------------------------------


def test_after_some_ticks_of_silence_redis_is_asked_once() -> None:
    election = following()
    assert turn(election, PATIENCE) == ()
    assert turn(election, PATIENCE + SOON) == (Action.ASK,)
    assert turn(election, 99.0) == ()


def test_who_would_lead_with_a_hole_waits_longer() -> None:
    election = following()
    assert turn(election, 2 * PATIENCE, whole=False) == ()
    assert turn(election, 3 * PATIENCE + SOON, whole=False) == (Action.ASK,)


def test_there_is_no_silence_while_something_is_still_to_be_read() -> None:
    election = following()
    assert turn(election, 5.0, caught_up=False) == ()
    assert turn(election, 5.0 + PATIENCE) == ()
    assert turn(election, 5.0 + PATIENCE + SOON) == (Action.ASK,)


def test_each_tick_ends_a_silence() -> None:
    election = following()
    hear(election, tick(8), 1.0)
    assert turn(election, 1.0 + PATIENCE) == ()


def test_if_redis_has_counted_no_further_tick_nobody_leads() -> None:
    election = following(7)
    turn(election, 1.0)
    assert election.counted(election.newest, 7, 1.0) == (Action.CLAIM,)
    assert turn(election, 99.0) == (), "the claim is under way"


def test_if_redis_has_counted_on_the_tick_has_two_intervals_to_come() -> None:
    election = following(7)
    turn(election, 1.0)
    assert election.counted(election.newest, 9, 1.0) == ()
    assert turn(election, 1.0 + 2 * TICK) == ()
    assert turn(election, 1.0 + 2 * TICK + SOON) == (Action.REJOIN,)
    assert election.state is State.JOINING


def test_if_the_tick_comes_nothing_was_wrong() -> None:
    election = following(7)
    turn(election, 1.0)
    election.counted(election.newest, 9, 1.0)
    hear(election, tick(9), 1.1)
    assert turn(election, 1.0 + 2 * TICK + SOON) == ()
    assert election.state is State.FOLLOWING


def test_if_redis_has_lost_its_counter_nobody_knows_where_this_one_stands() -> None:
    election = following(7)
    turn(election, 1.0)
    assert election.counted(election.newest, 0, 1.0) == (Action.REJOIN,)


def test_an_answer_that_is_older_than_what_was_heard_since_is_no_news() -> None:
    """A leader that was frozen ticked between the question and its answer: this standby is not deaf."""
    election = following(7)
    turn(election, 1.0)
    hear(election, tick(8), 1.1)
    assert election.counted(7, 7, 1.1) == ()
    assert election.state is State.FOLLOWING
    assert turn(election, 1.1 + PATIENCE + SOON) == (Action.ASK,)
    assert election.counted(7, 7, 1.7) == ()
    assert election.counted(8, 8, 1.7) == (Action.CLAIM,)


def test_after_an_answer_that_is_too_old_it_asks_again() -> None:
    """What was heard in between was of a term that is over: it ends no silence."""
    election = joined()
    hear(election, tick(7, epoch=3))
    turn(election, 1.0)
    hear(election, tick(8, epoch=2), 1.1)
    assert turn(election, 1.2) == (), "the question is under way"
    assert election.counted(7, 7, 1.2) == ()
    assert turn(election, 1.2 + SOON) == (Action.ASK,)


def test_while_redis_cannot_be_asked_nothing_is_done_but_asking_again() -> None:
    election = following(7)
    turn(election, 1.0)
    assert election.counted(election.newest, None, 1.0) == ()
    assert turn(election, 1.0 + PATIENCE) == ()
    assert turn(election, 1.0 + PATIENCE + SOON) == (Action.ASK,)


def test_before_any_tick_was_heard_two_questions_show_whether_somebody_ticks() -> None:
    election = joined()
    assert turn(election, 1.0) == (Action.ASK,)
    assert election.counted(election.newest, 40, 1.0) == ()
    assert turn(election, 1.0 + 2 * TICK + SOON) == (Action.ASK,)
    assert election.counted(election.newest, 40, 1.3) == (Action.CLAIM,)


def test_before_any_tick_was_heard_a_counter_that_goes_on_means_deafness() -> None:
    election = joined()
    turn(election, 1.0)
    election.counted(election.newest, 40, 1.0)
    turn(election, 1.3)
    assert election.counted(election.newest, 42, 1.3) == (Action.REJOIN,)


def test_who_leads_is_never_silent_and_counts_nothing() -> None:
    election = leading()
    assert turn(election, 99.0) == ()
    assert election.counted(election.newest, 99, 99.0) == ()


# --- what is heard -----------------------------------------------------------------------


def test_it_follows_only_by_a_connection_that_hears_every_channel() -> None:
    election = joined()
    assert hear(election, tick(7), covered=False) == ()
    assert (election.state, election.last) == (State.JOINING, None)
    hear(election, tick(8))
    assert (election.state, election.last) == (State.FOLLOWING, tick(8))


def test_it_claims_when_the_leader_has_left_if_it_is_whole() -> None:
    assert hear(following(), tick(8, state=LEFT)) == (Action.CLAIM,)
    assert hear(following(), tick(8, state=LEFT), whole=False) == ()
    assert hear(following(), tick(8, state=LEAVING)) == ()


def test_one_claim_is_under_way_at_a_time() -> None:
    election = following()
    turn(election, 1.0)
    assert election.counted(election.newest, 7, 1.0) == (Action.CLAIM,)
    assert election._on(Event.HEARD_LEFT) == ()


def test_a_tick_of_an_earlier_term_says_nothing() -> None:
    """Its leader does not know yet that its term is over."""
    election = following()
    hear(election, tick(8, epoch=2))
    assert hear(election, tick(9, epoch=1, state=LEFT)) == ()
    assert election.last == tick(8, epoch=2)
    assert election.seen == 2


# --- the lease ---------------------------------------------------------------------------


def test_a_claim_that_is_won_begins_a_term() -> None:
    election = following()
    assert election.won(2) == (Action.LEAD,)
    assert (election.state, election.epoch, election.seen) == (State.LEADING, 2, 2)
    assert election.relays
    assert election.ticks


def test_a_claim_that_was_won_too_late_begins_nothing() -> None:
    election = following()
    hear(election, tick(8, epoch=3))
    assert election.won(2) == ()
    assert election.state is State.FOLLOWING


def test_who_was_refused_waits_for_another_silence() -> None:
    election = following()
    turn(election, 1.0)
    election.counted(election.newest, 7, 1.0)
    assert election.refused(1.2) == ()
    assert turn(election, 1.2 + PATIENCE) == ()
    assert turn(election, 1.2 + PATIENCE + SOON) == (Action.ASK,)


@pytest.mark.parametrize("how", ["refused", "lost"])
def test_a_leader_without_a_lease_resigns_and_has_to_be_heard_anew(how: str) -> None:
    election = leading()
    assert getattr(election, how)(1.0) == (Action.RESIGN,)
    assert (election.state, election.last) == (State.JOINING, None)


def test_a_leader_that_hears_a_later_term_steps_down() -> None:
    election = leading(epoch=1)
    assert hear(election, tick(9, epoch=2)) == (Action.STEP_DOWN,)
    assert election.state is State.FOLLOWING


# --- the connection ----------------------------------------------------------------------


def test_a_leader_that_is_cut_off_gives_way_to_whoever_may_have_heard_on() -> None:
    election = leading()
    assert election.cut(1.0, somebody=True) == (Action.SAY_LEFT, Action.RESIGN)
    assert (election.state, election.last) == (State.JOINING, None)


def test_a_leader_that_is_cut_off_and_alone_leads_on() -> None:
    election = leading()
    assert election.cut(1.0, somebody=False) == ()
    assert election.state is State.LEADING
    election.joined(1.1, 1)
    assert (election.state, election.last) == (State.LEADING, None)


def test_a_standby_that_is_cut_off_has_nothing_whole_any_more() -> None:
    election = following()
    assert election.cut(1.0, somebody=True) == ()
    assert (election.state, election.last) == (State.JOINING, None)


# --- the hand-over -----------------------------------------------------------------------


def retiring(point: int = 9) -> Election:
    """A leader that has heard its first tick that says `leaving`, at 0."""
    election = leading()
    assert election.retire(0.0) == ()
    assert (election.says, election.relays) == (LEAVING, True), "until that tick"
    hear(election, tick(point, state=LEAVING))
    assert not election.relays
    return election


def test_a_hand_over_says_leaving_and_left_once_everything_before_the_point_stands() -> None:
    election = retiring(point=9)
    hear(election, tick(10, state=LEAVING))
    assert election.point == 9, "the first one counts"
    election.stands(8)
    assert (election.state, election.says) == (State.YIELDING, LEAVING)
    election.stands(9)
    assert (election.state, election.says) == (State.YIELDED, LEFT)
    assert hear(election, tick(12, epoch=2)) == (Action.TAKE_BACK, Action.STEP_DOWN)
    assert election.state is State.ENDED


def test_a_hand_over_confirms_what_it_has_relayed_and_nothing_of_what_it_holds() -> None:
    election = retiring(point=9)
    assert election.confirms(tick(9))
    assert not election.confirms(tick(10))
    assert leading().confirms(tick(10))
    assert not following().confirms(tick(10))


def test_a_tick_that_still_says_leading_is_no_point() -> None:
    election = leading()
    election.retire(0.0)
    hear(election, tick(9))
    assert election.point is None
    assert election.relays


def test_nothing_stands_before_the_point_is_known() -> None:
    election = leading()
    election.retire(0.0)
    election.stands(99)
    assert election.state is State.YIELDING


def test_who_retires_and_finds_no_successor_leads_on() -> None:
    election = retiring()
    assert turn(election, HANDOVER_SECONDS) == ()
    assert turn(election, HANDOVER_SECONDS + SOON) == (Action.TAKE_BACK,)
    assert (election.state, election.says, election.point) == (State.LEADING, LEADING, None)
    assert election.relays


def test_who_was_told_to_go_and_finds_no_successor_ends() -> None:
    election = leading()
    election.stop(0.0, somebody=True)
    assert (election.state, election.says) == (State.LEAVING, LEAVING)
    assert turn(election, HANDOVER_SECONDS + SOON) == (Action.TAKE_BACK,)
    assert election.state is State.ENDED


def test_to_be_told_again_to_go_postpones_nothing() -> None:
    election = leading()
    election.stop(0.0, somebody=True)
    election.stop(HANDOVER_SECONDS, somebody=True)
    turn(election, HANDOVER_SECONDS + SOON)
    assert election.state is State.ENDED


def test_to_be_told_to_go_while_retiring_goes_on_with_the_same_hand_over() -> None:
    election = retiring(point=9)
    election.stop(1.0, somebody=True)
    assert (election.state, election.point) == (State.LEAVING, 9)
    election = retiring(point=9)
    election.stands(9)
    election.stop(1.0, somebody=True)
    assert election.state is State.LEFT


def test_who_is_told_to_go_and_is_alone_takes_back_what_it_holds_and_ends() -> None:
    election = retiring()
    assert election.stop(1.0, somebody=False) == (Action.TAKE_BACK,)
    assert election.state is State.ENDED


def test_a_term_that_is_won_anew_in_a_hand_over_ends_the_hand_over() -> None:
    election = retiring()
    assert election.won(2) == (Action.TAKE_BACK, Action.LEAD)
    assert (election.state, election.point) == (State.LEADING, None)


def test_who_has_ended_wins_nothing_and_looks_at_no_time() -> None:
    election = leading()
    election.stop(0.0, somebody=False)
    assert election.won(9) == ()
    assert turn(election, 99.0) == ()
    assert election.state is State.ENDED
