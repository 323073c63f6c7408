"""What a consumer asks when, and what it holds: without I/O, against Relay's own decisions.

`World` is a program, its consumer, and a network that does what the test says.
"""

import json
import random
from collections import Counter
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any
from unittest import mock

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clients.python.tests.handing import NAME, PlayedRelay, number_of, position_of
from relay_client import Away, BadAnswer, Lost, Moved, NotFound, Pace, Skipped, Unreachable
from relay_client.answers import Answer
from relay_client.subscribing.committing import Committing
from relay_client.subscribing.holding import Ask, Held, State
from relay_client.subscribing.inbox import Inbox, Lane
from relay_client.subscribing.leasing import Leasing
from relay_client.subscribing.notices import Notice

MODES = ("cursor", "lease")
SMALL = Pace(page_messages=4, settle_messages=3, settle_seconds=0.5, wait_seconds=2)


@dataclass
class World:
    mode: str
    pace: Pace = SMALL
    now: float = 0.0
    relay: PlayedRelay = field(init=False)
    inbox: Inbox = field(init=False)
    given: list[Held] = field(default_factory=list)
    """What the program has in hand."""
    seen: list[int] = field(default_factory=list)
    finished: Counter[int] = field(default_factory=Counter)
    told: list[Notice] = field(default_factory=list)
    under_way: dict[str, Ask] = field(default_factory=dict)
    processed: dict[str, Answer] = field(default_factory=dict)
    passed_over: set[int] = field(default_factory=set)
    """By operators and other readers."""

    def __post_init__(self) -> None:
        self.relay = PlayedRelay(self.mode, lambda: self.now)
        self.inbox = Inbox(NAME, self.pace)

    # --- the network --------------------------------------------------------------------------

    def lane(self, name: str) -> Lane:
        return self.inbox.fetching if name == "fetch" else self.inbox.settling

    def ask(self, name: str) -> Ask | None:
        """The lane asks what it has to ask."""
        lane = self.lane(name)
        if name in self.under_way:
            assert self.inbox.look_at(lane) is None
            return None
        for _ in range(3):
            ask = self.inbox.step(lane, self.now)
            if ask is not None:
                self.under_way[name] = ask
                return ask
        at = self.inbox.look_at(lane)
        assert at is None or at > self.now, "it looks without end"
        return None

    def process(self, name: str) -> None:
        """Relay does what is under way in a lane; its answer comes later."""
        ask = self.under_way.get(name)
        if ask is not None and name not in self.processed:
            status, said = self.relay.answer(ask.call.method, ask.call.path, ask.call.content)
            self.processed[name] = Answer(status, {}, json.dumps(said).encode())

    def answer(self, name: str, fault: str = "none") -> None:
        """What is under way in a lane is answered."""
        if name not in self.under_way:
            return
        got: Answer | Exception = Unreachable("cut off", was_sent=True)
        if fault in {"none", "answer lost"}:
            self.process(name)
            if fault == "none":
                got = self.processed[name]
        elif fault in {"503", "429"}:
            got = Answer(int(fault), {"retry-after": "1"}, b"{}")
        self.processed.pop(name, None)
        if name == "fetch":
            self.relay.heard = None
        ask = self.under_way.pop(name)
        self.told += self.inbox.answered(self.lane(name), ask, got, self.now, 0.5)

    def go(self, *, rounds: int = 20) -> None:
        """All that is to be asked now is asked, and answered well."""
        for _ in range(rounds):
            asked = [self.ask(name) for name in ("settle", "fetch")]
            for name in ("settle", "fetch"):
                if name == "fetch" and name in self.under_way and not self.brings_something():
                    self.relay.hear(self.under_way[name].call.content)
                    continue  # Relay waits.
                self.answer(name)
            if asked == [None, None]:
                break
        self.check()

    def brings_something(self) -> bool:
        ask = self.under_way["fetch"]
        return (
            "fetch" in self.processed
            or ask.verb == "learn"
            or self.relay.has_some()
            or self.now - ask.asked_at >= 2
        )

    def wait(self, seconds: float) -> None:
        """Time passes, and Relay answers."""
        until = self.now + seconds
        while self.now < until:
            self.now = min(until, self.now + 0.25)
            self.go()

    # --- the program --------------------------------------------------------------------------

    def take(self) -> Held | None:
        held = self.inbox.take(self.now)
        if held is not None:
            in_hand = [one.position for one in self.given if one.state is State.GIVEN]
            assert held.position not in in_hand, "it has this one in hand already"
            self.given.append(held)
            self.seen.append(number_of(held.position))
        return held

    def take_all(self) -> list[int]:
        before = len(self.seen)
        while self.take() is not None:
            self.go()
        return self.seen[before:]

    def finish(self, held: Held | None = None) -> None:
        held = self.given.pop(0) if held is None else held
        if held in self.given:
            self.given.remove(held)
        self.finished[number_of(held.position)] += 1
        self.inbox.ack(held, self.now)

    def nack(self, delay: float | None = None) -> None:
        self.inbox.nack(self.given.pop(0), delay, self.now)

    def close(self) -> None:
        self.inbox.close(self.now)

    def seek_back(self) -> None:
        self.relay.seek(0)

    def die(self) -> None:
        """Killed at any instant; another one begins."""
        self.given.clear()
        self.under_way.clear()
        self.processed.clear()
        self.inbox = Inbox(NAME, self.pace)

    # --- what holds ---------------------------------------------------------------------------

    def check(self) -> None:
        unfinished = set(self.relay.done) - set(self.finished) - self.passed_over
        assert not unfinished, f"told to be done, and not finished: {unfinished}"

    def drain(self) -> None:
        """From here on all goes well, and everything is worked off."""
        for name in list(self.under_way):
            self.answer(name)
        if self.inbox.is_stopping:
            self.die()
        for _ in range(400):
            self.go()
            while self.given:
                self.finish()
            while self.take() is not None:
                self.finish()
            self.go()
            if self.all_is_done():
                break
            self.now += 1.0
        self.check()
        wanted = set(range(self.relay.count)) - self.passed_over
        assert wanted <= set(self.finished), f"lost: {wanted - set(self.finished)}"
        assert self.all_is_done(), "Relay never gets to know"

    def all_is_done(self) -> bool:
        return number_of(self.relay.cursor.position) >= self.relay.count - 1 and not self.relay.rows


