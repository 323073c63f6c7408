"""One listener through its one door: what happened goes in, what is to be done comes out."""

import itertools
from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from relaycore.capturing import notices
from relaycore.capturing.accounting import Missed, Why
from relaycore.capturing.capture import REFUSAL, Capture, Push
from relaycore.capturing.policies import Changes
from relaycore.capturing.subscribing import Command
from relaycore.capturing.ticks import LEADING, LEAVING, LEFT, Tick, TickState, pack, seal
from relaycore.envelope import payload_of
from relaycore.listening.effects import (
    Active,
    Append,
    Ask,
    Claim,
    Count,
    Covered,
    Deafened,
    Drop,
    Effect,
    Forgotten,
    Lead,
    Locate,
    Mark,
    Overflow,
    Prove,
    Publish,
    Settled,
    Silenced,
    TableChanged,
    Unheard,
)
from relaycore.listening.election import HANDOVER_SECONDS
from relaycore.listening.outside import Outside, Published
from relaycore.listening.protocol import ListenerProtocol
from relaycore.listening.pulse import UNHEARD_SECONDS
from relaycore.listening.transitions import State
from relaycore.policy import CONTENT, EVERY, Policy
from tests.simulation.world import protects

KEY = b"key"
TICK = 0.1
HERE, THERE = "a server", "another server"
NOPERM = "NOPERM No permissions to access one of the channels"
NO_EVAL = "NOPERM User relay has no permissions to run the 'eval' command"


def tick(
    number: int, epoch: int = 1, confirmed: int = 0, state: TickState = LEADING, changes: Changes = ()
) -> Push:
    body = b"%d %d %d %s 0 0 run %s" % (number, epoch, confirmed, state.encode(), pack(changes))
    return [b"message", b"ticks", body + b" " + seal(body, KEY)]


def message(text: bytes) -> Push:
    return [b"message", b"orders", text]


class Listener:
    """A protocol at its own moment `now`, and what its servers would answer.

    Redis counts ticks from `number` on; `proofs` stand beside the stream, `others` subscribe the ticks.
    """

    def __init__(self, *channels: bytes, policy: Policy = CONTENT, hold_bytes: int = 1 << 20) -> None:
        self.protocol = ListenerProtocol(
            b"own", Capture(b"ticks", b"control", KEY, 1 << 20), TICK, hold_bytes
        )
        self.now = 0.0
        self.number = 0
        self.outside = Outside(is_open=True)
        self.proofs: dict[bytes, int] = {}  # At which tick; of the channels that are heard here.
        self.others = 0
        self.has_room = True
        self.refuses: set[bytes] = set()
        for row, channel in enumerate(channels):
            self.protocol.want(channel, policy, row)

    # --- one thing at a time -------------------------------------------------------------

    def hear(self, *pushes: Push) -> list[Effect]:
        self.protocol.hear(pushes, 100 * len(pushes), self.now, 1)
        return self.protocol.take()

    def turn(self, *, caught_up: bool = True, **outside: Any) -> list[Effect]:
        """Look at the time. `outside`: as in `Outside`, where it is not well."""
        self.protocol.turn(self.now, Outside(**{"is_open": True, **outside}), caught_up=caught_up)
        return self.protocol.take()

    def later(self, seconds: float, **outside: Any) -> list[Effect]:
        self.now += seconds
        return self.turn(**outside)

    def obey(self, effects: Sequence[Effect]) -> list[Effect]:
        """Redis answers the commands among them, and what these lead to; what else came out."""
        left: list[Effect] = []
        for effect in effects:
            if not isinstance(effect, Command):
                left.append(effect)
            elif effect.subscribes and self.refuses.intersection(effect.channels):
                left += self.obey(self.hear([REFUSAL, b"", NOPERM]))
            else:
                kind = b"subscribe" if effect.subscribes else b"unsubscribe"
                left += self.obey(self.hear(*([kind, channel, 1] for channel in effect.channels)))
        return left

    # --- several together ----------------------------------------------------------------

    def connect(self, connection: bytes = b"c1", *, server: str = HERE) -> list[Effect]:
        """Up to where Redis is asked where the order of ticks stands."""
        self.protocol.commands_lead_to(HERE)
        self.protocol.connected(connection, self.now)
        self.protocol.data_leads_to(server)
        return self.obey(self.protocol.take()) + self.turn()

    def locate(self, policies: Mapping[bytes, Policy] | None = None, connection: bytes = b"c1") -> None:
        """Redis answers that, and then for each channel."""
        self.protocol.located(connection, self.number, policies or {}, self.now, 0, 0)
        self.obey(self.protocol.take())

    def join(self, policies: Mapping[bytes, Policy] | None = None) -> "Listener":
        self.connect()
        self.locate(policies)
        return self

    def published(self, effects: Sequence[Effect], *, heard: bool = True) -> list[Effect]:
        """Redis has published the tick that is among the effects, and it comes back; what that leads to."""
        (order,) = (effect for effect in effects if isinstance(effect, Publish))
        self.number += 1
        digest = self.protocol._subscriptions.digest
        proofs = {name: (number, digest) for name, number in self.proofs.items()}
        answer = Published(self.number, self.others + 1, proofs, None, self.has_room)
        self.protocol.published(answer, self.now)
        confirmed = order.confirmed.number if order.confirmed else 0
        if not heard:
            return self.protocol.take()
        return self.obey(self.hear(tick(self.number, order.epoch, confirmed, order.state, order.changes)))

    def tick(self, **outside: Any) -> list[Effect]:
        """An interval later: one tick, there and back."""
        return self.published(self.later(TICK, **outside))

    def win(self, epoch: int = 1, *, claimed: bool = True) -> list[Effect]:
        self.protocol.won(epoch, self.now, claimed=claimed)
        return self.protocol.take()

    def lead(self) -> "Listener":
        """Somebody subscribes the ticks as well, and three of them were heard."""
        self.join()
        self.others = 1
        self.win()
        self.published(self.turn())
        for _ in range(2):
            self.tick()
        assert self.protocol.state is State.LEADING
        return self


def standby() -> Listener:
    """Whole: it has heard what is confirmed."""
    listener = Listener(b"orders").join()
    listener.hear(tick(1, confirmed=0), tick(2, confirmed=1), tick(3, confirmed=2))
    assert listener.protocol.state is State.FOLLOWING
    listener.number = 3
    return listener


