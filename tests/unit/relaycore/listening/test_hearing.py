"""What a listener does with what it hears, at the moments at which leaders and policies change."""

from relaycore.capturing import notices
from relaycore.capturing.capture import Capture, Push, Subscribed, Ticked
from relaycore.capturing.holding import Hold
from relaycore.capturing.policies import Changes
from relaycore.capturing.ticks import LEADING, LEAVING, LEFT, TickState, pack, seal
from relaycore.envelope import key_of, payload_of
from relaycore.listening.hearing import Hearing, Step
from relaycore.listening.transitions import Action, State
from relaycore.policy import CONTENT, EVERY, Policy

KEY = b"key"
SUBSCRIBED: Push = [b"subscribe", b"orders", 1]


def listener(policy: Policy = CONTENT, *, newest: int = 0, hold_bytes: int = 1 << 20) -> Hearing:
    capture = Capture(b"ticks", b"control", KEY, 1 << 20)
    capture.want(b"orders")
    hearing = Hearing(capture, 0.1, hold_bytes)
    hearing.joined(b"connection", newest, {b"orders": policy}, 0.0, 0)
    return hearing


def leader(policy: Policy = CONTENT) -> Hearing:
    hearing = listener(policy)
    take_over(hearing, 1)
    return hearing


def take_over(hearing: Hearing, epoch: int) -> list[bytes]:
    """The claim is won; what was held is relayed."""
    whole = hearing.is_whole
    assert Action.LEAD in hearing.election.won(epoch)
    heard = hearing.lead(epoch, whole=whole)
    return [payload_of(document)[0] for piece in heard.pieces for document in piece.documents]


def message(text: bytes) -> Push:
    return [b"message", b"orders", text]


def tick(number: int, epoch: int, confirmed: int, state: TickState = LEADING, changes: Changes = ()) -> Push:
    body = b"%d %d %d %s 0 0 run %s" % (number, epoch, confirmed, state.encode(), pack(changes))
    return [b"message", b"ticks", body + b" " + seal(body, KEY)]


def step(hearing: Hearing, *pushes: Push, covered: bool = True) -> Step:
    return hearing.hear(pushes, 100, 1.0, 1, covered=covered)


def hear(hearing: Hearing, *pushes: Push, covered: bool = True) -> tuple[int, list[Action]]:
    """How many messages go onto the stream, and what is to be done."""
    led_to = step(hearing, *pushes, covered=covered)
    return len(documents(led_to)), led_to.actions


def documents(led_to: Step) -> list[bytes]:
    return [document for piece in led_to.heard.pieces for document in piece.documents]


def texts(led_to: Step) -> list[bytes]:
    return [payload_of(document)[0] for document in documents(led_to)]


# --- whole, or not -----------------------------------------------------------------------


def test_a_whole_standby_claims_when_the_leader_has_left() -> None:
    standby = listener()
    hear(standby, tick(7, 1, 6), tick(8, 1, 7))
    assert hear(standby, tick(9, 1, 8, LEFT)) == (0, [Action.CLAIM])


def test_it_does_not_claim_when_the_same_read_brings_the_successor() -> None:
    standby = listener()
    hear(standby, tick(7, 1, 6), tick(8, 1, 7))
    assert hear(standby, tick(9, 1, 8, LEFT), tick(10, 2, 0)) == (0, [])


def test_what_one_leader_has_confirmed_stays_confirmed_under_the_next() -> None:
    standby = listener()
    hear(standby, tick(7, 1, 6), tick(8, 1, 7))
    assert standby.is_whole
    hear(standby, tick(9, 2, 0))
    assert standby.is_whole


def test_after_a_new_connection_it_has_to_hear_what_is_confirmed() -> None:
    standby = listener()
    hear(standby, tick(7, 1, 6), tick(8, 1, 7))
    standby.joined(b"another connection", 8, {}, 2.0, 0)
    hear(standby, tick(9, 2, 0))
    assert not standby.is_whole


def test_a_connection_that_does_not_hear_every_channel_is_not_whole() -> None:
    standby = listener()
    hear(standby, tick(7, 1, 6), tick(8, 1, 7), covered=False)
    assert not standby.is_whole


def test_what_came_before_it_heard_every_channel_counts_for_nothing() -> None:
    standby = listener()
    hear(standby, tick(7, 1, 6), tick(8, 1, 7), covered=False)
    hear(standby, tick(9, 1, 8))
    assert not standby.is_whole, "tick 9 is not confirmed"
    hear(standby, tick(10, 1, 9))
    assert standby.is_whole


def test_what_was_confirmed_before_redis_has_lost_its_counter_says_nothing_of_new_numbers() -> None:
    standby = listener()
    hear(standby, tick(1000, 1, 999), tick(1001, 1, 1000))
    standby.joined(b"another connection", 0, {}, 2.0, 0)
    hear(standby, tick(1, 1, 0))
    assert not standby.is_whole