def world(mode: str, count: int = 0, **more: Any) -> World:
    made = World(mode, **more)
    made.relay.count = count
    made.go()
    return made


# --- cursor ---------------------------------------------------------------------------------------


def test_it_is_learnt_which_mode_there_is() -> None:
    assert world("lease", 1).relay.verbs()[:2] == ["get", "fetch"]
    assert isinstance(world("cursor", 1).inbox._rules, Committing)
    assert isinstance(world("lease", 1).inbox._rules, Leasing)


def test_cursor_a_commit_goes_to_the_last_message_before_one_that_is_not_done() -> None:
    made = world("cursor", 4)
    first, second, third, _ = [made.take() for _ in range(4)]
    made.finish(first)
    made.finish(third)
    made.wait(1)
    assert made.relay.done == [0]
    assert made.relay.commits() == [position_of(0)]
    made.finish(second)
    made.wait(1)
    assert made.relay.done == [0, 1, 2]


def test_cursor_it_is_committed_after_so_many_messages_or_so_long_or_at_the_end_of_a_page() -> None:
    made = world(
        "cursor", 40, pace=Pace(page_messages=20, settle_messages=3, settle_seconds=5, is_ahead=False)
    )
    for _ in range(3):
        made.take()
        made.finish()
    made.go()
    assert made.relay.done == [0, 1, 2]
    made.take()
    made.finish()
    made.wait(4)
    assert made.relay.done == [0, 1, 2]
    made.wait(2)
    assert made.relay.done == [0, 1, 2, 3]
    made = world("cursor", 2, pace=Pace(settle_seconds=60))
    for _ in range(2):
        made.take()
        made.finish()
    made.go()
    assert made.relay.done == [0, 1]


def test_cursor_what_was_looked_at_and_is_not_wanted_is_committed() -> None:
    made = World("cursor")
    made.relay.wants = lambda number: number == 0
    made.relay.count = 50
    made.go()
    made.take()
    made.finish()
    made.go()
    assert number_of(made.relay.cursor.position) == 49


def test_cursor_the_next_page_is_fetched_ahead_and_nothing_is_given_twice() -> None:
    made = world("cursor", 20)
    while made.take() is not None:
        held = made.given[0]
        made.go()
        made.finish(held)
        made.go()
    assert made.seen == list(range(20))
    assert made.relay.done == list(range(20))
    ahead = [body["max"] for body in made.relay.bodies("fetch")]
    assert max(ahead) > 4, "nothing was fetched while something was in hand"
    alone = Pace(page_messages=4, is_ahead=False)
    made = world("cursor", 20, pace=alone)
    while made.take() is not None:
        made.finish()
        made.go()
    assert {body["max"] for body in made.relay.bodies("fetch")} == {4}


def test_cursor_what_it_holds_is_bounded() -> None:
    made = world("cursor", 10_000)
    for _ in range(3):
        made.take()
        made.wait(1)
    assert made.seen == [0, 1, 2]
    assert made.inbox._rules is not None
    assert len(made.inbox._rules._held) <= 3 * SMALL.page_messages  # type: ignore[attr-defined]


