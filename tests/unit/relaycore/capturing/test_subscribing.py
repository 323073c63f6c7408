"""What one data connection subscribes, and which channels it is proved to hear."""

import pytest

from relaycore.capturing import subscribing as module
from relaycore.capturing.policies import Policies
from relaycore.capturing.subscribing import RETRY_SECONDS, Command, Subscriptions
from relaycore.policy import CONTENT, EVERY

CONTROL, TICKS = b"control", b"ticks"
NOPERM = "NOPERM No permissions to access one of the channels"


class Connection:
    """Subscriptions, and a Redis that answers each command in order. `refuses`: whom it does not let in."""

    def __init__(self, *channels: bytes) -> None:
        self.policies = Policies()
        self.subscriptions = Subscriptions((CONTROL, TICKS), self.policies)
        self.refuses: set[bytes] = set()
        self.asked: list[Command] = []
        for row, channel in enumerate(channels):
            self.subscriptions.want(channel, CONTENT, row)

    def connect(self, now: float = 0.0, *, keeps: bool = False) -> None:
        self.subscriptions.connected(now, keeps=keeps)

    def sent(self) -> list[Command]:
        """What is sent now; nothing of it is answered yet."""
        commands = self.subscriptions.take()
        self.asked += commands
        return commands

    def answer(self) -> None:
        """Redis answers what was sent, in order."""
        asked, self.asked = self.asked, []
        for command in asked:
            if command.subscribes and self.refuses.intersection(command.channels):
                self.subscriptions.refuse(NOPERM)
                continue
            for channel in command.channels:
                self.subscriptions.answered(channel, subscribed=command.subscribes)

    def exchange(self) -> list[Command]:
        """Until nothing more is to be sent: all that was."""
        sent = []
        while commands := self.sent():
            sent += commands
            self.answer()
        return sent

    def begin(self) -> None:
        """Connect, be told where the order of ticks stands, and have everything answered."""
        self.connect()
        self.exchange()
        self.subscriptions.located()
        self.exchange()


def subscribe(*channels: bytes) -> Command:
    return Command(True, channels)


# --- the order ---------------------------------------------------------------------------


def test_the_internal_channels_come_first_and_each_by_itself() -> None:
    connection = Connection(b"orders")
    connection.connect()
    assert connection.exchange() == [subscribe(CONTROL), subscribe(TICKS)]
    assert connection.subscriptions.is_attached


def test_no_channel_is_subscribed_before_it_is_known_where_the_order_of_ticks_stands() -> None:
    connection = Connection(b"orders")
    connection.connect()
    connection.subscriptions.want(b"bills", CONTENT, 7)
    assert connection.exchange() == [subscribe(CONTROL), subscribe(TICKS)]
    assert not connection.subscriptions.is_covered
    connection.subscriptions.located()
    assert connection.exchange() == [subscribe(b"orders", b"bills")]


def test_many_channels_go_in_several_commands() -> None:
    names = [b"%d" % number for number in range(module._CHANNELS_AT_ONCE + 1)]
    connection = Connection(*names)
    connection.connect()
    connection.exchange()
    connection.subscriptions.located()
    assert [len(command.channels) for command in connection.exchange()] == [module._CHANNELS_AT_ONCE, 1]


def test_subscribing_and_unsubscribing_keep_their_order() -> None:
    connection = Connection(b"orders")
    connection.begin()
    connection.subscriptions.unwant(b"orders")
    connection.subscriptions.want(b"bills", CONTENT, 1)
    connection.subscriptions.want(b"orders", CONTENT, 2)
    assert connection.exchange() == [Command(False, (b"orders",)), subscribe(b"bills", b"orders")]


# --- covered -----------------------------------------------------------------------------


def test_it_is_covered_when_redis_has_answered_for_every_channel() -> None:
    connection = Connection(b"orders", b"bills")
    connection.connect()
    connection.exchange()
    connection.subscriptions.located()
    connection.sent()
    connection.subscriptions.answered(b"orders", subscribed=True)
    assert not connection.subscriptions.is_covered
    assert connection.subscriptions.ticked() == [], "nor is one channel heard by itself"
    connection.subscriptions.answered(b"bills", subscribed=True)
    assert connection.subscriptions.is_covered


def test_a_refusal_is_an_answer_too() -> None:
    connection = Connection(b"orders", b"bills")
    connection.refuses = {b"bills"}
    connection.begin()
    assert connection.subscriptions.is_covered


def test_without_channels_it_is_covered_at_once() -> None:
    connection = Connection()
    connection.begin()
    assert connection.subscriptions.is_covered


def test_a_channel_that_comes_later_does_not_uncover_it() -> None:
    connection = Connection(b"orders")
    connection.begin()
    connection.subscriptions.want(b"bills", CONTENT, 7)
    assert connection.subscriptions.is_covered


