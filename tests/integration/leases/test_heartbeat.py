"""The heartbeat keeps a term alive, doubts it when PostgreSQL is away, and never holds anybody up."""

import logging
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import psycopg2
import pytest
from django.db import OperationalError, connection
from django.db.backends.base.base import BaseDatabaseWrapper

from leases_app import sleepless
from leases_app.heartbeat import Heartbeat
from leases_app.leasing import Condition, Contender, Term
from leases_app.models import Lease
from relaycore.errors import LeaseLost
from relaystack.ports import free_port

pytestmark = pytest.mark.django_db(transaction=True)

WaitUntil = Callable[..., None]
UNCONFIRMED = "writer of partition 0, epoch 1: PostgreSQL does not answer, the term is unconfirmed"
CONFIRMED = "writer of partition 0, epoch 1: the term is confirmed again"
BEAT_SECONDS = 0.05


@pytest.fixture(autouse=True)
def _quick(settings: Any, caplog: pytest.LogCaptureFixture) -> None:
    settings.RELAY_LEASE_HEARTBEAT_SECONDS = BEAT_SECONDS
    settings.RELAY_LEASE_TTL_SECONDS = 0.5
    caplog.set_level(logging.INFO, "leases_app.heartbeat")


@pytest.fixture(autouse=True)
def _no_thread_is_left(wait_until: WaitUntil) -> Iterator[None]:
    yield
    wait_until(lambda: not threads(), seconds=20, what="the thread of the heartbeat ends")


@pytest.fixture
def term() -> Term:
    claimed = Contender().claim(Lease.Role.WRITER, 0)
    assert claimed is not None
    return claimed


def threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "heartbeat"]


def row() -> Lease:
    return Lease.objects.get()


def beats(wait_until: WaitUntil, number: int = 3) -> None:
    """Wait until it has beaten so often from now on."""
    for _ in range(number):
        before = row().heartbeat_at
        wait_until(lambda before=before: row().heartbeat_at != before, what="a beat")


def test_a_lease_that_went_back_is_written_again(
    term: Term, wait_until: WaitUntil, caplog: pytest.LogCaptureFixture
) -> None:
    Lease.objects.update(epoch=20)
    term = replace(term, epoch=20)
    with Heartbeat(term) as heartbeat:
        beats(wait_until, 1)
        Lease.objects.update(epoch=5, holder="somebody before")
        wait_until(lambda: row().epoch == 20)
        beats(wait_until)
        assert not heartbeat.lost
    assert "PostgreSQL went back, the lease has forgotten the term. It is written again." in caplog.text
    assert row().holder == "", "released"


def test_after_a_lease_went_back_whoever_was_given_it_is_waited_for(
    term: Term, settings: Any, wait_until: WaitUntil
) -> None:
    Lease.objects.update(epoch=20)
    with Heartbeat(replace(term, epoch=20)) as heartbeat:

        def holds() -> bool:
            return heartbeat.confirmed.holds(sleepless.seconds())

        wait_until(holds)
        gone_back_at = sleepless.seconds()
        Lease.objects.update(epoch=5, holder="somebody, who was told so just now")
        wait_until(lambda: row().epoch == 20)
        wait_until(lambda: not holds())  # The row may be seen before the heartbeat has its answer.
        wait_until(holds, seconds=3 * settings.RELAY_LEASE_TTL_SECONDS + 5)
        assert sleepless.seconds() - gone_back_at >= settings.RELAY_LEASE_TTL_SECONDS


def test_who_leads_is_told_that_the_lease_went_back_and_claims_another_term(
    term: Term, wait_until: WaitUntil
) -> None:
    with Heartbeat(term, begins_anew=True) as heartbeat:
        beats(wait_until, 1)
        Lease.objects.update(epoch=0, holder="somebody before")
        wait_until(lambda: heartbeat.lost)
        assert heartbeat.went_back
    assert row().holder == "somebody before"