def test_cursor_killed_between_fetch_and_commit_it_comes_again() -> None:
    made = world("cursor", 6)
    made.take()
    made.finish()
    made.take()
    made.die()
    made.go()
    assert made.take_all()[0] == 0, "it was done, and not committed"
    made.drain()
    assert made.finished[0] == 2


def test_cursor_a_message_that_is_given_back_comes_again_and_holds_back_the_others() -> None:
    made = world("cursor", 3)
    made.take()
    made.nack(delay=5)
    made.wait(4)
    assert made.take() is None
    assert made.relay.done == []
    made.wait(2)
    assert made.take_all() == [0, 1, 2]


def test_cursor_without_a_delay_it_waits_longer_each_time() -> None:
    made, waited = world("cursor", 1), []
    for _ in range(3):
        began = made.now
        while made.take() is None:
            made.wait(0.25)
        waited.append(made.now - began)
        made.nack()
    assert waited == [0, 1, 2]


def test_cursor_who_has_given_it_back_does_not_say_for_another_that_it_is_done() -> None:
    made = world("cursor", 1)
    first = made.take()
    assert first is not None
    made.nack(delay=0)
    second = made.take()
    assert second is not None
    made.inbox.passed(first, made.now)
    made.inbox.ack(first, made.now)
    made.inbox.nack(first, 0, made.now)
    made.wait(1)
    assert made.relay.done == []
    assert made.take() is None, "the other one has it in hand"
    made.finish(second)
    made.wait(1)
    assert made.relay.done == [0]


def test_cursor_what_is_given_back_during_a_close_is_not_done_by_asking_for_the_next() -> None:
    made = world("cursor", 2)
    made.take()
    second = made.take()
    assert second is not None
    made.finish()
    made.close()
    made.ask("settle")
    made.nack()
    made.inbox.passed(second, made.now)
    made.answer("settle")
    made.wait(1)
    assert made.inbox.is_settled
    assert made.relay.done == [0]


def test_cursor_moved_what_was_fetched_is_let_go_and_it_is_told() -> None:
    made = world("cursor", 10)
    made.take()
    made.relay.seek(7)
    made.passed_over = set(range(7))
    made.finish()
    made.wait(1)
    assert [type(one) for one in made.told] == [Moved]
    assert made.take_all() == [7, 8, 9]
    assert made.relay.done == []
    made.drain()


def test_cursor_moved_by_another_reader_it_goes_on_behind_him() -> None:
    made = world("cursor", 10)
    made.take()
    made.relay.cursor = made.relay.cursor.fetch(position_of(9), 1).commit(position_of(5))
    made.passed_over = set(range(6))
    made.finish()
    made.wait(1)
    assert made.told == [Moved(position_of(5), 1)]
    assert made.take_all() == [6, 7, 8, 9]
    made.drain()


def test_cursor_the_seek_shows_by_a_fetch_as_well() -> None:
    made = world("cursor", 0)
    made.relay.count = 8
    made.go()
    held = made.take()
    made.relay.seek(0)
    assert made.ask("fetch") is None
    assert held is not None
    made.finish(held)
    made.wait(1)
    assert [type(one) for one in made.told] == [Moved]
    assert made.take_all()[0] == 0


def test_cursor_a_commit_whose_answer_is_lost_is_repeated_and_harmless() -> None:
    made = world("cursor", 2)
    made.take()
    made.finish()
    made.now += 1
    made.ask("settle")
    made.answer("settle", "answer lost")
    assert made.relay.done == [0]
    made.wait(3)
    made.take()
    made.finish()
    made.wait(3)
    assert made.relay.done == [0, 1]
    assert [type(one) for one in made.told] == [Away]


def test_cursor_what_is_done_goes_with_the_next_fetch() -> None:
    made = world("cursor", 6, pace=Pace(page_messages=2, is_ahead=False))
    for _ in range(3):
        assert made.take() is not None
        made.finish()
        assert made.take() is not None
        made.finish()
        made.go()
    assert made.relay.done == [0, 1, 2, 3, 4, 5]
    assert made.relay.bodies("commit") == []


def test_cursor_no_commit_overtakes_one_that_a_fetch_carries_but_the_last() -> None:
    made = world("cursor", 4, pace=Pace(page_messages=2, settle_messages=1, is_ahead=False))
    made.take()
    second = made.take()
    made.finish()
    made.inbox.waiters = 1
    made.now += 2
    assert made.ask("fetch") is not None
    made.finish(second)
    assert made.ask("settle") is None, "it might get there first"
    made.close()
    assert made.ask("settle") is not None, "nobody waits for a fetch at the end"
    made.answer("settle")
    made.answer("fetch")
    assert made.relay.done == [0, 1]
    assert made.told == []
    assert made.inbox.is_settled