def leader(*, proved: bool = True) -> Listener:
    """It may retire, if a standby has proved that it is whole."""
    listener = Listener(b"orders").lead()
    listener.proofs = {b"own": 2, **({b"other": 3} if proved else {})}
    listener.tick()
    return listener


def kinds(effects: Sequence[Effect]) -> list[type]:
    return [type(effect) for effect in effects]


def proved(effects: Sequence[Effect]) -> list[int]:
    return [effect.number for effect in effects if isinstance(effect, Prove)]


def texts(effects: Sequence[Effect]) -> list[bytes]:
    appended = [effect for effect in effects if isinstance(effect, Append)]
    return [
        payload_of(document)[0] for each in appended for piece in each.pieces for document in piece.documents
    ]


def active(effects: Sequence[Effect]) -> list[int]:
    return [row for effect in effects if isinstance(effect, Active) for row in effect.rows]


def settled(effects: Sequence[Effect]) -> tuple[list[int], Tick | None, int]:
    (found,) = (effect for effect in effects if isinstance(effect, Settled))
    return found.rows, found.since, found.first.number


# --- a connection's beginning ------------------------------------------------------------


def test_it_subscribes_its_own_channels_then_asks_where_ticks_stand_then_subscribes_the_rest() -> None:
    listener = Listener(b"orders", b"bills")
    listener.protocol.commands_lead_to(HERE)
    listener.protocol.connected(b"c1", 0.0)
    listener.protocol.data_leads_to(HERE)
    commands = listener.protocol.take()
    assert commands == [Command(True, (b"control",)), Command(True, (b"ticks",))]
    assert listener.turn() == [], "they are not confirmed"
    listener.obey(commands)
    assert listener.turn() == [Locate(b"c1")]
    listener.protocol.located(b"c1", 0, {}, 0.0, 0, 0)
    commands = listener.protocol.take()
    assert commands == [Command(True, (b"orders", b"bills"))]
    assert not listener.protocol.is_covered
    listener.obey(commands)
    assert listener.protocol.is_covered


def test_it_does_not_ask_before_it_knows_that_both_connections_lead_to_one_server() -> None:
    listener = Listener(b"orders")
    listener.protocol.connected(b"c1", 0.0)
    listener.obey(listener.protocol.take())
    listener.protocol.data_leads_to(HERE)
    assert listener.turn() == []
    listener.protocol.commands_lead_to(HERE)
    assert listener.turn() == [Locate(b"c1")]


def test_it_asks_again_when_no_answer_has_come_for_a_while() -> None:
    listener = Listener(b"orders")
    listener.connect()
    assert listener.later(0.2) == []
    assert listener.later(0.2) == [Locate(b"c1")]


def test_where_redis_could_not_be_asked_nothing_is_subscribed() -> None:
    listener = Listener(b"orders")
    listener.connect()
    listener.protocol.located(b"c1", None, {}, 0.0, 0, 0)
    assert listener.protocol.take() == []


def test_an_answer_for_an_earlier_connection_is_nothing() -> None:
    """Its channels were subscribed after it; those of this one come after a later tick."""
    listener = Listener(b"orders")
    listener.connect()
    listener.protocol.disconnected(0.0)
    listener.connect(b"c2")
    listener.protocol.located(b"c1", 0, {}, 0.0, 0, 0)
    assert listener.protocol.take() == []
    listener.locate(connection=b"c2")
    assert listener.protocol.is_covered


def test_a_second_answer_for_the_same_connection_is_nothing() -> None:
    listener = standby()
    listener.protocol.located(b"c1", 99, {}, 0.0, 0, 0)
    assert listener.protocol.take() == []
    assert listener.protocol.state is State.FOLLOWING


def test_ticks_up_to_the_counter_are_no_news_whoever_publishes_them_again() -> None:
    listener = Listener(b"orders")
    listener.number = 7
    listener.connect()
    listener.hear(tick(6), tick(7))
    listener.locate()
    listener.hear(tick(6), tick(7))
    assert not protects(listener.protocol)
    assert listener.protocol.state is State.JOINING
    assert listener.hear(tick(8, confirmed=7)) == []
    assert proved(listener.hear(tick(9, confirmed=8))) == [9]


def test_a_tick_that_came_while_it_was_asked_is_behind_it_and_has_changed_policies() -> None:
    listener = Listener(b"orders", policy=EVERY)
    listener.number = 7
    listener.connect()
    old = tick(7, changes=((b"orders", CONTENT),))
    listener.hear(old, tick(8, changes=((b"orders", EVERY),)), old)
    listener.locate()
    assert listener.protocol.is_covered, "orders is subscribed: its policy is in force"
    listener.hear(tick(8))
    assert listener.protocol.state is State.JOINING, "that tick came before the channels"


def test_a_notice_is_told_from_the_beginning_on() -> None:
    notice: Push = [b"message", b"control", notices.look("orders", KEY)]
    listener = Listener(b"orders")
    listener.connect()
    assert listener.hear(notice) == [TableChanged(notices.Look("orders"))]
    assert standby().hear(notice) == [TableChanged(notices.Look("orders"))]


def echo(number: int, count: int) -> Push:
    return [b"message", b"control", notices.echo(number, b"orders", count, KEY)]


def test_the_notice_of_an_echo_asks_nothing_of_the_table() -> None:
    listener = Listener(b"orders")
    listener.connect()
    assert listener.hear(echo(1, 0)) == []
    assert standby().hear(echo(1, 0)) == []


def test_an_echo_that_was_heard_or_given_before_the_channels_is_no_news() -> None:
    listener = Listener(b"orders")
    listener.connect()
    listener.hear(echo(9, 1))
    listener.protocol.located(b"c1", 0, {}, 0.0, 0, 7)
    assert listener.protocol._hearing._newest_echo == 9

    listener = Listener(b"orders")
    listener.connect()
    listener.hear(echo(5, 1))
    listener.protocol.located(b"c1", 0, {}, 0.0, 0, 7)
    assert listener.protocol._hearing._newest_echo == 7


