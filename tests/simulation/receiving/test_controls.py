"""Controls: without one of the rules the same schedules break the promise that it is for (`world`).

Some rules are of `relaycore.receiving`, some are the order of the writes of `alerts_app.receiving`, which
`process` plays.
"""

from collections.abc import Hashable, Mapping, Sequence

import pytest

from relaycore.alerting.labelled import posted, transitions
from relaycore.alerting.labelled.posted import Alert
from relaycore.publishing.standing import Awaited, Stored, Unstored
from relaycore.publishing.telling import Telling
from relaycore.receiving import states
from relaycore.receiving.hearing import Awake, Hearing
from relaycore.receiving.states import State, Taken

from .channel import Channel
from .postgres import Row, Steps, Transaction
from .process import Process, Told
from .schedules import ALL, AWAY, DYING, FALLING, HALTING, LEAVING, played, searched

Patch = pytest.MonkeyPatch


@pytest.fixture(autouse=True)
def _forgets_soon(monkeypatch: Patch) -> None:
    monkeypatch.setattr(states, "KEPT_MS", 120_000)


# --- what becomes of an alert ----------------------------------------------------------------


def test_control_repetitions_are_told(monkeypatch: Patch) -> None:
    def each(known: Mapping[str, State], alerts: Sequence[Alert], at: int) -> Taken:
        after, told = dict(known), []
        for said in alerts:
            alert = posted.merged(after[said.fingerprint].alert, said, at)
            is_firing = not alert.is_resolved(at)
            told.append(transitions.message(alert, is_firing=is_firing))
            after[said.fingerprint] = State(alert, is_firing)
        return Taken(after, told)

    monkeypatch.setattr(states, "take", each)
    assert searched(1, [])


def test_control_what_is_over_goes_on(monkeypatch: Patch) -> None:
    """It would be kept as firing without being told."""
    monkeypatch.setattr(states, "goes_on", lambda known, said, at: True)
    assert searched(1, [])


def test_control_what_fires_another_time_goes_on(monkeypatch: Patch) -> None:
    monkeypatch.setattr(states, "_begins_anew", lambda over, said: False)
    assert searched(3, ["postgres_flaps", "postgres_away"])


def test_control_what_fires_is_forgotten(monkeypatch: Patch) -> None:
    monkeypatch.setattr(states, "is_forgotten", lambda known, updated, at: True)
    assert searched(1, [])


def test_control_what_is_over_is_not_ended(monkeypatch: Patch) -> None:
    monkeypatch.setattr(states, "is_over", lambda known, at: False)
    assert searched(5, LEAVING)


# --- the order of what is written ------------------------------------------------------------


@pytest.mark.parametrize("too_soon", [False, True])
def test_control_the_time_is_taken_before_the_rows_are_held(monkeypatch: Patch, too_soon: bool) -> None:
    hold, times = Process._hold, {}

    def halting(self: Process, one: Transaction, said: dict[str, Alert]) -> Steps:
        times[one] = self._world.postgres.clock
        if self._world.has_faults and self._random.random() < 0.2:
            self.frozen_until = self._world.now + 6
            yield
        yield from hold(self, one, said)

    monkeypatch.setattr(Process, "_hold", halting)
    if too_soon:
        monkeypatch.setattr(Process, "_time", lambda self, one: times[one])
    assert searched(2, HALTING, 60) is too_soon


def test_control_rows_are_not_held(monkeypatch: Patch) -> None:
    def read_only(self: Process, one: Transaction, said: dict[str, Alert]) -> Steps:
        for key, alert in said.items():
            if one.row(key) is None:
                one.write(key, Row(states.unknown(alert), 0))
        yield

    monkeypatch.setattr(Process, "_hold", read_only)
    assert searched(1, [])


def test_control_the_state_is_written_before_the_message(monkeypatch: Patch) -> None:
    """In a transaction of its own."""

    def later(self: Process, one: Transaction, messages: Sequence[str]) -> Steps:
        yield from self._commit(one)
        yield
        again = self._begin()
        for message in messages:
            again.note(message)
        yield from self._commit(again)

    _apart(monkeypatch, later)
    assert searched(3, DYING)


def test_control_the_message_is_written_before_the_state(monkeypatch: Patch) -> None:
    def sooner(self: Process, one: Transaction, messages: Sequence[str]) -> Steps:
        before = self._begin()
        for message in messages:
            before.note(message)
        yield from self._commit(before)
        yield from self._commit(one)

    _apart(monkeypatch, sooner)
    assert searched(1, DYING)