def test_cursor_a_commit_that_a_fetch_has_carried_into_the_void_is_repeated() -> None:
    for fault in ("answer lost", "request lost", "503"):
        made = world("cursor", 1)
        made.take()
        made.finish()
        assert made.ask("fetch") is not None
        made.answer("fetch", fault)
        made.wait(5)
        assert made.relay.done == [0], fault


def test_cursor_slow_hands_keep_nobody_waiting_for_what_comes() -> None:
    made = world("cursor", 1)
    made.take()
    made.relay.count = 3
    made.wait(3)
    assert made.take() is None, "nobody waits: it is not looked"
    made.inbox.waiters = 1
    made.wait(1)
    assert made.take_all() == [1, 2]


# --- lease ----------------------------------------------------------------------------------------


def test_lease_what_is_done_is_acked_together() -> None:
    made = world("lease", 4)
    for _ in range(4):
        made.take()
    made.go()  # The fetch that would take it along is under way.
    made.finish()
    made.finish()
    made.go()
    assert made.relay.done == []
    made.wait(0.5)
    assert made.relay.done == [0, 1]
    assert [len(one["tokens"]) for one in made.relay.bodies("ack")] == [2]


@pytest.mark.parametrize("is_ahead", [True, False])
def test_lease_a_page_takes_one_request(is_ahead: bool) -> None:
    pace = Pace(page_messages=10, settle_messages=10, settle_seconds=60, is_ahead=is_ahead)
    made = world("lease", 200, pace=pace)
    made.inbox.waiters = 1
    made.go()
    while made.take() is not None:
        made.finish()
        made.go()
    assert made.relay.verbs().count("fetch") <= 200 // 10 + 2
    assert made.relay.verbs().count("ack") <= 1  # At the end, when the last fetch is under way already.
    assert made.relay.done == list(range(200))


def test_lease_what_goes_with_a_fetch_holds_however_long_relay_waits_for_messages() -> None:
    made = world("lease", 4)
    for _ in range(4):
        made.take()
    made.finish()
    made.finish()
    made.go()
    assert "fetch" in made.under_way
    assert made.relay.done == [0, 1]
    assert made.relay.bodies("ack") == []
    made.close()
    assert not made.inbox.is_settled
    made.answer("fetch")
    made.go()
    assert made.inbox.is_settled
    assert not [one for one in made.told if isinstance(one, Lost)]


@pytest.mark.parametrize("fault", ["lost", "answer lost", "503"])
def test_lease_what_went_with_a_fetch_that_failed_is_said_by_itself_before_long(fault: str) -> None:
    made = world("lease", 4)
    for _ in range(4):
        made.take()
    made.finish()
    made.ask("fetch")
    content = made.under_way["fetch"].call.content
    assert content is not None
    assert len(json.loads(content)["ack"]) == 1
    made.answer("fetch", fault)
    made.inbox.fetching.not_before = made.now + 3600  # It is not to be asked again for a long time.
    made.wait(0.5)
    assert made.relay.done == [0]
    assert made.relay.verbs()[-1] == "ack"
    assert not [one for one in made.told if isinstance(one, Lost)]


def test_lease_an_ack_that_went_with_a_fetch_and_was_too_late_is_said() -> None:
    made = world("lease", 4)
    held, *_ = [made.take() for _ in range(4)]
    assert held is not None
    row = made.relay.rows[held.position]
    made.now += 30
    made.relay.rows[held.position] = row.lease(made.relay.settings, made.relay.now)  # Somebody else has it.
    made.finish(held)
    made.ask("fetch")
    made.answer("fetch")
    assert [one.message.position for one in made.told if isinstance(one, Lost)] == [held.position]


def test_lease_an_answer_to_a_fetch_that_leaves_out_what_it_said_is_none() -> None:
    made = world("lease", 4)
    made.take()
    made.finish()
    for _ in range(3):
        made.take()
    ask = made.ask("fetch")
    assert ask is not None
    made.process("fetch")
    said = json.loads(made.processed["fetch"].body)
    del said["settled"]
    made.processed["fetch"] = Answer(200, {}, json.dumps(said).encode())
    made.answer("fetch")
    assert [type(one.error) for one in made.told if isinstance(one, Away)] == [BadAnswer]
    made.wait(5)
    said = [one.get("tokens") or one.get("ack") for verb, one in made.relay.asked if verb in {"fetch", "ack"}]
    said = [tokens for tokens in said if tokens]
    assert len(said) == 2
    assert said[0] == said[1]  # The same, again.