def test_what_was_heard_on_an_earlier_connection_says_nothing_of_this_one() -> None:
    """Its floor is read anew; Redis may have lost what it had given."""
    listener = Listener(b"orders")
    listener.connect()
    listener.hear(echo(9, 1))
    listener.protocol.disconnected(0.0)
    listener.connect(b"c2")
    listener.protocol.located(b"c2", 0, {}, 0.0, 0, 7)
    assert listener.protocol._hearing._newest_echo == 7


# --- a standby proves that it is whole ---------------------------------------------------


def test_a_standby_that_is_whole_proves_it_by_the_number_of_a_tick() -> None:
    listener = standby()
    assert proved(listener.hear(tick(4, confirmed=3), tick(5, confirmed=4))) == [5]
    assert proved(listener.hear(tick(6, confirmed=5))) == []
    assert proved(listener.hear(tick(7, confirmed=6))) == [7]


def test_a_standby_with_a_hole_proves_nothing() -> None:
    listener = Listener(b"orders").join()
    assert listener.hear(tick(5, confirmed=2), tick(6, confirmed=3)) == []
    assert proved(listener.hear(tick(7, confirmed=6))) == [7]


def test_a_standby_whose_connections_lead_to_two_servers_proves_nothing() -> None:
    """What it writes down on the one says nothing of what it hears on the other."""
    listener = standby()
    listener.protocol.commands_lead_to(THERE)
    assert listener.hear(tick(4, confirmed=3), tick(5, confirmed=4)) == []


def test_a_standby_that_holds_too_much_says_so_and_proves_nothing() -> None:
    listener = Listener(b"orders", hold_bytes=4000).join()
    listener.hear(tick(1, confirmed=0), tick(2, confirmed=1))
    assert Overflow() in listener.hear(*[message(b"text")] * 20)
    assert proved(listener.hear(tick(3, confirmed=1), tick(4, confirmed=1))) == []


def test_a_leader_proves_nothing_of_itself() -> None:
    assert Prove not in kinds(leader().tick())


# --- retiring ----------------------------------------------------------------------------


def retire(listener: Listener) -> State:
    listener.protocol.retire(listener.now)
    return listener.protocol.state


def test_a_leader_whose_life_is_over_hands_over_to_a_standby_that_has_proved_to_be_whole() -> None:
    assert retire(leader()) is State.YIELDING


def test_it_stays_while_no_standby_has_proved_anything_however_many_subscribe_the_ticks() -> None:
    assert retire(leader(proved=False)) is State.LEADING


def test_it_stays_while_the_proof_is_of_the_term_before() -> None:
    listener = leader(proved=False)
    listener.protocol.lost(listener.now)
    listener.proofs = {b"other": listener.number}
    listener.hear(tick(listener.number + 1, epoch=2, confirmed=listener.number))
    listener.number += 1
    listener.win(3)
    listener.published(listener.turn())
    assert not listener.protocol.has_proof(listener.now)
    assert retire(listener) is State.LEADING


@pytest.mark.parametrize(
    "outside",
    [{"waiting": 1}, {"refusal": "OOM command not allowed"}, {"on_record": False}],
    ids=["something waits", "Redis takes nothing", "a gap is not on record"],
)
def test_it_stays_while_what_it_has_would_end_with_it(outside: dict[str, Any]) -> None:
    listener = leader()
    listener.turn(**outside)
    assert retire(listener) is State.LEADING
    listener.turn()
    assert retire(listener) is State.YIELDING


def test_it_stays_while_redis_has_no_room() -> None:
    listener = leader()
    listener.has_room = False
    listener.proofs[b"other"] = listener.number
    listener.tick()
    assert retire(listener) is State.LEADING
    listener.has_room = True
    listener.tick()
    assert retire(listener) is State.YIELDING


def test_it_stays_while_it_has_no_connection_that_hears_everything() -> None:
    listener = leader()
    listener.others = 0
    listener.tick()
    listener.protocol.disconnected(listener.now)
    assert retire(listener) is State.LEADING
    listener.connect(b"c2")
    listener.locate(connection=b"c2")
    assert retire(listener) is State.LEADING, "no tick has ended what was missed"


def test_it_stays_while_its_connection_is_not_there_though_nothing_can_be_missed() -> None:
    """It has no channel; whoever takes over would begin without knowing where ticks stand."""
    listener = Listener().lead()
    listener.protocol._office.standbys.audience = 0
    listener.protocol.disconnected(listener.now)
    listener.proofs = {b"other": listener.number}
    listener.published(listener.later(6 * TICK), heard=False)
    assert listener.protocol.has_proof(listener.now)
    assert retire(listener) is State.LEADING


def test_who_leads_no_more_does_not_retire() -> None:
    listener = leader()
    listener.protocol.lost(listener.now)
    assert listener.protocol.has_proof(listener.now)
    assert retire(listener) is State.JOINING


def test_it_stays_while_its_own_ticks_do_not_come_back() -> None:
    listener = leader()
    while listener.protocol.heard_seconds_ago(listener.now) < UNHEARD_SECONDS:  # type: ignore[operator]
        listener.proofs[b"other"] = listener.number
        listener.published(listener.later(TICK), heard=False)
        listener.hear(message(b"still something"))
    assert listener.protocol.has_proof(listener.now)
    assert retire(listener) is State.LEADING


def test_it_stays_while_it_is_not_known_where_its_term_has_begun() -> None:
    listener = Listener(b"orders").join()
    listener.win()
    listener.proofs = {b"other": 1}
    listener.published(listener.turn(), heard=False)
    assert listener.protocol.has_proof(listener.now)
    assert retire(listener) is State.LEADING


def test_if_nobody_takes_over_it_leads_on_with_what_it_holds_and_tries_again_later() -> None:
    listener = leader()
    retire(listener)
    listener.tick()
    assert texts(listener.hear(message(b"held"))) == []
    out = listener.later(HANDOVER_SECONDS + 0.01)
    assert texts(out) == [b"held"]
    assert listener.protocol.state is State.LEADING
    listener.published(out)
    listener.proofs[b"other"] = listener.number
    listener.tick()
    assert retire(listener) is State.LEADING, "not at once"
    listener.now += 10
    listener.proofs[b"other"] = listener.number
    listener.tick()
    assert retire(listener) is State.YIELDING