def test_control_what_was_told_is_deleted_first(monkeypatch: Patch) -> None:
    def first(self: Process, one: Transaction, waiting: list[tuple[int, str]]) -> Steps:
        for id, _ in waiting:
            one.delete(id)
        yield from self._commit(one)
        yield
        self._world.channel.append([(id.to_bytes(12), message) for id, message in waiting])

    monkeypatch.setattr(Process, "_tell_those", first)
    _apart(monkeypatch, Process._note)
    assert searched(3, DYING)


# --- what is told ----------------------------------------------------------------------------


def test_control_what_was_appended_need_not_be_stored(monkeypatch: Patch) -> None:
    def at_once(self: Process) -> Told:
        yield
        self.telling.judged(Stored([], []))
        return True

    monkeypatch.setattr(Process, "_are_stored", at_once)
    assert searched(3, FALLING)


def test_control_what_is_gone_counts_as_told(monkeypatch: Patch) -> None:
    judged = Telling.judged

    def in_any_case(self: Telling[Awaited], verdict: Stored | Unstored) -> bool:
        return judged(self, Stored([], []) if verdict is Unstored.GONE else verdict)

    monkeypatch.setattr(Telling, "judged", in_any_case)
    assert searched(3, FALLING)


def test_control_what_is_not_stored_yet_is_appended_again(monkeypatch: Patch) -> None:
    judged = Telling.judged

    def impatient(self: Telling[Awaited], verdict: Stored | Unstored) -> bool:
        return judged(self, Unstored.GONE if verdict is Unstored.NOT_YET else verdict)

    monkeypatch.setattr(Telling, "judged", impatient)
    assert searched(6, AWAY)


def test_control_what_somebody_else_has_told_is_not_asked(monkeypatch: Patch) -> None:
    def blindly(self: Telling[Awaited], waiting: Sequence[Hashable]) -> int:
        return min(len(self._ids) or len(waiting), len(waiting))

    monkeypatch.setattr(Telling, "together", blindly)
    assert searched(3, [*DYING, *AWAY, *FALLING], 1000)


def test_control_what_is_appended_again_has_another_identity(monkeypatch: Patch) -> None:
    append = Channel.append

    def anew(self: Channel, messages: list[tuple[bytes, str]]) -> Awaited:
        return append(self, [(key + self.last.to_bytes(8), message) for key, message in messages])

    monkeypatch.setattr(Channel, "append", anew)
    assert searched(1, DYING)


# --- who was heard ---------------------------------------------------------------------------


def test_control_what_its_sender_has_given_up_is_taken(monkeypatch: Patch) -> None:
    monkeypatch.setattr(Awake, "is_late", lambda self, came_at, now: False)
    assert searched(2, DYING)


def test_control_what_came_while_it_stood_still_is_taken(monkeypatch: Patch) -> None:
    monkeypatch.setattr(Awake, "beat", lambda self, now: None)
    assert searched(2, DYING)


def test_control_whoever_could_hear_nobody_ends_what_is_over(monkeypatch: Patch) -> None:
    monkeypatch.setattr(Hearing, "is_long_enough", lambda self, now, seconds: True)
    assert searched(2, AWAY)


def test_control_whoever_could_keep_nothing_counts_that_as_hearing(monkeypatch: Patch) -> None:
    monkeypatch.setattr(Hearing, "failed", lambda self, now: None)
    assert searched(2, ["postgres_flaps"])


def test_control_whoever_stood_still_counts_that_as_hearing(monkeypatch: Patch) -> None:
    def without_a_pause(self: Hearing, now: float, seconds: float) -> bool:
        return now - self._since >= seconds

    monkeypatch.setattr(Hearing, "is_long_enough", without_a_pause)
    assert searched(2, DYING)


@pytest.mark.parametrize("by_now", [False, True])
def test_control_what_is_over_is_asked_after_who_was_heard(monkeypatch: Patch, by_now: bool) -> None:
    """Whoever freezes in between would end what nobody could repeat meanwhile."""
    end = Process.end

    def behind_it(self: Process, at: int) -> Steps:
        if self._world.has_faults and self._random.random() < 0.003:
            self._world.freeze_both(100)
        yield
        yield from end(self, self._world.postgres.clock if by_now else at)

    monkeypatch.setattr(Process, "end", behind_it)
    assert searched(2, [], 60) is by_now


def test_the_whole_of_it_holds_where_the_controls_fail() -> None:
    assert not any(played(ALL, seed).broken for seed in range(400, 450))


def _apart(monkeypatch: Patch, note: object) -> None:
    """What is noted is committed by whoever notes; what follows then commits nothing more."""
    commit = Process._commit

    def if_it_is_open(self: Process, one: Transaction) -> Steps:
        if one.is_committed:
            yield
        else:
            yield from commit(self, one)

    monkeypatch.setattr(Process, "_note", note)
    monkeypatch.setattr(Process, "_commit", if_it_is_open)