def test_lease_with_nothing_else_to_do_it_is_acked_at_once() -> None:
    made = world("lease", 1)
    made.take()
    made.finish()
    made.go()
    assert made.relay.done == [0]


def test_lease_given_back_it_comes_again_after_what_was_asked() -> None:
    made = world("lease", 2)
    made.take()
    made.nack(delay=3)
    made.take()
    made.nack()
    made.wait(1)
    assert sorted(one.get("delay_seconds", -1) for one in made.relay.bodies("nack")) == [-1, 3]
    made.wait(1.5)
    assert made.take_all() == [1]
    made.wait(1.5)
    assert made.take_all() == [0]
    made.drain()


def test_lease_given_back_and_leased_to_us_again_before_that_is_answered_it_is_given_again() -> None:
    made = world("lease", 1)
    made.take()
    made.nack(delay=0)
    made.ask("settle")
    made.process("settle")
    made.answer("fetch")
    assert made.relay.rows[position_of(0)].attempt == 2
    made.answer("settle")
    again = made.take()
    assert again is not None, "it would lie there until its deadline, and have used up an attempt"
    assert again.message.lease is not None
    assert again.message.lease.attempt == 2
    made.finish()
    made.go()
    assert made.relay.done == [0]


def test_lease_given_back_and_leased_to_us_again_at_the_end_it_is_given_back_again() -> None:
    made = world("lease", 1)
    made.take()
    made.nack(delay=0)
    made.ask("settle")
    made.process("settle")
    made.close()
    made.answer("fetch")
    made.answer("settle")
    made.go()
    assert made.inbox.is_settled
    assert [row.state.value for row in made.relay.rows.values()] == ["waiting"]


def test_lease_what_was_leased_anew_while_it_waited_says_which_attempt_it_is() -> None:
    made = world("lease", 1)
    made.now += 30  # Nothing was extended: the machine slept.
    made.ask("fetch")
    made.answer("fetch")
    held = made.take()
    assert held is not None
    assert held.message.lease is not None
    assert (held.message.lease.attempt, held.message.lease.token) == (2, held.token)


def test_lease_long_work_is_extended_at_half_the_time() -> None:
    made = world("lease", 1)
    made.take()
    made.wait(60)
    assert made.seen == [0]
    assert len(made.relay.bodies("extend")) == 12
    assert {one["seconds"] for one in made.relay.bodies("extend")} == {10}
    assert made.relay.rows[position_of(0)].attempt == 1
    made.finish()
    made.drain()
    assert made.told == []


def test_lease_without_extending_others_would_get_it() -> None:
    """The control of the test above."""

    def never(self: Leasing, now: float) -> list[Held]:
        self._extend_at = 1e9
        return []

    with mock.patch.object(Leasing, "_due", never):
        made = world("lease", 1)
        made.take()
        made.wait(60)
    assert made.relay.rows[position_of(0)].attempt > 1


def test_lease_that_is_lost_it_is_said_and_not_extended_or_acked_any_more() -> None:
    made = world("lease", 1)
    held = made.take()
    assert held is not None
    made.ask("fetch")
    made.now += 12  # The program, or the machine, stood still.
    row = made.relay.rows[held.position]
    made.relay.rows[held.position] = row.lease(made.relay.settings, made.relay.now)
    made.ask("settle")
    made.answer("settle")
    assert [type(one) for one in made.told] == [Lost]
    assert held.state is State.GONE
    before = len(made.relay.asked)
    made.inbox.ack(held, made.now)
    made.ask("settle")
    assert "settle" not in made.under_way
    assert len(made.relay.asked) == before
    assert made.relay.done == []


def test_lease_a_late_ack_counts_if_nobody_else_has_it() -> None:
    made = world("lease", 1)
    made.take()
    made.now += 100
    made.finish()
    made.ask("settle")
    made.answer("settle")
    assert made.relay.done == [0]
    assert made.told == []


def test_lease_an_ack_that_is_too_late_is_told() -> None:
    made = world("lease", 1)
    held = made.take()
    assert held is not None
    made.now += 100
    row = made.relay.rows[held.position]
    made.relay.rows[held.position] = row.lease(made.relay.settings, made.relay.now)
    made.finish()
    made.ask("settle")
    made.answer("settle")
    assert made.relay.done == []
    assert made.told == [Lost(held.message, "Too late.")]


def test_lease_an_ack_whose_answer_is_lost_is_repeated_and_that_is_no_loss() -> None:
    made = world("lease", 1)
    made.take()
    made.finish()
    made.ask("settle")
    made.answer("settle", "answer lost")
    assert made.relay.done == [0]
    made.wait(3)
    assert len(made.relay.bodies("ack")) == 2
    assert [type(one) for one in made.told] == [Away], "that the second one is too late is no news"
    assert made.inbox.is_settled or "fetch" in made.under_way