def test_a_hand_over_as_it_should_be() -> None:
    listener = leader()
    retire(listener)
    (order,) = listener.later(TICK)
    assert isinstance(order, Publish)
    assert order.state == LEAVING
    out = listener.hear(message(b"before"))
    assert texts(out) == [b"before"]
    listener.published([order])
    point = Tick(listener.number, 1, 0, "run", LEAVING)
    assert texts(listener.hear(message(b"after"))) == []
    (order,) = listener.later(TICK, stands=point)
    assert isinstance(order, Publish)
    assert order.state == LEFT
    listener.published([order])
    out = listener.hear(tick(listener.number + 1, epoch=2))
    assert (texts(out), Ask.END_TERM in out) == ([b"after"], True)
    assert listener.protocol.state is State.ENDED


# --- giving way --------------------------------------------------------------------------


def test_a_leader_whose_connection_ends_gives_way_to_whoever_may_be_there() -> None:
    listener = leader(proved=False)
    listener.protocol.disconnected(listener.now)
    out = listener.protocol.take()
    assert kinds(out) == [Deafened, Publish, Ask]
    assert isinstance(out[1], Publish)
    assert (out[1].state, out[1].answered, out[2]) == (LEFT, False, Ask.END_TERM)
    assert listener.protocol.state is State.JOINING
    assert listener.protocol.heard_seconds_ago(listener.now) is None


def test_a_leader_whose_connection_ends_and_who_is_alone_leads_on_and_says_since_when() -> None:
    listener = leader(proved=False)
    listener.others = 0
    listener.tick()
    last = listener.number
    listener.protocol.disconnected(listener.now)
    (out,) = listener.protocol.take()
    assert isinstance(out, Deafened)
    assert out.since.number == last
    listener.connect(b"c2")
    listener.locate(connection=b"c2")
    out_of_tick = listener.tick()
    (missed,) = (effect for effect in out_of_tick if isinstance(effect, Missed))
    assert (missed.before.number, missed.after.number, missed.why) == (last, listener.number, Why.DEAF)


def test_without_channels_nothing_is_missed() -> None:
    listener = Listener().lead()
    listener.protocol.disconnected(listener.now)
    assert Deafened not in kinds(listener.protocol.take())


def test_a_connection_that_does_not_bring_what_was_published_is_dropped() -> None:
    listener = leader()
    listener.published(listener.later(TICK), heard=False)
    assert listener.later(0.5)
    assert drops(listener.later(0.3)) == 1
    assert drops(listener.later(0.3)) == 0, "it is dropped already"


def test_a_leader_that_hears_no_tick_of_its_own_says_so_once_a_second_though_it_hears_messages() -> None:
    listener = leader()
    began = listener.now
    said = []
    for _ in range(40):
        out = listener.later(TICK)
        said += [listener.now - began for effect in out if isinstance(effect, Unheard)]
        listener.published(out, heard=False)
        listener.hear(message(b"noise"))
    assert len(said) in {2, 3}
    assert UNHEARD_SECONDS < said[0] < UNHEARD_SECONDS + 0.2
    assert 0.9 < said[1] - said[0] < 1.2
    assert listener.protocol.heard_seconds_ago(listener.now) == pytest.approx(listener.now - began)


def test_a_tick_before_everything_is_subscribed_proves_nothing_and_ends_no_gap() -> None:
    listener = leader()
    listener.others = 0
    listener.tick()
    proved_at = listener.now
    listener.protocol.disconnected(listener.now)
    listener.connect(b"c2")
    listener.protocol.located(b"c2", listener.number, {}, listener.now, 0, 0)
    unanswered = listener.protocol.take()
    out = listener.tick()
    assert Missed not in kinds(out)
    assert listener.protocol.heard_seconds_ago(listener.now) == pytest.approx(listener.now - proved_at)
    listener.obey(unanswered)
    assert Missed in kinds(listener.tick())
    assert listener.protocol.heard_seconds_ago(listener.now) == 0.0


def _unheard() -> Listener:
    """Redis has refused its ticks for so long that it says that it does not hear."""
    listener = leader()
    listener.later(TICK)
    listener.protocol.not_published(NO_EVAL)
    assert Unheard() in listener.later(UNHEARD_SECONDS)
    listener.protocol.not_published(NO_EVAL)
    return listener


def test_heard_again_on_the_same_connection_it_covers_what_it_has_said_to_be_open() -> None:
    listener = _unheard()
    assert Covered in kinds(listener.tick())
    assert Covered not in kinds(listener.tick()), "once"


def test_heard_again_on_another_connection_it_says_what_was_missed_and_covers_nothing() -> None:
    listener = _unheard()
    listener.protocol._office.standbys.audience = 0
    listener.protocol.disconnected(listener.now)
    listener.connect(b"c2")
    listener.locate(connection=b"c2")
    out = listener.tick()
    assert Missed in kinds(out)
    assert Covered not in kinds(out)


def test_a_standby_that_hears_no_leader_says_so_too_and_covers_nothing_when_it_hears_one() -> None:
    """It may be the only one there, and may not lead: then nobody else would say it."""
    listener = standby()
    listener.turn()
    assert Unheard() not in listener.later(UNHEARD_SECONDS)
    assert Unheard() in listener.later(0.1)
    assert Unheard() not in listener.later(0.1), "once a second"
    assert Covered not in kinds(listener.hear(tick(4, confirmed=3)))


def test_who_was_refused_to_tick_leaves_the_lease_to_others_for_a_while() -> None:
    listener = leader()
    listener.later(TICK)
    listener.protocol.not_published(NO_EVAL)
    listener.protocol.lost(listener.now)
    claims = []
    for _ in range(200):
        for effect in listener.later(0.1):
            if isinstance(effect, Count):
                listener.protocol.counted(effect.after, listener.number, listener.now)
        claimed = [effect for effect in listener.protocol.take() if isinstance(effect, Claim)]
        claims += [listener.now for _ in claimed]
        if claimed:
            listener.protocol.refused(listener.now)
    assert len(claims) >= 3
    assert all(later - earlier >= 5.0 for earlier, later in itertools.pairwise(claims))