def test_it_is_not_covered_while_a_channel_waits_for_its_policy_to_be_announced() -> None:
    """Else a tick would prove that everything is heard, and this one was not even subscribed."""
    connection = Connection(b"orders")
    connection.subscriptions.want(b"bills", EVERY, 7)
    connection.begin()
    assert not connection.subscriptions.is_covered
    connection.policies.follow(((b"bills", EVERY),))
    connection.subscriptions.announced([b"bills"])
    assert not connection.subscriptions.is_covered
    connection.exchange()
    assert connection.subscriptions.is_covered


def test_a_connection_that_has_ended_covers_nothing_and_sends_nothing() -> None:
    connection = Connection(b"orders")
    connection.begin()
    connection.subscriptions.want(b"bills", CONTENT, 7)
    connection.subscriptions.disconnected()
    assert not connection.subscriptions.is_covered
    assert not connection.subscriptions.is_attached
    assert connection.sent() == []


# --- heard -------------------------------------------------------------------------------


def test_a_channel_is_heard_after_its_confirmation_and_a_tick_behind_it() -> None:
    connection = Connection(b"orders")
    connection.connect()
    connection.exchange()
    connection.subscriptions.located()
    connection.sent()
    assert connection.subscriptions.ticked() == [], "it is not confirmed"
    connection.answer()
    assert connection.subscriptions.heard_rows == [], "no tick came after it"
    assert connection.subscriptions.ticked() == [0]
    assert connection.subscriptions.heard_rows == [0]
    assert connection.subscriptions.ticked() == [], "once"


def test_a_channel_is_not_heard_while_another_policy_holds_than_the_table_says() -> None:
    connection = Connection(b"orders")
    connection.begin()
    connection.subscriptions.ticked()
    connection.policies.restart({b"bills": CONTENT})
    connection.subscriptions.want(b"bills", EVERY, 7)
    connection.policies.follow(((b"bills", EVERY),))
    connection.subscriptions.announced([b"bills"])
    connection.exchange()
    connection.subscriptions.want(b"bills", CONTENT, 7)
    assert connection.subscriptions.ticked() == []
    connection.policies.follow(((b"bills", CONTENT),))
    assert connection.subscriptions.ticked() == [7]


def test_a_leader_that_connects_anew_does_not_give_up_what_it_has_said_to_be_heard() -> None:
    """It says so by its proof, which grows old; and says it of each channel once."""
    connection = Connection(b"orders")
    connection.begin()
    connection.subscriptions.ticked()
    connection.connect(keeps=True)
    assert connection.subscriptions.heard_rows == [0]
    connection.connect(keeps=False)
    assert connection.subscriptions.heard_rows == []


def test_another_life_of_a_row_is_another_channel_that_must_be_heard_anew() -> None:
    connection = Connection(b"orders")
    connection.begin()
    connection.subscriptions.ticked()
    assert connection.subscriptions.want(b"orders", CONTENT, 7)
    assert connection.subscriptions.ticked() == [], "its confirmation is from the life before"
    assert connection.exchange() == [subscribe(b"orders")]
    assert connection.subscriptions.ticked() == [7]


def test_another_life_under_a_policy_that_is_not_announced_yet_is_heard_once_it_is() -> None:
    """It was stopped and started again between two looks at the table."""
    connection = Connection(b"orders")
    connection.begin()
    connection.subscriptions.ticked()
    connection.subscriptions.want(b"orders", EVERY, 7)
    assert connection.exchange() == [subscribe(b"orders")]
    assert connection.subscriptions.ticked() == [], "another policy is in force"
    connection.subscriptions.policies.follow(((b"orders", EVERY),))
    connection.subscriptions.announced([b"orders"])
    connection.exchange()
    assert connection.subscriptions.ticked() == [7]


def test_what_is_wanted_as_before_changes_nothing() -> None:
    connection = Connection(b"orders")
    connection.begin()
    assert connection.subscriptions.ticked() == [0]
    assert not connection.subscriptions.want(b"orders", CONTENT, 0)
    assert connection.exchange() == []
    assert connection.subscriptions.heard_rows == [0]


def test_a_channel_that_is_wanted_no_more_is_heard_no_more() -> None:
    connection = Connection(b"orders")
    connection.begin()
    connection.subscriptions.ticked()
    assert connection.subscriptions.unwant(b"orders")
    assert connection.subscriptions.heard_rows == []
    assert connection.exchange() == [Command(False, (b"orders",))]
    assert not connection.subscriptions.unwant(b"orders"), "it had it no more"
    assert connection.subscriptions.is_empty