def cut(victim: Callable[[], int | None] = lambda: None) -> int:
    """Cut the connections of everybody else to the database; how many."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
            " AND backend_type = 'client backend'"
        )
        return int(cursor.fetchone()[0])


# --- while PostgreSQL is there -----------------------------------------------------------


def test_it_renews_the_term_for_longer_than_the_time_to_live(term: Term, settings: Any) -> None:
    until = time.monotonic() + 2 * settings.RELAY_LEASE_TTL_SECONDS
    with Heartbeat(term) as heartbeat:
        while time.monotonic() < until:
            assert Contender().claim(term.role, term.partition) is None
        assert not heartbeat.lost
        assert heartbeat.unconfirmed_since is None
    assert row().epoch == term.epoch


def test_it_releases_the_term_at_the_end(term: Term) -> None:
    with Heartbeat(term):
        pass
    assert row().holder == ""
    assert Contender().claim(term.role, term.partition)


def test_it_releases_the_term_when_the_work_fails(term: Term) -> None:
    with pytest.raises(ZeroDivisionError), Heartbeat(term):
        _ = 1 / 0
    assert row().holder == ""


def test_it_notices_that_somebody_else_took_the_lease_and_leaves_it_alone(
    term: Term, wait_until: WaitUntil, caplog: pytest.LogCaptureFixture
) -> None:
    with Heartbeat(term) as heartbeat:
        Lease.objects.update(epoch=2, holder="somebody else")
        wait_until(lambda: heartbeat.lost, seconds=5)
    assert (row().epoch, row().holder) == (2, "somebody else")
    assert "writer of partition 0, epoch 1: the term is over" in caplog.text
    assert {one.levelname for one in caplog.records} == {"WARNING"}


def test_the_lease_that_was_handed_over_is_left_alone_and_nothing_to_warn_of(
    term: Term, settings: Any, caplog: pytest.LogCaptureFixture
) -> None:
    settings.RELAY_LEASE_HEARTBEAT_SECONDS = 60
    caplog.set_level(logging.INFO)
    with Heartbeat(term):
        Lease.objects.update(epoch=2, holder="somebody else")
    assert (row().epoch, row().holder) == (2, "somebody else")
    said = [(one.levelname, one.getMessage()) for one in caplog.records if one.name == "leases_app.heartbeat"]
    assert said == [("INFO", "writer of partition 0, epoch 1: the term is over.")]


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_whatever_ends_the_thread_the_term_is_not_worked_under_any_more(
    term: Term, wait_until: WaitUntil, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(self: Term, given_up: int, condition: Condition) -> None:
        raise MemoryError

    with Heartbeat(term) as heartbeat:
        monkeypatch.setattr(Term, "renew", fail)
        wait_until(lambda: heartbeat.lost, seconds=5)


def test_what_was_given_up_is_reported_with_the_next_beat_and_once(term: Term, wait_until: WaitUntil) -> None:
    with Heartbeat(term) as heartbeat:
        heartbeat.give_up(3)
        heartbeat.give_up(4)
        wait_until(lambda: row().given_up == 7)
        beats(wait_until)
        assert row().given_up == 7
        heartbeat.give_up(1)
        wait_until(lambda: row().given_up == 8)
    assert row().given_up == 8


def test_what_was_given_up_last_is_reported_at_the_end(term: Term, settings: Any) -> None:
    settings.RELAY_LEASE_HEARTBEAT_SECONDS = 60
    with Heartbeat(term) as heartbeat:
        heartbeat.give_up(5)
    assert (row().given_up, row().holder) == (5, "")


def test_each_beat_says_how_the_holder_is(term: Term, wait_until: WaitUntil) -> None:
    now = [Condition(waiting=3)]
    with Heartbeat(term, lambda: now[0]):
        wait_until(lambda: row().waiting == 3)
        now[0] = Condition(heard_seconds_ago=0.0, trouble="It cannot.")
        wait_until(lambda: row().trouble == "It cannot.")
        assert row().waiting == 0
        assert Lease.objects.hearing().exists()


def test_what_changes_is_said_at_once_when_it_is_asked_for(
    term: Term, settings: Any, wait_until: WaitUntil
) -> None:
    settings.RELAY_LEASE_HEARTBEAT_SECONDS = 60
    now = [Condition()]
    with Heartbeat(term, lambda: now[0]) as heartbeat:
        for text in ("one", "two"):
            now[0] = Condition(trouble=text)
            heartbeat.beat_soon()
            wait_until(lambda text=text: row().trouble == text, seconds=2)


def test_asking_all_the_time_does_not_make_it_beat_all_the_time(
    term: Term, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.RELAY_LEASE_HEARTBEAT_SECONDS = 60
    renewals: list[Condition] = []
    monkeypatch.setattr(Term, "renew", lambda self, given_up, condition: renewals.append(condition))
    with Heartbeat(term) as heartbeat:
        until = time.monotonic() + 0.55
        while time.monotonic() < until:
            heartbeat.beat_soon()
            time.sleep(0.001)
        assert 1 <= len(renewals) <= 6


def test_it_uses_no_connection_of_the_thread_that_works(term: Term, settings: Any) -> None:
    settings.RELAY_LEASE_HEARTBEAT_SECONDS = 60
    with connection.execute_wrapper(_forbidden), Heartbeat(term):
        pass
    assert row().holder == ""


def _forbidden(*_: Any) -> None:
    raise AssertionError("the thread that works was made to wait for PostgreSQL")


# --- while PostgreSQL is away ------------------------------------------------------------


def test_a_cut_connection_makes_the_term_unconfirmed_until_the_next_beat(
    term: Term, wait_until: WaitUntil, caplog: pytest.LogCaptureFixture
) -> None:
    with Heartbeat(term) as heartbeat:
        heartbeat.give_up(3)
        beats(wait_until)
        assert cut() == 1
        wait_until(lambda: CONFIRMED in caplog.text)
        assert caplog.text.count(UNCONFIRMED) == 1
        assert not heartbeat.lost
        assert heartbeat.unconfirmed_since is None
        beats(wait_until)
    assert row().given_up == 3
    assert row().epoch == term.epoch


def test_the_term_is_unconfirmed_while_nobody_answers_and_confirmed_again_afterwards(
    term: Term, wait_until: WaitUntil, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Heartbeat(term) as heartbeat:
        beats(wait_until)
        with monkeypatch.context() as patched:
            patched.setitem(connection.settings_dict, "PORT", free_port())
            assert cut() == 1
            wait_until(lambda: heartbeat.unconfirmed_since is not None)
            since = heartbeat.unconfirmed_since
            heartbeat.give_up(2)
            time.sleep(10 * BEAT_SECONDS)  # several beats fail
            assert heartbeat.unconfirmed_since == since, "since the first that failed"
            assert not heartbeat.lost, "nobody can take the lease over either"
        wait_until(lambda: heartbeat.unconfirmed_since is None)
        heartbeat.give_up(1)
        wait_until(lambda: row().given_up == 3)
        beats(wait_until)
        assert row().given_up == 3
    assert caplog.text.count(UNCONFIRMED) == 1
    assert caplog.text.count(CONFIRMED) == 1
    assert (row().epoch, row().holder) == (term.epoch, "")


def test_what_was_given_up_counts_once_even_if_the_answer_to_a_renewal_is_lost(
    term: Term, wait_until: WaitUntil, monkeypatch: pytest.MonkeyPatch
) -> None:
    """PostgreSQL has written it, and the connection ends before it can say so."""
    renew, lost = Term.renew, []

    def renew_without_answer(self: Term, given_up: int, condition: Condition) -> None:
        renew(self, given_up, condition)
        if given_up and len(lost) < 2:
            lost.append(given_up)
            raise OperationalError("server closed the connection unexpectedly")

    monkeypatch.setattr(Term, "renew", renew_without_answer)
    with Heartbeat(term) as heartbeat:
        heartbeat.give_up(5)
        wait_until(lambda: len(lost) == 2)
        beats(wait_until)
    assert row().given_up == 5


def test_a_lease_that_was_taken_while_nobody_answered_is_lost(
    term: Term, wait_until: WaitUntil, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Heartbeat(term) as heartbeat:
        beats(wait_until, 1)
        with monkeypatch.context() as patched:
            patched.setitem(connection.settings_dict, "PORT", free_port())
            cut()
            wait_until(lambda: heartbeat.unconfirmed_since is not None)
            wait_until(lambda: Contender().claim(term.role, term.partition), what="the lease lapses")
        wait_until(lambda: heartbeat.lost)
    assert row().epoch == 2
    with pytest.raises(LeaseLost):
        term.renew(0)


# --- leaving while PostgreSQL hangs ------------------------------------------------------


@pytest.fixture
def hang(elsewhere: BaseDatabaseWrapper) -> Iterator[Callable[[], None]]:
    """Make every statement on the leases wait until the test is over."""
    elsewhere.set_autocommit(False)

    def lock() -> None:
        with elsewhere.cursor() as cursor:
            cursor.execute("LOCK TABLE leases IN ACCESS EXCLUSIVE MODE")

    yield lock
    elsewhere.rollback()


@pytest.mark.parametrize("beat_seconds", [BEAT_SECONDS, 60], ids=["in the middle of a beat", "between two"])
def test_leaving_does_not_wait_for_a_postgresql_that_hangs(
    term: Term,
    settings: Any,
    hang: Callable[[], None],
    elsewhere: BaseDatabaseWrapper,
    somebody_waits: Callable[[], bool],
    wait_until: WaitUntil,
    caplog: pytest.LogCaptureFixture,
    beat_seconds: float,
) -> None:
    settings.RELAY_LEASE_HEARTBEAT_SECONDS = beat_seconds
    with Heartbeat(term):
        hang()
        if beat_seconds == BEAT_SECONDS:
            wait_until(somebody_waits)
        leaving_at = time.monotonic()
    assert time.monotonic() - leaving_at < 4
    assert "PostgreSQL hangs. The lease is not released, it lapses." in caplog.text

    elsewhere.rollback()
    wait_until(lambda: not threads())
    assert row().holder == "", "it is released late: that is better than to let it lapse"


def test_leaving_while_nobody_answers_says_that_the_lease_lapses(
    term: Term, settings: Any, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.RELAY_LEASE_HEARTBEAT_SECONDS = 60
    with monkeypatch.context() as patched, Heartbeat(term):
        patched.setitem(connection.settings_dict, "PORT", free_port())
    assert "writer of partition 0, epoch 1: not released, it lapses" in caplog.text
    assert row().holder == term.holder


def test_the_way_a_server_hangs_here_is_real(hang: Callable[[], None]) -> None:
    """The control: whoever asks for a lease now does wait."""
    hang()
    with connection.cursor() as cursor:
        cursor.execute("SET lock_timeout = '100ms'")
        try:
            with pytest.raises(OperationalError) as caught:
                row()
        finally:
            cursor.execute("RESET lock_timeout")
    assert isinstance(caught.value.__cause__, psycopg2.errors.LockNotAvailable)


# --- until when it is confirmed ----------------------------------------------------------


def test_a_term_is_confirmed_from_when_a_renewal_was_sent(
    term: Term, settings: Any, wait_until: WaitUntil, monkeypatch: pytest.MonkeyPatch
) -> None:
    renew = Term.renew
    sent: list[float] = []

    def slow(self: Term, *args: Any) -> None:
        sent.append(sleepless.seconds())
        renew(self, *args)
        time.sleep(0.2)  # The answer is under way.

    monkeypatch.setattr(Term, "renew", slow)
    settings.RELAY_LEASE_HEARTBEAT_SECONDS = 60.0
    heartbeat = Heartbeat(term)
    assert not heartbeat.confirmed.holds(sleepless.seconds())
    with heartbeat:
        heartbeat.beat_soon()
        wait_until(lambda: heartbeat.confirmed.holds(sent[0]) if sent else False)
        assert not heartbeat.confirmed.holds(sent[0] + settings.RELAY_LEASE_TTL_SECONDS)
    assert not heartbeat.confirmed.holds(sent[0]), "it was given back"


def test_while_nobody_acknowledges_a_renewal_it_is_confirmed_no_longer(
    term: Term, wait_until: WaitUntil, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Heartbeat(term) as heartbeat:

        def holds() -> bool:
            return heartbeat.confirmed.holds(sleepless.seconds())

        wait_until(holds)
        monkeypatch.setattr(Term, "renew", _away)
        wait_until(lambda: not holds(), what="the time to live is over")
        assert heartbeat.unconfirmed_since is not None
        monkeypatch.undo()
        wait_until(holds)


def _away(*args: Any) -> None:
    raise OperationalError