def test_ticks_of_another_term_do_not_prove_that_a_leader_hears() -> None:
    listener = leader()
    before = listener.protocol.heard_seconds_ago(listener.now)
    listener.now += 1.0
    listener.hear(tick(listener.number + 1, epoch=0))
    assert listener.protocol.heard_seconds_ago(listener.now) == before + 1.0  # type: ignore[operator]


# --- what is said of channels ------------------------------------------------------------


def test_a_channel_is_active_when_a_tick_has_come_after_it() -> None:
    listener = Listener(b"orders").lead()
    listener.protocol.want(b"bills", CONTENT, 7)
    assert listener.obey(listener.protocol.take()) == []
    assert active(listener.tick()) == [7]


def test_a_term_is_settled_once_it_is_claimed_and_its_first_tick_was_heard() -> None:
    listener = Listener(b"orders").join()
    assert kinds(listener.win()) == [Lead]
    assert listener.protocol.heard_seconds_ago(0.0) is None
    out = listener.published(listener.turn())
    assert settled(out) == ([0], None, 1)
    assert listener.protocol.heard_seconds_ago(0.0) == 0.0


def test_a_term_that_is_not_claimed_writes_nothing_until_it_is() -> None:
    listener = standby()
    listener.protocol.unclaimed(0.0, again=False)
    assert listener.protocol.state is State.LEADING
    assert listener.protocol.epoch == 2
    out = listener.protocol.take() + listener.published(listener.turn())
    assert Settled not in kinds(out)
    assert listener.protocol.heard_seconds_ago(0.0) is None
    listener.protocol.won(2, 0.0)
    assert Settled in kinds(listener.protocol.take())


def test_who_has_heard_nobody_does_not_lead_without_a_lease() -> None:
    listener = Listener(b"orders").join()
    listener.protocol.unclaimed(0.0, again=True)
    assert listener.protocol.take() == []
    assert listener.protocol.state is State.JOINING


def test_a_claim_that_is_over_is_made_again_in_the_same_term() -> None:
    listener = standby()
    listener.protocol.unclaimed(0.0, again=True)
    assert listener.protocol.take()[-1] == Claim(2, above=1)


def test_a_claim_is_above_what_was_heard_and_what_redis_knows() -> None:
    listener = standby()
    listener.protocol.located(b"c1", listener.number, {}, 0.0, 22, 0)
    assert listener.later(0.6) == [Count(3)]
    listener.protocol.counted(3, 3, listener.now)
    assert listener.protocol.take() == [Claim(22, above=22)]
    listener.protocol.unclaimed(listener.now, again=False)
    assert listener.protocol.epoch == 23


def test_a_leader_whose_lease_went_back_goes_on_in_another_term_and_misses_nothing() -> None:
    listener = leader()
    listener.hear(message(b"before"))
    listener.protocol.went_back(0)
    assert listener.protocol.take() == [Claim(1, above=1)]
    assert listener.protocol.state is State.LEADING
    listener.protocol.won(2, listener.now)
    out = listener.protocol.take()
    assert kinds(out) == [Lead, Mark]
    assert listener.protocol.heard_seconds_ago(listener.now) is None, (
        "PostgreSQL may have forgotten all of it"
    )
    assert texts(listener.hear(message(b"after"))) == [b"after"]
    out = listener.published(listener.turn())
    assert {Settled, Covered} <= {*kinds(out)}
    assert not {Missed, Forgotten} & {*kinds(out)}


def test_a_leader_that_is_cut_off_while_it_claims_another_term_leaves_it_to_the_standby() -> None:
    listener = leader()
    listener.protocol.went_back(0)
    listener.protocol.disconnected(listener.now)
    assert listener.protocol.state is State.JOINING
    listener.protocol.won(2, listener.now)
    assert listener.protocol.state is State.JOINING, "it has not heard what the standby holds"


def test_a_leader_that_is_deaf_while_its_lease_goes_back_knows_what_it_has_missed() -> None:
    listener = leader()
    listener.others = 0
    listener.tick()
    last = listener.protocol._election.last
    listener.protocol.disconnected(listener.now)
    listener.protocol.went_back(0)
    listener.protocol.won(2, listener.now)
    order = listener.connect(b"c2")
    listener.locate(connection=b"c2")
    out = listener.published(order)
    (missed,) = (effect for effect in out if isinstance(effect, Missed))
    assert (missed.before, missed.why) == (last, Why.DEAF)


def test_who_leads_below_an_epoch_that_has_ticked_claims_one_above_it() -> None:
    listener = leader()
    listener.protocol.published(Published(listener.number + 1, 2, {}, None, term=9), listener.now)
    assert listener.protocol.take() == [Claim(1, above=9)]


@pytest.mark.parametrize(
    ("before", "beside", "forgotten"), [(99, 100, 100), (100, 100, 0), (0, 0, 0), (7, 0, 0)]
)
def test_a_lease_with_fewer_writes_than_were_acknowledged_has_forgotten_them(
    before: int, beside: int, forgotten: int
) -> None:
    listener = Listener(b"orders").join()
    listener.protocol.won(2, listener.now, writes=before)
    listener.protocol.take()
    listener.turn()
    for number, writes in (
        (1, beside),
        (2, 1000),
    ):  # What this term writes itself says nothing of the one before.
        listener.protocol.published(Published(number, 1, {}, None, writes=writes), listener.now)
    out = listener.hear(tick(1, 2))
    (began,) = (effect for effect in out if isinstance(effect, Settled))
    assert (began.forgotten, began.first.number) == (forgotten, 1)


def test_what_was_acknowledged_to_the_leader_itself_counts_though_redis_does_not_know_it_yet() -> None:
    listener = leader()
    listener.protocol.went_back(50)
    listener.protocol.won(2, listener.now, writes=49)
    listener.protocol.take()
    out = listener.published(listener.turn())
    (began,) = (effect for effect in out if isinstance(effect, Settled))
    assert began.forgotten == 50


def test_a_term_that_was_not_claimed_finds_out_when_it_is() -> None:
    listener = standby()
    listener.protocol.unclaimed(0.0, again=False)
    listener.protocol.take()
    listener.turn()
    listener.number += 1
    listener.protocol.published(Published(listener.number, 1, {}, Tick(2, 1, 1, "run"), writes=70), 0.0)
    listener.hear(tick(listener.number, 2))
    listener.protocol.won(2, 0.0, writes=69)
    (began,) = (effect for effect in listener.protocol.take() if isinstance(effect, Settled))
    assert began.forgotten == 70