def test_who_held_too_much_says_so_and_is_whole_again_from_a_later_tick_on() -> None:
    standby = listener(hold_bytes=4000)
    hear(standby, tick(7, 1, 6), tick(8, 1, 7))
    assert step(standby, message(b"x" * 100), *[message(b"y")] * 20).overflow
    assert not standby.is_whole
    hear(standby, tick(9, 1, 7))
    assert not standby.is_whole, "tick 9 is not confirmed"
    hear(standby, tick(10, 1, 9))
    assert standby.is_whole


# --- relayed, or held --------------------------------------------------------------------


def test_a_standby_holds_what_comes_after_what_is_confirmed_and_the_next_leader_relays_it() -> None:
    standby = listener()
    hear(standby, tick(7, 1, 6), message(b"in 7"), tick(8, 1, 7), message(b"in 8"), tick(9, 1, 8))
    hear(standby, message(b"in 9"))
    assert take_over(standby, 2) == [b"in 8", b"in 9"]


def test_a_leader_relays_and_holds_nothing() -> None:
    hearing = leader()
    assert texts(step(hearing, message(b"one"), tick(1, 1, 0), message(b"two"))) == [b"one", b"two"]
    assert hearing.hold.size == 0


def test_who_hands_over_relays_what_came_before_its_tick_and_holds_what_comes_after_it() -> None:
    hearing = leader()
    hear(hearing, tick(1, 1, 0))
    hearing.election.retire(1.0)
    led_to = step(hearing, message(b"before"), tick(2, 1, 1, LEAVING), message(b"after"))
    assert texts(led_to) == [b"before"]
    taken = hearing.take_back()
    assert [payload_of(document)[0] for piece in taken.pieces for document in piece.documents] == [b"after"]


def test_who_has_resigned_holds_and_is_not_whole_before_the_next_confirmed_tick() -> None:
    hearing = leader()
    hear(hearing, tick(1, 1, 0), message(b"relayed"))
    hearing.election.lost(1.0)
    hearing.resign()
    assert hear(hearing, message(b"held")) == (0, [])
    hear(hearing, tick(2, 2, 1))
    assert not hearing.is_whole
    hear(hearing, tick(3, 2, 2))
    assert hearing.is_whole


def test_who_learns_that_its_term_is_over_relays_the_rest_of_that_read_and_then_holds() -> None:
    hearing = leader()
    hear(hearing, tick(1, 1, 0))
    led_to = step(hearing, tick(2, 2, 0), message(b"same read"))
    assert (texts(led_to), led_to.actions) == ([b"same read"], [Action.STEP_DOWN])
    assert hear(hearing, message(b"next read")) == (0, [])


def test_what_was_subscribed_since_the_last_confirmed_tick_was_heard_too_late() -> None:
    standby = listener()
    hear(standby, tick(7, 1, 6), SUBSCRIBED, tick(8, 1, 7))
    take_over(standby, 2)
    standby.accounting.begun(None)
    assert list(standby.accounting._late) == [b"orders"]


def test_what_is_held_is_told_of_once_when_it_is_heard() -> None:
    standby = listener()
    events = step(standby, tick(7, 1, 6), SUBSCRIBED).heard.events
    assert [type(event) for event in events] == [Ticked, Subscribed]


# --- names under `every` -----------------------------------------------------------------


def test_before_its_first_tick_a_new_leader_relays_nothing_under_a_name_of_its_own() -> None:
    """A leader that is only frozen has heard it in a tick that this one does not know."""
    hearing = leader(EVERY)
    assert hearing.election.state is State.LEADING
    assert hear(hearing, message(b"between")) == (0, [])
    assert hear(hearing, tick(1, 1, 0), message(b"after")) == (1, [])


def test_an_own_tick_that_comes_before_everything_is_subscribed_ends_nothing() -> None:
    hearing = leader(EVERY)
    hear(hearing, tick(1, 1, 0), covered=False)
    assert hear(hearing, SUBSCRIBED, message(b"named alone"), covered=False) == (0, [])
    assert hear(hearing, tick(2, 1, 0), SUBSCRIBED) == (0, [])
    assert hear(hearing, message(b"named alone, and no other leads")) == (1, [])


def test_under_content_it_relays_at_once() -> None:
    assert hear(leader(CONTENT), message(b"between")) == (1, [])


# --- policies ----------------------------------------------------------------------------


def test_what_was_held_keeps_the_policy_under_which_it_was_heard() -> None:
    """As the leader before named it, that may have appended it already."""
    heard = [
        *(tick(7, 1, 6), tick(8, 1, 7), message(b"x"), message(b"x")),
        *(tick(9, 1, 7, changes=((b"orders", EVERY),)), message(b"x"), message(b"x")),
    ]
    relayed = step(_leading_from(7), *heard[1:])
    standby = listener()
    hear(standby, *heard)
    standby.election.won(2)
    taken = standby.lead(2, whole=True)
    held = [key_of(document) for piece in taken.pieces for document in piece.documents]
    assert held == [key_of(document) for document in documents(relayed)]
    assert len(set(held)) == 3