def test_lease_what_was_lost_on_its_way_comes_again_by_its_deadline() -> None:
    made = world("lease", 0)
    made.relay.count = 2
    made.ask("fetch")
    made.answer("fetch", "answer lost")
    made.wait(5)
    assert made.take() is None
    made.wait(10)
    assert made.take_all() == [0, 1]
    made.drain()


def test_lease_what_comes_again_while_we_have_it_keeps_its_place() -> None:
    made = world("lease", 1)
    held = made.take()
    assert held is not None
    made.now += 30  # Nothing was extended: the machine slept.
    made.ask("fetch")
    made.answer("fetch")
    assert made.relay.rows[held.position].attempt == 2
    assert made.take() is None, "the program has it in hand"
    made.finish()
    made.go()
    assert made.relay.done == [0]
    assert made.finished == {0: 1}
    assert [one for one in made.told if isinstance(one, Lost)] == []


def test_lease_what_waits_and_is_not_certainly_ours_is_not_given() -> None:
    made = world("lease", 2)
    made.now += 30
    assert made.take() is None
    made.go()
    assert made.take_all() == [0, 1]


def test_lease_what_the_program_has_for_too_long_is_held_no_longer() -> None:
    made = world("lease", 1, pace=Pace(page_messages=4, wait_seconds=2, hold_seconds=20))
    held = made.take()
    assert held is not None
    made.wait(60)
    assert [type(one) for one in made.told] == [Lost]
    assert made.relay.rows[held.position].attempt > 1


def test_lease_after_a_seek_no_token_counts() -> None:
    made = world("lease", 6)
    made.take()
    made.relay.seek(0)
    made.take()  # So there is room for a fetch.
    made.wait(3)
    assert [type(one) for one in made.told] == [Moved]
    made.finish()
    made.go()
    assert made.relay.done == []
    made.drain()


def test_lease_only_who_asks_is_given_a_page_if_nothing_is_to_be_fetched_ahead() -> None:
    made = world("lease", 6, pace=Pace(page_messages=2, is_ahead=False))
    assert made.relay.verbs() == ["get"]
    made.inbox.waiters = 1
    made.go()
    made.inbox.waiters = 0
    made.take()
    made.wait(3)
    assert len(made.relay.bodies("fetch")) == 1


def test_cursor_what_was_fetched_before_a_seek_is_not_believed_after_it() -> None:
    made = world("cursor", 8)
    for _ in range(3):
        made.take()
        made.finish()
    made.ask("settle")
    made.answer("settle")
    made.ask("fetch")
    made.process("fetch")
    made.take()
    made.finish()
    made.now += 1
    made.relay.seek(0)
    made.ask("settle")
    made.answer("settle")
    assert [type(one) for one in made.told] == [Moved]
    made.answer("fetch")
    assert made.take() is None
    made.go()
    assert made.take_all()[0] == 0
    assert len(made.told) == 1


# --- both -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", MODES)
def test_stopped_in_the_middle_of_a_page_it_tells_what_is_done_and_nothing_else(mode: str) -> None:
    made = world(mode, 4)
    made.take()
    made.finish()
    made.take()
    made.close()
    made.go()
    made.wait(3)
    assert made.inbox.is_settled
    assert made.relay.done == [0]
    assert made.take() is None
    if mode == "lease":
        back = [row.position for row in made.relay.rows.values() if row.state.value == "waiting"]
        assert back == [position_of(2), position_of(3)], "what nobody has begun is given back at once"
    made.die()
    made.drain()


@pytest.mark.parametrize("mode", MODES)
def test_what_is_lost_on_its_way_is_told_again(mode: str) -> None:
    made = world(mode, 1)
    made.take()
    made.finish()
    for lane in ("settle", "fetch"):
        made.ask(lane)
        made.answer(lane, "request lost")
    made.wait(5)
    assert made.relay.done == [0]


@pytest.mark.parametrize("mode", MODES)
def test_the_control_of_it_sees_what_is_told_too_early(mode: str) -> None:
    """A consumer that takes for done what it has given makes the same test red."""
    kind: Any = Committing if mode == "cursor" else Leasing
    original = kind.take

    def take(self: Any, now: float) -> Held | None:
        held: Held | None = original(self, now)
        if held is not None:
            self.ack(held, now)
        return held

    with mock.patch.object(kind, "take", take):
        made = world(mode, 4)
        made.take()
        made.close()
        with pytest.raises(AssertionError, match="told to be done, and not finished"):
            made.go()