def test_each_tick_carries_what_postgresql_has_acknowledged() -> None:
    listener = leader()
    (order,) = (effect for effect in listener.later(TICK, writes=31) if isinstance(effect, Publish))
    assert order.writes == 31


def test_a_standby_whose_lease_went_back_has_nothing_to_claim() -> None:
    listener = standby()
    listener.protocol.went_back(0)
    assert listener.protocol.take() == []


def test_a_standby_that_was_whole_takes_over_without_a_gap_and_covers_what_is_open() -> None:
    listener = standby()
    listener.hear(message(b"held"))
    out = listener.win(2)
    assert kinds(out) == [Lead, Append, Mark]
    assert texts(out) == [b"held"]
    before = Tick(2, 1, 1, "run")
    order = listener.turn()
    listener.number += 1
    listener.protocol.published(Published(listener.number, 1, {}, before), 0.0)
    assert Publish in kinds(order)
    out = listener.hear(tick(listener.number, 2))
    assert Covered in kinds(out)
    assert settled(out) == ([0], before, listener.number)
    assert Missed not in kinds(out)


def test_a_leader_that_begins_with_a_hole_says_from_where_to_where() -> None:
    listener = Listener(b"orders").join()
    listener.win(2)
    listener.turn()
    before = Tick(40, 1, 39, "run")
    listener.protocol.published(Published(50, 1, {}, before), 0.0)
    out = listener.hear(tick(50, 2))
    (missed,) = (effect for effect in out if isinstance(effect, Missed))
    assert (missed.before, missed.after.number, missed.why) == (before, 50, Why.HOLE)
    assert Covered not in kinds(out)


def test_a_leader_that_begins_with_a_hole_that_nobody_can_measure_says_so() -> None:
    listener = Listener(b"orders").join()
    listener.win(2)
    out = listener.published(listener.turn())
    (forgotten,) = (effect for effect in out if isinstance(effect, Forgotten))
    assert forgotten.first.number == listener.number
    assert Missed not in kinds(out)


def test_what_is_known_reaches_up_to_what_a_settled_term_has_confirmed() -> None:
    listener = leader()
    stands = Tick(3, 1, 2, "run")
    listener.tick(stands=stands)
    known = [listener.protocol.known_until]
    listener.protocol.lost(listener.now)
    known.append(listener.protocol.known_until)
    assert known == [stands, None]
    assert standby().protocol.known_until is None


def test_a_channel_that_redis_refuses_is_named_and_the_others_are_heard() -> None:
    listener = Listener(b"orders", b"bills")
    listener.refuses = {b"bills"}
    listener.join()
    assert listener.protocol.is_covered
    listener.win()
    out = listener.published(listener.turn())
    silenced = out[-1]
    assert isinstance(silenced, Silenced)
    assert settled(out) == ([0], None, 1)
    assert (silenced.channel, silenced.row, silenced.text) == (b"bills", 1, NOPERM)


def test_a_channel_that_is_refused_later_is_told_at_once_and_active_again_once_granted() -> None:
    listener = leader()
    listener.refuses = {b"bills"}
    listener.protocol.want(b"bills", CONTENT, 7)
    (silenced,) = listener.obey(listener.protocol.take())
    assert isinstance(silenced, Silenced)
    assert (silenced.row, silenced.since.number if silenced.since else None) == (7, listener.number)
    listener.refuses.clear()
    listener.tick()
    out = listener.later(3.0)
    assert Command(True, (b"bills",)) in out
    listener.obey(out)
    listener.protocol.not_published("")
    assert active(listener.tick()) == [7]


def test_what_was_missed_of_a_refused_channel_is_counted_from_tick_to_tick() -> None:
    listener = leader()
    listener.refuses = {b"bills"}
    listener.protocol.want(b"bills", CONTENT, 7)
    (silenced,) = listener.obey(listener.protocol.take())
    assert isinstance(silenced, Silenced)
    assert Missed not in kinds(listener.tick())
    listener.refuses.clear()
    listener.obey(listener.later(3.0))
    listener.protocol.not_published("")
    out = listener.tick()
    (missed,) = (effect for effect in out if isinstance(effect, Missed))
    assert (missed.before, missed.after.number) == (silenced.since, listener.number)
    assert (missed.why, missed.channel) == (Why.REFUSED, b"bills")
    assert kinds(out).index(Missed) < kinds(out).index(Active), "it would be ended without its count"
    assert Missed not in kinds(listener.tick())


@pytest.mark.parametrize("again", [False, True], ids=["turned off", "another life"])
def test_what_a_life_that_is_over_has_missed_while_refused_is_kept_no_longer(again: bool) -> None:
    """As long as this term lasts it would be one row more for each life, and a term may last for months."""
    listener = leader()
    listener.refuses = {b"bills"}
    for row in range(7, 10):
        listener.protocol.want(b"bills", CONTENT, row)
        (silenced,) = listener.obey(listener.protocol.take())
        assert isinstance(silenced, Silenced)
        assert listener.protocol._office._silenced == {b"bills": silenced.since}
        listener.published(listener.obey(listener.later(TICK)))
        if not again:
            listener.protocol.unwant(b"bills")
            listener.obey(listener.protocol.take())
            assert not listener.protocol._office._silenced


# --- two servers -------------------------------------------------------------------------


def drops(effects: Sequence[Effect]) -> int:
    return kinds(effects).count(Drop)


def test_a_standby_that_hears_on_another_server_than_takes_writes_connects_anew_at_once() -> None:
    listener = standby()
    listener.protocol.commands_lead_to(THERE)
    assert drops(listener.turn()) == 1
    listener.protocol.data_leads_to(HERE)
    assert drops(listener.turn()) == 0, "it is dropped already"


def test_a_leader_waits_for_a_standby_that_has_moved() -> None:
    listener = leader()
    listener.protocol.commands_lead_to(THERE)
    assert not listener.protocol.has_proof(listener.now), "what was proved was proved on the other one"
    assert drops(listener.turn()) == 0
    listener.published(listener.later(TICK), heard=False)
    assert drops(listener.later(0.01)) == 0
    listener.proofs[b"other"] = listener.number + 1
    listener.published(listener.later(TICK), heard=False)
    assert drops(listener.later(0.01)) == 1