def test_what_is_let_go_and_wanted_again_is_not_heard_before_its_last_subscription_is_confirmed() -> None:
    connection = Connection()
    connection.begin()
    subscriptions = connection.subscriptions
    subscriptions.want(b"bills", CONTENT, 1)
    subscriptions.unwant(b"bills")
    subscriptions.want(b"bills", CONTENT, 2)
    subscriptions.take()
    subscriptions.answered(b"bills", subscribed=True)
    subscriptions.answered(b"bills", subscribed=False)
    assert subscriptions.ticked() == []
    subscriptions.answered(b"bills", subscribed=True)
    assert subscriptions.ticked() == [2]


def test_an_answer_to_what_was_asked_in_an_earlier_life_says_nothing_of_the_next() -> None:
    """It is let go behind that answer, and the tick that is heard now is older."""
    connection = Connection()
    connection.begin()
    subscriptions = connection.subscriptions
    subscriptions.want(b"bills", CONTENT, 1)
    connection.sent()
    subscriptions.unwant(b"bills")
    connection.sent()
    subscriptions.want(b"bills", CONTENT, 2)
    connection.sent()
    subscriptions.answered(b"bills", subscribed=True)
    assert subscriptions.ticked() == []
    assert not subscriptions.is_complete
    subscriptions.answered(b"bills", subscribed=False)
    assert subscriptions.ticked() == []
    subscriptions.answered(b"bills", subscribed=True)
    assert subscriptions.is_complete
    assert subscriptions.ticked() == [2]


def test_a_confirmation_that_no_tick_has_followed_yet_is_none_of_another_life() -> None:
    connection = Connection(b"orders")
    connection.begin()
    connection.subscriptions.want(b"orders", CONTENT, 7)
    assert connection.subscriptions.ticked() == [], "this tick may be from before that life"
    connection.exchange()
    assert connection.subscriptions.ticked() == [7]


def test_what_was_let_go_before_it_was_confirmed_is_not_heard() -> None:
    connection = Connection(b"orders")
    connection.connect()
    connection.exchange()
    connection.subscriptions.located()
    connection.sent()
    connection.subscriptions.unwant(b"orders")
    connection.answer()
    connection.exchange()
    assert connection.subscriptions.ticked() == []


# --- refused -----------------------------------------------------------------------------


@pytest.mark.parametrize("refused", [{b"0"}, {b"36"}, {b"37"}, {b"0", b"1"}, {b"3", b"36"}])
def test_a_refused_command_is_sent_in_halves_until_the_refusal_concerns_one_name(refused: set[bytes]) -> None:
    names = [b"%d" % number for number in range(38)]
    connection = Connection(*names)
    connection.refuses = refused
    connection.begin()
    assert set(connection.subscriptions.refused) == refused
    assert set(connection.subscriptions.refused.values()) == {NOPERM}
    assert len(connection.subscriptions.ticked()) == 38 - len(refused)


@pytest.mark.parametrize("number", [1, 2, 3])
def test_what_is_let_go_before_its_command_is_refused_is_not_asked_for_again(number: int) -> None:
    """It would stay subscribed, and no standby could prove that it hears what this one hears."""
    names = [b"orders", b"bills", b"alerts"][:number]
    connection = Connection(*names)
    connection.refuses = {b"orders"}
    connection.connect()
    connection.exchange()
    connection.subscriptions.located()
    connection.sent()
    for name in names:
        connection.subscriptions.unwant(name)
    connection.answer()
    connection.refuses.clear()
    assert connection.exchange() == [Command(False, tuple(names))]
    connection.subscriptions.turn(RETRY_SECONDS)
    assert connection.exchange() == []
    assert connection.subscriptions.refused == {}
    assert connection.subscriptions.digest == Connection().subscriptions.digest


def test_a_refusal_of_an_earlier_life_says_nothing_of_the_next() -> None:
    connection = Connection()
    connection.begin()
    for row in (1, 2):
        connection.subscriptions.want(b"bills", CONTENT, row)
        connection.sent()
    assert connection.subscriptions.refuse(NOPERM) is None
    assert connection.subscriptions.refused == {}
    assert connection.subscriptions.refuse(NOPERM) == b"bills"


def test_of_five_hundred_channels_one_is_found_in_few_commands() -> None:
    connection = Connection(*[b"%d" % number for number in range(500)])
    connection.refuses = {b"321"}
    connection.connect()
    connection.exchange()
    connection.subscriptions.located()
    assert len(connection.exchange()) <= 1 + 2 * 9
    assert set(connection.subscriptions.refused) == {b"321"}