def test_lease_a_fetch_under_way_at_the_end_is_waited_for_and_given_back() -> None:
    made = world("lease", 0)
    made.wait(1)
    assert "fetch" in made.under_way
    made.close()
    assert not made.inbox.is_settled
    made.relay.count = 2
    made.answer("fetch")
    made.go()
    assert made.inbox.is_settled
    assert {row.state.value for row in made.relay.rows.values()} == {"waiting"}


def test_cursor_a_fetch_under_way_at_the_end_is_not_waited_for() -> None:
    made = world("cursor", 0)
    made.wait(1)
    assert "fetch" in made.under_way
    made.close()
    assert made.inbox.is_settled


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("fault", ["503", "429", "cut off"])
def test_what_fails_is_tried_again_later_each_time_and_told_once(mode: str, fault: str) -> None:
    made = world(mode)
    made.relay.count = 1
    made.under_way.pop("fetch", None)
    made.inbox.fetching.asked = None
    times = []
    for _ in range(4):
        while made.ask("fetch") is None:
            made.now += 0.05
        times.append(made.now)
        made.answer("fetch", fault)
    pauses = [later - before for before, later in pairwise(times)]
    assert pauses == sorted(pauses)
    assert fault == "cut off" or min(pauses) >= 1, "Retry-After"
    assert [type(one) for one in made.told] == [Away]
    made.drain()


@pytest.mark.parametrize("mode", MODES)
def test_what_will_not_pass_is_raised(mode: str) -> None:
    made = world(mode)
    made.relay.is_known = False
    made.relay.count = 1
    made.wait(3)
    with pytest.raises(NotFound):
        made.take()
    assert made.inbox.is_settled
    assert made.inbox.untold is None


@pytest.mark.parametrize("mode", MODES)
def test_an_answer_that_cannot_be_used_keeps_nobody_waiting(mode: str) -> None:
    made = world(mode)
    made.relay.count = 1
    made.now += 5
    with mock.patch.object(Committing if mode == "cursor" else Leasing, "fetched", side_effect=TypeError):
        made.ask("fetch")
        made.answer("fetch")
    with pytest.raises(BadAnswer, match="fetch cannot be used: TypeError"):
        made.take()


@pytest.mark.parametrize("mode", MODES)
def test_work_that_can_never_be_told_is_not_kept_quiet(mode: str) -> None:
    made = world(mode, 1)
    made.take()
    made.finish()
    made.relay.is_known = False
    made.close()
    made.go()
    assert made.inbox.is_settled
    assert isinstance(made.inbox.untold, NotFound)


@pytest.mark.parametrize("mode", MODES)
def test_what_retention_has_deleted_is_told(mode: str) -> None:
    made = World(mode)
    made.relay.count = 1
    made.relay.skipped = {"from": position_of(0), "to": position_of(5), "count": 5}
    made.go()
    assert made.told == [Skipped(position_of(0), position_of(5), 5)]
    assert "at most 5 messages" in str(made.told[0])


@pytest.mark.parametrize("mode", MODES)
def test_a_relay_that_does_not_wait_is_not_asked_without_end(mode: str) -> None:
    made = world(mode)
    before = len(made.relay.asked)
    for _ in range(400):  # 20 s
        made.now += 0.05
        made.ask("fetch")
        made.answer("fetch")
    assert len(made.relay.asked) - before < 40


# --- whatever happens -----------------------------------------------------------------------------

actions = st.one_of(
    st.tuples(st.just("publish"), st.integers(1, 6)),
    st.tuples(st.just("ask"), st.sampled_from(["fetch", "settle"])),
    st.tuples(st.just("process"), st.sampled_from(["fetch", "settle"])),
    st.tuples(
        st.just("answer"),
        st.sampled_from(["fetch", "settle"]),
        st.sampled_from(["none", "none", "answer lost", "request lost", "503", "429"]),
    ),
    st.tuples(st.just("take")),
    st.tuples(st.just("finish"), st.integers(0, 3)),
    st.tuples(st.just("nack"), st.sampled_from([None, 0.0, 2.0])),
    st.tuples(st.just("wait"), st.sampled_from([0.1, 1.0, 6.0, 30.0])),
    st.tuples(st.just("go")),
    st.tuples(st.just("die")),
    st.tuples(st.just("close")),
    st.tuples(st.just("seek_back")),
)


def do(made: World, action: tuple[Any, ...]) -> None:
    kind, *more = action
    if kind == "publish":
        made.relay.count += more[0]
    elif kind in {"ask", "process", "answer", "take"}:
        getattr(made, kind)(*more)
    elif kind == "finish" and made.given:
        made.finish(made.given[more[0] % len(made.given)])
    elif kind == "nack" and made.given:
        made.nack(more[0])
    elif kind == "wait":
        made.now += more[0]
    elif kind in {"go", "die", "close", "seek_back"}:
        getattr(made, kind)()
    made.check()