def test_a_leader_that_nobody_relieves_moves_after_a_while() -> None:
    listener = leader(proved=False)
    listener.protocol.commands_lead_to(THERE)
    dropped_after = []
    for _ in range(30):
        out = listener.later(TICK)
        listener.hear(message(b"not deaf"))
        dropped_after += [listener.now for effect in out if isinstance(effect, Drop)]
        if Publish in kinds(out):
            listener.published(out, heard=False)
    assert len(dropped_after) == 1
    assert 2.0 <= dropped_after[0] - 0.3 <= 2.3


def test_while_both_lead_to_one_server_nothing_is_dropped() -> None:
    listener = standby()
    listener.protocol.commands_lead_to("")
    assert drops(listener.turn()) == 0, "there is no connection for commands at all"
    listener.protocol.commands_lead_to(HERE)
    assert drops(listener.turn()) == 0


def test_where_ticks_stand_is_not_asked_of_another_server() -> None:
    listener = Listener(b"orders")
    out = listener.connect(server=THERE)
    assert Locate not in kinds(out)
    assert drops(out) == 1


# --- the wrong server, and a counter that is lost ----------------------------------------

READONLY = "READONLY You can't write against a read only replica."


def test_what_a_server_says_that_takes_no_writes_has_it_looked_for_anew() -> None:
    listener = leader()
    assert listener.protocol.fails(READONLY)
    assert Ask.CONNECT in listener.turn()
    assert Ask.CONNECT not in listener.turn()


def test_it_is_looked_for_twice_a_second_at_most() -> None:
    listener = leader()
    asked = 0
    for _ in range(100):
        listener.protocol.fails(READONLY)
        asked += listener.later(0.01).count(Ask.CONNECT)
    assert asked == 2


def test_other_errors_are_no_other_server() -> None:
    listener = leader()
    assert not listener.protocol.fails("OOM command not allowed when used memory > 'maxmemory'.")
    assert Ask.CONNECT not in listener.turn()


def test_a_tick_that_the_wrong_server_refuses_is_no_right_that_is_missing() -> None:
    listener = leader()
    listener.later(TICK)
    listener.protocol.not_published(READONLY)
    assert listener.protocol.trouble == ""
    assert Ask.CONNECT in listener.turn()


def test_a_counter_that_is_behind_what_was_heard_is_lost_and_the_connection_is_made_anew() -> None:
    """Ticks are news by their number: this one and all that follow it would be taken for old ones."""
    listener = leader()
    listener.later(TICK)
    listener.protocol.published(Published(1, 2, {}, None), listener.now)
    assert listener.protocol.take() == [Drop("Redis has lost its counter of ticks.")]


def test_a_push_that_overtakes_its_answer_is_no_counter_that_is_lost() -> None:
    listener = leader()
    listener.later(TICK)
    listener.number += 1
    listener.hear(tick(listener.number))
    listener.protocol.published(Published(listener.number, 2, {}, None), listener.now)
    assert listener.protocol.take() == []


# --- policies ----------------------------------------------------------------------------


def changes(effects: Sequence[Effect]) -> Changes:
    (order,) = (effect for effect in effects if isinstance(effect, Publish))
    return order.changes


def test_a_new_policy_is_announced_by_the_next_tick_which_comes_soon() -> None:
    listener = leader()
    listener.protocol.want(b"orders", EVERY, 0)
    assert listener.protocol.due_in(listener.now) < TICK / 4
    out = listener.later(TICK / 4)
    assert changes(out) == ((b"orders", EVERY),)
    listener.published(out)
    assert changes(listener.later(TICK)) == ()


def test_an_announcement_that_did_not_arrive_is_made_again() -> None:
    listener = leader()
    listener.protocol.want(b"orders", EVERY, 0)
    assert changes(listener.later(TICK)) == ((b"orders", EVERY),)
    listener.protocol.not_published("")
    assert changes(listener.later(TICK)) == ((b"orders", EVERY),)


def test_a_channel_with_another_policy_is_subscribed_only_when_that_was_announced() -> None:
    listener = leader()
    listener.protocol.want(b"bills", EVERY, 7)
    assert listener.protocol.take() == []
    listener.protocol.hear((tick(5, changes=((b"bills", EVERY),)),), 100, listener.now, 1)
    assert Command(True, (b"bills",)) in listener.protocol.take()


def test_a_channel_under_content_is_subscribed_at_once() -> None:
    listener = leader()
    listener.protocol.want(b"bills", CONTENT, 7)
    assert listener.protocol.take() == [Command(True, (b"bills",))]


def test_a_channel_is_not_active_before_its_policy_is_in_force() -> None:
    listener = leader()
    listener.protocol.want(b"bills", EVERY, 7)
    out = listener.tick()
    assert Active not in kinds(out), "with the tick that announces it, it is subscribed"
    assert active(listener.tick()) == [7]


def test_a_standby_announces_nothing_and_a_leader_that_is_on_its_way_out_neither() -> None:
    listener = standby()
    listener.protocol.want(b"orders", EVERY, 0)
    assert listener.turn() == []
    listener = leader()
    retire(listener)
    listener.protocol.want(b"orders", EVERY, 0)
    assert changes(listener.later(TICK)) == ()


def test_a_fresh_leader_announces_what_the_table_says_and_nobody_has_announced() -> None:
    listener = standby()
    listener.protocol.want(b"orders", EVERY, 0)
    listener.win(2)
    assert changes(listener.turn()) == ((b"orders", EVERY),)


def test_when_redis_has_forgotten_its_counter_policies_are_announced_once_more() -> None:
    """With it went what stood beside the stream, where whoever joins reads the policies in force."""
    listener = Listener(b"orders", policy=EVERY).join({b"orders": EVERY})
    listener.win()
    listener.published(listener.turn())
    anew = b"%d 1 0 leading %d 0 run -" % (1_795_000_000_000, 1_795_000_000_000)
    listener.hear([b"message", b"ticks", anew + b" " + seal(anew, KEY)])
    listener.number = 1_795_000_000_000
    out = listener.later(TICK / 4)
    assert changes(out) == ((b"orders", EVERY),)
    listener.published(out)
    assert changes(listener.later(1.0)) == ()