def _leading_from(number: int) -> Hearing:
    hearing = listener()
    take_over(hearing, 1)
    hear(hearing, tick(number, 1, number - 1))
    return hearing


def test_a_policy_whose_tick_is_held_no_more_holds_all_the_same() -> None:
    standby = listener()
    hear(standby, tick(7, 1, 6, changes=((b"orders", EVERY),)), tick(8, 1, 7), tick(9, 1, 8))
    assert standby.hold.first == 8
    hear(standby, message(b"x"), message(b"x"))
    assert take_over(standby, 2) == [b"x", b"x"]
    assert standby.capture._policies[b"orders"] == EVERY


def test_a_policy_that_came_while_too_much_was_held_holds_all_the_same() -> None:
    standby = listener(hold_bytes=4000)
    hear(standby, tick(7, 1, 6), tick(8, 1, 6, changes=((b"orders", EVERY),)))
    assert step(standby, *[message(b"y")] * 20).overflow
    take_over(standby, 2)
    assert standby.capture._policies[b"orders"] == EVERY


# --- ticks that somebody publishes again -------------------------------------------------


def test_a_tick_that_a_standby_has_heard_already_is_nothing_though_it_is_held() -> None:
    standby = listener()
    hear(standby, tick(7, 1, 6), tick(8, 1, 7))
    led_to = step(standby, tick(8, 1, 7), tick(7, 1, 6))
    assert (led_to.heard.events, led_to.actions) == ([], [])
    assert standby.newest == 8
    assert standby.hold.first == 7


def test_a_tick_from_before_this_connection_is_nothing() -> None:
    standby = listener(newest=7)
    assert step(standby, tick(7, 1, 6)).heard.events == []
    assert len(step(standby, tick(8, 1, 7)).heard.events) == 1


# --- echoes ------------------------------------------------------------------------------


def notice(number: int, count: int) -> Push:
    return [b"message", b"control", notices.echo(number, b"orders", count, KEY)]


def test_a_notice_that_is_held_acts_when_it_is_relayed_and_goes_on_in_what_is_heard_then() -> None:
    standby = listener()
    hear(standby, tick(7, 1, 6), message(b"1"), notice(1, 3), message(b"echo"))
    hear(standby, message(b"echo"))
    assert take_over(standby, 2) == [b"1"]
    assert texts(step(standby, message(b"echo"), message(b"2"))) == [b"2"]


def test_a_run_goes_on_in_what_a_leader_holds_when_it_leads_no_more() -> None:
    deposed = leader()
    assert texts(step(deposed, message(b"1"), notice(1, 3), message(b"echo"))) == [b"1"]
    deposed.election.lost(1.0)
    deposed.resign()
    hear(deposed, message(b"echo"), message(b"echo"), message(b"2"))
    assert take_over(deposed, 2) == [b"2"]


def test_what_is_let_go_takes_the_rest_of_a_run_along() -> None:
    deposed = leader()
    step(deposed, notice(1, 3), message(b"echo"))
    deposed.election.lost(1.0)
    deposed.resign()
    hear(deposed, message(b"echo"), message(b"echo"), tick(7, 2, 6), tick(8, 2, 7), message(b"1"))
    assert take_over(deposed, 3) == [b"1"]


def test_a_notice_that_was_let_go_is_known_to_whoever_holds_it_again() -> None:
    standby = listener()
    hear(standby, tick(7, 1, 6), notice(1, 1), message(b"echo"), tick(8, 1, 8), notice(1, 1), message(b"1"))
    assert standby.hold.first == 8
    assert take_over(standby, 2) == [b"1"]


def test_and_to_whoever_leads_by_then() -> None:
    standby = listener()
    hear(standby, tick(7, 1, 6), notice(1, 1), message(b"echo"), tick(8, 1, 8))
    assert take_over(standby, 2) == []
    assert texts(step(standby, notice(1, 1), message(b"1"))) == [b"1"]


def test_what_a_leader_has_heard_is_known_to_it_as_a_standby() -> None:
    deposed = leader()
    step(deposed, notice(1, 1), message(b"echo"))
    deposed.election.lost(1.0)
    deposed.resign()
    hear(deposed, tick(7, 2, 6), notice(1, 1), message(b"1"))
    assert take_over(deposed, 3) == [b"1"]


def test_a_standby_that_held_too_much_takes_nothing_for_the_rest_of_a_run() -> None:
    deposed = leader()
    step(deposed, notice(1, 20), message(b"echo"))
    deposed.election.lost(1.0)
    deposed.resign()
    deposed.hold = Hold(4000)
    assert step(deposed, *[message(b"echo")] * 19).overflow
    hear(deposed, message(b"1"))
    assert take_over(deposed, 3) == [b"1"]


def test_what_a_new_connection_begins_with_is_known() -> None:
    standby = listener()
    standby.joined(b"another connection", 8, {}, 2.0, 5)
    hear(standby, tick(9, 1, 8), notice(5, 1), message(b"1"), notice(6, 1), message(b"echo"))
    assert take_over(standby, 2) == [b"1"]