def test_a_refusal_belongs_to_the_first_command_that_is_not_answered() -> None:
    """Redis answers in order, and a refusal names nobody."""
    connection = Connection(b"orders")
    connection.begin()
    for row, channel in enumerate([b"bills", b"alerts"], 1):
        connection.subscriptions.want(channel, CONTENT, row)
        connection.sent()
    connection.subscriptions.answered(b"bills", subscribed=True)
    assert connection.subscriptions.refuse(NOPERM) == b"alerts"


def test_an_answer_to_what_was_not_asked_takes_nobodys_place() -> None:
    connection = Connection()
    connection.begin()
    connection.subscriptions.want(b"orders", CONTENT, 0)
    connection.sent()
    connection.subscriptions.answered(b"bills", subscribed=False)
    assert connection.subscriptions.refuse(NOPERM) == b"orders"


def test_a_refusal_of_something_that_was_never_asked_names_nobody() -> None:
    connection = Connection()
    connection.begin()
    assert connection.subscriptions.refuse(NOPERM) is None
    assert connection.subscriptions.refused == {}


def test_what_is_refused_is_asked_for_again_after_a_while_each_by_itself() -> None:
    connection = Connection(b"orders", b"bills")
    connection.refuses = {b"orders", b"bills"}
    connection.begin()
    connection.subscriptions.turn(RETRY_SECONDS)
    assert connection.exchange() == [subscribe(b"orders"), subscribe(b"bills")]
    connection.subscriptions.turn(2 * RETRY_SECONDS - 0.01)
    assert connection.exchange() == []
    connection.refuses = {b"bills"}
    connection.subscriptions.turn(2 * RETRY_SECONDS)
    connection.exchange()
    assert set(connection.subscriptions.refused) == {b"bills"}
    assert connection.subscriptions.ticked() == [0]


def test_a_refusal_is_news_once() -> None:
    """It is asked for again every few seconds: what is written about it must not be."""
    connection = Connection(b"orders")
    connection.begin()
    subscriptions = connection.subscriptions
    said = []
    for text in (NOPERM, NOPERM, "NOAUTH"):
        subscriptions.want(b"bills", CONTENT, 1)
        subscriptions.turn(len(said) * RETRY_SECONDS + RETRY_SECONDS)
        subscriptions.take()
        said.append(subscriptions.refuse(text))
    assert said == [b"bills", None, b"bills"]
    assert subscriptions.refused == {b"bills": "NOAUTH"}


def test_a_channel_that_is_refused_is_heard_no_more() -> None:
    connection = Connection(b"orders")
    connection.begin()
    connection.subscriptions.ticked()
    connection.refuses = {b"orders"}
    connection.connect(keeps=True)
    connection.exchange()
    connection.subscriptions.located()
    connection.exchange()
    assert connection.subscriptions.heard_rows == []


def test_a_refused_internal_channel_is_asked_for_sooner_and_before_all_others() -> None:
    connection = Connection(b"orders")
    connection.refuses = {CONTROL}
    connection.connect()
    connection.exchange()
    assert connection.subscriptions.refused_internal == NOPERM
    assert not connection.subscriptions.is_attached
    connection.subscriptions.turn(0.5)
    assert connection.exchange() == [subscribe(CONTROL)]
    connection.refuses.clear()
    connection.subscriptions.turn(1.0)
    assert connection.exchange() == [subscribe(CONTROL)]
    assert connection.subscriptions.refused_internal == ""
    assert connection.subscriptions.is_attached


def test_nothing_is_asked_again_while_an_answer_is_missing() -> None:
    connection = Connection(b"orders")
    connection.refuses = {b"orders"}
    connection.begin()
    connection.subscriptions.turn(RETRY_SECONDS)
    connection.sent()
    connection.subscriptions.turn(3 * RETRY_SECONDS)
    assert connection.sent() == []


def test_nothing_is_asked_on_a_connection_that_has_ended() -> None:
    connection = Connection(b"orders")
    connection.refuses = {b"orders"}
    connection.begin()
    connection.subscriptions.disconnected()
    connection.subscriptions.turn(3 * RETRY_SECONDS)
    assert connection.sent() == []


def test_what_was_confirmed_on_a_connection_that_has_ended_is_not_heard_on_the_next() -> None:
    connection = Connection(b"orders")
    connection.begin()
    connection.refuses = {b"orders"}
    connection.begin()
    assert connection.subscriptions.ticked() == []


def test_of_a_new_connection_it_is_not_known_what_it_is_refused() -> None:
    connection = Connection(b"orders")
    connection.refuses = {b"orders"}
    connection.begin()
    connection.connect()
    assert connection.subscriptions.refused == {}


def test_a_new_connection_may_be_refused_something_else() -> None:
    connection = Connection(b"orders")
    connection.refuses = {b"orders"}
    connection.begin()
    connection.refuses.clear()
    connection.begin()
    assert connection.subscriptions.refused == {}
    assert connection.subscriptions.ticked() == [0]