# --- trouble -----------------------------------------------------------------------------


def test_all_is_well() -> None:
    assert leader().protocol.trouble == ""
    assert standby().protocol.trouble == ""


def test_it_says_that_redis_takes_no_commands_and_why() -> None:
    listener = leader()
    listener.turn(is_open=False, why_shut="WRONGPASS")
    assert listener.protocol.trouble == "Redis takes no commands from this listener: WRONGPASS"


def test_it_says_which_channels_of_its_own_it_may_not_subscribe() -> None:
    listener = Listener(b"orders")
    listener.refuses = {b"control"}
    listener.connect()
    assert listener.protocol.trouble == (
        f"Redis refuses SUBSCRIBE of its internal channels (&__relay:*): {NOPERM}. Grant the user a channel."
    )


def test_it_says_which_right_is_missing_to_tick_until_a_tick_is_published() -> None:
    listener = leader()
    listener.later(TICK)
    listener.protocol.not_published(NO_EVAL)
    assert listener.protocol.trouble == (
        f"Redis refuses the script that ticks (EVAL and the commands in it): {NO_EVAL}. "
        "Grant the user the 'eval' command."
    )
    listener.tick()
    assert listener.protocol.trouble == ""


def test_a_standby_that_may_not_write_its_proof_says_so_until_it_is_written() -> None:
    listener = standby()
    listener.protocol.proved(NO_EVAL)
    assert "the 'eval' command" in listener.protocol.trouble
    listener.protocol.proved("")
    assert listener.protocol.trouble == ""
    listener.protocol.proved(READONLY)
    assert listener.protocol.trouble == ""
    assert Ask.CONNECT in listener.turn()


def test_an_answer_that_never_came_is_no_refusal() -> None:
    listener = leader()
    listener.later(TICK)
    listener.protocol.not_published("")
    assert listener.protocol.trouble == ""


def test_it_says_that_redis_takes_nothing_and_that_what_is_heard_is_not_stored() -> None:
    listener = leader()
    listener.turn(refusal="MISCONF Redis is configured to save RDB snapshots")
    assert listener.protocol.trouble == (
        "Redis takes nothing (MISCONF Redis is configured to save RDB snapshots): "
        "what is heard waits here, not stored."
    )


def test_it_says_that_redis_is_full_though_nothing_was_heard_meanwhile() -> None:
    listener = leader()
    listener.has_room = False
    listener.tick()
    assert listener.protocol.trouble == "Redis is full (maxmemory): what is heard waits here, not stored."


def test_what_stands_in_the_way_of_everything_else_is_said_first() -> None:
    listener = leader()
    listener.has_room = False
    listener.tick()
    listener.later(TICK, refusal="OOM")
    assert listener.protocol.trouble.startswith("Redis takes nothing (OOM)")
    listener.protocol.not_published(NO_EVAL)
    assert listener.protocol.trouble.startswith("Redis refuses the script that ticks")
    listener.turn(is_open=False, why_shut="NOAUTH")
    assert listener.protocol.trouble.startswith("Redis takes no commands")


# --- time --------------------------------------------------------------------------------


def test_no_tick_is_due_while_commands_cannot_be_given() -> None:
    listener = leader()
    listener.turn(is_open=False)
    assert listener.protocol.due_in(listener.now + 99) == float("inf")


def test_a_standby_asks_after_silence_and_claims_beyond_what_it_has_heard() -> None:
    listener = standby()
    assert listener.later(0.6) == [Count(3)]
    listener.protocol.counted(3, 3, listener.now)
    assert listener.protocol.take() == [Claim(1, above=1)]


def test_there_is_no_silence_on_a_connection_that_has_not_subscribed_the_ticks() -> None:
    listener = Listener(b"orders")
    listener.refuses = {b"ticks"}
    listener.connect()
    for _ in range(100):
        assert not any(isinstance(effect, Count) for effect in listener.later(0.1))


def test_told_to_go_alone_it_ends_at_once_and_with_a_standby_after_a_hand_over() -> None:
    listener = leader()
    listener.protocol.stop(listener.now)
    assert listener.protocol.state is State.LEAVING
    assert listener.protocol.state is State.LEAVING
    listener = leader()
    listener.others = 0
    listener.tick()
    listener.protocol.stop(listener.now)
    assert listener.protocol.state is State.ENDED


def test_who_protects() -> None:
    assert protects(standby().protocol)
    assert protects(leader().protocol)
    assert not protects(Listener(b"orders").join().protocol), "it is not whole"
    fresh = Listener(b"orders").join()
    fresh.win()
    assert not protects(fresh.protocol), "it has not heard its first tick"


# --- what the table says, and what is in force ---------------------------------------------


def test_a_channel_that_needs_no_announcement_any_more_is_subscribed_all_the_same() -> None:
    """The table changed while it was not connected, back to what is in force, and nobody announces that."""
    listener = Listener(b"orders", policy=EVERY)
    listener.join()
    assert not listener.protocol.is_covered, "it waits until the policy was announced"
    listener.protocol.want(b"orders", CONTENT, 0)
    sent = listener.turn()
    assert Command(True, (b"orders",)) in sent
    listener.obey(sent)
    assert listener.protocol.is_covered


def test_a_standby_that_lacks_a_channel_proves_nothing() -> None:
    listener = standby()
    listener.protocol.want(b"bills", EVERY, 7)
    assert proved(listener.hear(tick(20, confirmed=19), tick(22, confirmed=21))) == []


def test_policies_that_somebody_has_deleted_are_announced_again() -> None:
    listener = leader()
    listener.protocol.want(b"bills", EVERY, 7)
    while listener.protocol._policies.all_in_force != {b"bills": EVERY}:
        listener.tick()
    listener.tick()
    listener.now += TICK
    (order,) = (effect for effect in listener.turn() if isinstance(effect, Publish))
    assert order.changes == ()
    listener.number += 1
    listener.protocol.published(Published(listener.number, 1, {}, None, policies=0), listener.now)
    listener.now += TICK
    (order,) = (effect for effect in listener.turn() if isinstance(effect, Publish))
    assert order.changes == ((b"bills", EVERY),)