@pytest.mark.parametrize("mode", MODES)
@settings(max_examples=300, deadline=None)
@given(st.lists(actions, max_size=60))
def test_nothing_is_lost_and_nothing_unfinished_is_told_to_be_done(
    mode: str, doings: list[tuple[Any, ...]]
) -> None:
    made = World(mode)
    for action in doings:
        do(made, action)
    made.drain()


# --- controls -------------------------------------------------------------------------------------
# Each protective rule, turned off, makes a test above red.


def _commit_all(self: Committing, now: float) -> None:
    self._reached = self._upto
    self._look(now)


def _give_all(self: Leasing, now: float) -> Held | None:
    return self._queue.popleft() if self._queue else None


def _ack_what_is_given_back(self: Leasing, held: Held, now: float) -> None:
    self._given += 1
    self._end(held, State.DONE, now)


def _forget(self: Leasing, ask: Ask, now: float) -> None:
    self._is_settling = False


def _commit_past(self: Committing, ask: Ask, now: float) -> None:
    self._committed = max(self._committed, ask.position)
    self._is_committing = self._is_carried = False


def _believe(self: Committing, ask: Ask, got: Any, now: float) -> Any:
    self._epoch = ask.epoch
    return FETCHED(self, ask, got, now)


def _forget_those_in_hand(self: Leasing, message: Any, lease: Any, now: float) -> None:
    self._held.pop(message.position, None)
    HOLD(self, message, lease, now)


FETCHED, HOLD = Committing.fetched, Leasing._hold


@pytest.mark.parametrize(
    ("kind", "name", "broken", "test"),
    [
        (
            Committing,
            "_reach",
            _commit_all,
            test_cursor_a_commit_goes_to_the_last_message_before_one_that_is_not_done,
        ),
        (
            Committing,
            "_let_go",
            lambda self: None,
            test_cursor_moved_what_was_fetched_is_let_go_and_it_is_told,
        ),
        (
            Committing,
            "fetched",
            _believe,
            test_cursor_what_was_fetched_before_a_seek_is_not_believed_after_it,
        ),
        (
            Committing,
            "unanswered",
            _commit_past,
            lambda: test_what_is_lost_on_its_way_is_told_again("cursor"),
        ),
        (Leasing, "unanswered", _forget, lambda: test_what_is_lost_on_its_way_is_told_again("lease")),
        (
            Leasing,
            "_return",
            _ack_what_is_given_back,
            lambda: test_stopped_in_the_middle_of_a_page_it_tells_what_is_done_and_nothing_else("lease"),
        ),
        (Leasing, "take", _give_all, test_lease_what_waits_and_is_not_certainly_ours_is_not_given),
        (
            Leasing,
            "_hold",
            _forget_those_in_hand,
            test_lease_what_comes_again_while_we_have_it_keeps_its_place,
        ),
    ],
)
def test_a_rule_that_is_turned_off_is_missed(kind: Any, name: str, broken: Any, test: Any) -> None:
    test()
    with mock.patch.object(kind, name, broken), pytest.raises(AssertionError):
        test()


def _random_action(chance: random.Random) -> tuple[Any, ...]:
    lane = chance.choice(["fetch", "settle"])
    fault = chance.choice(["none", "none", "answer lost", "request lost", "503"])
    often = [("take",), ("finish", chance.randrange(4)), ("ask", lane), ("wait", chance.choice([0.6, 12]))]
    often += [("process", lane), ("answer", lane, fault)]
    choices = [
        ("go",),
        ("die",),
        ("close",),
        ("seek_back",),
        *[("publish", 3), ("nack", 0.0)] * 3,
        *often * 8,
    ]
    return chance.choice(choices)


@pytest.mark.parametrize(
    ("kind", "name", "broken"),
    [
        (None, "", None),
        (Committing, "_reach", _commit_all),
        (Committing, "unanswered", lambda self, ask, now: None),
        (Leasing, "_return", _ack_what_is_given_back),
        (Leasing, "unanswered", lambda self, ask, now: None),
    ],
)
def test_whatever_happens_sees_it_too(kind: Any, name: str, broken: Any) -> None:
    """The test with whatever happens, by dice instead of Hypothesis, and with rules turned off."""

    def play() -> None:
        for seed in range(100):
            chance = random.Random(seed)
            made = World("lease" if kind is Leasing else "cursor")
            for _ in range(60):
                do(made, _random_action(chance))
            made.drain()

    if kind is None:
        play()
        return
    with mock.patch.object(kind, name, broken), pytest.raises(AssertionError):
        play()
