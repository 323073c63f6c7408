"""What a listener does at the moments at which leaders change."""

from relaycore.capture import Capture, Push
from relaycore.election import Action, State
from relaycore.hearing import Hearing
from relaycore.policy import CONTENT, EVERY, Policy
from relaycore.ticks import LEADING, LEFT, seal
from relaycore.ticks import State as TickState

KEY = b"key"


def listener(policy: Policy = CONTENT) -> Hearing:
    capture = Capture(b"ticks", b"control", KEY, 1 << 20)
    capture.want(b"orders", policy)
    hearing = Hearing(capture, 0.1, 1 << 20)
    hearing.joined(b"connection", 0.0)
    return hearing


def message(text: bytes) -> Push:
    return [b"message", b"orders", text]


def tick(number: int, epoch: int, confirmed: int, state: TickState = LEADING) -> Push:
    body = b"%d %d %d %s 0 0 run" % (number, epoch, confirmed, state.encode())
    return [b"message", b"ticks", body + b" " + seal(body, KEY)]


def hear(hearing: Hearing, *pushes: Push) -> tuple[int, list[Action]]:
    """How many messages go onto the stream, and what is to be done."""
    step = hearing.hear(pushes, 100, 1.0, 1)
    return sum(len(piece.documents) for piece in step.heard.pieces), step.actions


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
    standby.joined(b"another connection", 2.0)
    hear(standby, tick(9, 2, 0))
    assert not standby.is_whole


def test_before_its_first_tick_a_new_leader_relays_nothing_under_a_name_of_its_own() -> None:
    """A leader that is only frozen has heard it in a tick that this one does not know."""
    leader = listener(EVERY)
    leader.take_over(1)
    assert leader.election.state is State.LEADING
    assert hear(leader, message(b"between")) == (0, [])
    assert hear(leader, tick(1, 1, 0), message(b"after")) == (1, [])


def test_under_content_it_relays_at_once() -> None:
    leader = listener(CONTENT)
    leader.take_over(1)
    assert hear(leader, message(b"between")) == (1, [])
