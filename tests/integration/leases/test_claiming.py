"""A lease is taken by one conditional UPDATE, by PostgreSQL's clock."""

import datetime
import os
import socket
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection, transaction
from django.db.models import F, Value
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from leases_app.leasing import Condition, Contender, Held, Term
from leases_app.models import Lease
from relaybase.postgres.clock import ClockTimestamp, Seconds
from relaycore.errors import LeaseLost, LeaseWentBack
from tests.conftest import InThread

pytestmark = pytest.mark.django_db(transaction=True)

WRITER, LISTENER, SEAT = Lease.Role.WRITER, Lease.Role.LISTENER, Lease.Role.SEAT
Lapse = Callable[[], None]


def claim(partition: int = 0, role: str = WRITER) -> Term | None:
    return Contender().claim(role, partition)


def claimed(partition: int = 0, role: str = WRITER) -> Term:
    term = claim(partition, role)
    assert term is not None
    return term


def row() -> Lease:
    return Lease.objects.get()


# --- claiming ----------------------------------------------------------------------------


def test_a_lease_that_was_never_held_is_taken() -> None:
    term = Contender("task-1").claim(WRITER, 3)

    assert term is not None
    lease = row()
    assert (term.role, term.partition, term.epoch, term.holder) == (WRITER, 3, 1, lease.holder)
    assert (lease.role, lease.partition, lease.epoch) == (WRITER, 3, 1)
    assert (lease.host, lease.pid, lease.task_id) == (socket.gethostname(), os.getpid(), "task-1")
    assert lease.claimed_at is not None
    assert lease.heartbeat_at is not None
    assert abs(lease.heartbeat_at - lease.claimed_at) < datetime.timedelta(seconds=1)


def test_a_held_lease_is_refused_and_left_as_it_is() -> None:
    claimed()
    before = Lease.objects.values().get()
    assert claim() is None
    assert Lease.objects.values().get() == before


def test_its_holder_is_refused_as_well() -> None:
    contender = Contender()
    assert contender.claim(WRITER, 0)
    assert contender.claim(WRITER, 0) is None


def test_a_released_lease_is_taken_at_once_with_the_next_epoch() -> None:
    claimed().release()
    assert claimed().epoch == 2


def test_a_lapsed_lease_is_taken_with_the_next_epoch(lapse: Lapse) -> None:
    old = claimed()
    lapse()
    new = claimed()
    assert (old.epoch, new.epoch) == (1, 2)
    assert new.holder != old.holder
    assert row().holder == new.holder


def test_the_next_epoch_is_above_all_that_is_known_elsewhere(lapse: Lapse) -> None:
    claimed()
    Lease.objects.update(epoch=7)
    lapse()
    term = Contender().claim(WRITER, 0, above=20)
    assert term is not None
    assert term.epoch == row().epoch == 21
    term.renew(0)
    term.release()
    term = Contender().claim(WRITER, 0, above=20)
    assert term is not None
    assert term.epoch == 22


def test_a_lease_that_went_back_looks_live_and_is_taken_by_who_knows_of_a_later_term() -> None:
    claimed()
    Lease.objects.update(epoch=5)
    assert Contender().claim(WRITER, 0, beyond=4) is None
    term = Contender().claim(WRITER, 0, beyond=20, above=20)
    assert term is not None
    assert term.epoch == 21


def test_a_lease_that_went_back_looks_free_and_is_left_by_who_knows_of_nothing_else(lapse: Lapse) -> None:
    claimed()
    Lease.objects.update(epoch=5)
    lapse()
    assert Contender().claim(WRITER, 0, above=20, least=20) is None
    assert Contender().claim(WRITER, 0, above=5, least=5) is not None


@pytest.mark.parametrize("back", [{"epoch": 3, "holder": "somebody before"}, None], ids=["earlier", "gone"])
def test_a_term_that_its_lease_has_forgotten_is_written_again(back: dict[str, Any] | None) -> None:
    contender = Contender("task-1")
    term = contender.claim(WRITER, 0, above=20)
    assert term is not None
    if back is None:
        Lease.objects.all().delete()
    else:
        Lease.objects.update(**back)
    with pytest.raises(LeaseWentBack):
        term.renew(0)
    assert term.regain()
    term.renew(0)
    assert (row().epoch, row().holder, row().task_id) == (21, contender.name, "task-1")


def test_a_term_is_not_written_over_a_later_one_or_over_another_one_of_its_epoch() -> None:
    term = claimed()
    for epoch in (1, 2):
        Lease.objects.update(epoch=epoch, holder="somebody else")
        with pytest.raises(LeaseLost) as caught:
            term.renew(0)
        assert not isinstance(caught.value, LeaseWentBack)
        assert not term.regain()
        assert row().holder == "somebody else"


def test_a_lease_lapses_after_its_time_to_live_and_not_before(
    settings: Any, wait_until: Callable[..., None]
) -> None:
    settings.RELAY_LEASE_TTL_SECONDS = 0.5
    begin = time.monotonic()
    claimed()
    assert claim() is None
    wait_until(claim, seconds=5)
    assert 0.45 < time.monotonic() - begin < 4


def test_roles_and_partitions_have_leases_of_their_own() -> None:
    terms = [claimed(partition, role) for partition in (0, 1) for role in (WRITER, LISTENER)]
    assert [term.epoch for term in terms] == [1, 1, 1, 1]
    terms[0].release()
    assert claim(0, LISTENER) is None
    assert claim(1, WRITER) is None


def lacking(role: str, *partitions: int) -> set[int]:
    return Held.now().lacking(role, set(partitions))


def test_lacking_are_those_that_were_never_held_released_or_let_lapse(lapse: Lapse) -> None:
    claimed(1)
    lapse()
    claimed(2).release()
    claimed(3)
    claimed(4, LISTENER)
    assert lacking(WRITER, 0, 1, 2, 3, 4) == {0, 1, 2, 4}
    assert lacking(LISTENER, 3, 4) == {3}
    assert lacking(WRITER) == set()


def test_vacancies_are_the_seats_that_nobody_holds(lapse: Lapse) -> None:
    claimed(0, SEAT)
    lapse()
    claimed(1, SEAT)
    claimed(2, SEAT)
    assert Contender().take_seat(2, 2)
    claimed(2, LISTENER)
    held = Held.now()
    assert held.vacancies({0, 1, 2, 3}, 2) == {0: 2, 1: 1, 3: 2}
    assert held.vacancies({0, 1, 2}, 1) == {0: 1}
    assert held.vacancies({2}, 3) == {2: 1}


def test_one_look_answers_for_all_roles() -> None:
    with CaptureQueriesContext(connection) as captured:
        held = Held.now()
        held.lacking(WRITER, {0, 1})
        held.lacking(LISTENER, {0, 1})
        held.vacancies({0, 1}, 2)
    assert len(captured) == 1


def test_every_lease_is_either_live_or_free(lapse: Lapse) -> None:
    claimed(1)
    lapse()
    claimed(2).release()
    claimed(3)
    Lease.objects.create(role=WRITER, partition=4)
    Lease.objects.create(role=WRITER, partition=5, holder="somebody")  # as no code writes it
    Lease.objects.create(role=WRITER, partition=6, heartbeat_at=timezone.now())
    claimed(7)
    clock_was_ahead(by=60)
    live = set(Lease.objects.live().values_list("partition", flat=True))
    free = set(Lease.objects.free().values_list("partition", flat=True))
    assert live == {3}
    assert free == {1, 2, 4, 5, 6, 7}


def clock_was_ahead(by: float, what: str = "heartbeat_at") -> None:
    """Write the newest lease as it would be if PostgreSQL's clock had been ahead so many seconds."""
    newest = Lease.objects.latest("partition")
    Lease.objects.filter(pk=newest.pk).update(**{what: ClockTimestamp() + Seconds(Value(by))})


def test_a_heartbeat_from_the_future_keeps_nobody_out() -> None:
    """PostgreSQL's clock was an hour ahead, and was set right."""
    old = claimed()
    clock_was_ahead(by=3600)
    assert lacking(WRITER, 0) == {0}
    assert Lease.objects.silent().exists()
    new = claimed()
    assert (old.epoch, new.epoch) == (1, 2)


def test_a_clock_that_was_a_little_ahead_takes_no_lease_from_its_holder(settings: Any) -> None:
    claimed()
    clock_was_ahead(by=settings.RELAY_LEASE_TTL_SECONDS - 1)
    assert claim() is None
    assert lacking(WRITER, 0) == set()
    assert not Lease.objects.silent().exists()


# --- renewing and releasing --------------------------------------------------------------


def test_a_renewed_lease_does_not_lapse(lapse: Lapse) -> None:
    term = claimed()
    lapse()
    term.renew(0)  # nobody has taken it meanwhile
    assert claim() is None
    assert row().epoch == term.epoch


def test_renewing_a_lease_that_somebody_else_took_says_that_it_is_lost(lapse: Lapse) -> None:
    old = claimed()
    lapse()
    new = claimed()
    before = Lease.objects.values().get()

    with pytest.raises(LeaseLost, match="writer of partition 0, epoch 1"):
        old.renew(7)
    assert Lease.objects.values().get() == before
    new.renew(0)


def test_a_released_lease_cannot_be_renewed() -> None:
    term = claimed()
    assert term.release()
    with pytest.raises(LeaseLost):
        term.renew(0)
    assert not term.release()


def test_only_the_holder_releases(lapse: Lapse) -> None:
    old = claimed()
    lapse()
    new = claimed()
    assert not old.release()
    assert row().holder == new.holder
    assert new.release()


@pytest.mark.parametrize("other", [{"epoch": 2}, {"holder": "x"}, {"partition": 1}, {"role": LISTENER}])
def test_a_term_is_role_partition_epoch_and_holder(other: dict[str, Any]) -> None:
    term = claimed()
    known = {"role": WRITER, "partition": 0, "epoch": 1, "holder": term.holder}
    stranger = Term(**(known | other))
    with pytest.raises(LeaseLost):
        stranger.renew(0)
    assert not stranger.release()
    assert not Lease.objects.filter(stranger.holds()).exists()


def test_what_a_term_decides_is_written_only_while_it_lasts(lapse: Lapse) -> None:
    old = claimed()
    assert Lease.objects.filter(old.holds()).update(task_id="written") == 1
    lapse()
    assert Lease.objects.filter(old.holds()).exists(), "silent, but nobody else has it"
    new = claimed()
    assert Lease.objects.filter(old.holds()).update(task_id="too late") == 0
    assert Lease.objects.filter(new.holds()).exists()


def test_messages_that_were_given_up_are_added_over_all_terms(lapse: Lapse) -> None:
    first = claimed()
    first.renew(3)
    first.renew(3)  # the same three, said again
    first.renew(5)
    lapse()
    second = claimed()
    assert row().given_up == 5
    second.renew(0)
    assert row().given_up == 5
    second.renew(2)
    assert row().given_up == 7


# --- how the holder is -------------------------------------------------------------------


def heard_ago() -> float | None:
    heard_at = row().heard_at
    return None if heard_at is None else (timezone.now() - heard_at).total_seconds()


def hears() -> bool:
    return Lease.objects.hearing().exists()


def test_a_term_hears_nothing_until_it_has_proved_that_it_does() -> None:
    term = claimed()
    assert not hears()
    term.renew(0)
    assert heard_ago() is None
    assert not hears()
    term.renew(0, Condition(heard_seconds_ago=0.0))
    assert hears()


def test_a_proof_is_as_old_as_the_holder_says() -> None:
    term = claimed()
    term.renew(0, Condition(heard_seconds_ago=2.0))
    assert heard_ago() == pytest.approx(2.0, abs=0.3)
    assert hears()
    time.sleep(0.6)
    assert not hears(), "2.5 s after it was proved"
    term.renew(0, Condition(heard_seconds_ago=2.6))
    assert not hears(), "the lease lives, and nothing is heard"


def test_a_proof_outlives_beats_without_one_and_older_ones() -> None:
    term = claimed()
    term.renew(0, Condition(heard_seconds_ago=1.0))
    proved = row().heard_at
    term.renew(0)
    term.renew(0, Condition(heard_seconds_ago=60.0))
    assert row().heard_at == proved


def test_a_claim_keeps_the_proof_so_that_a_hand_over_shows_nothing() -> None:
    term = claimed()
    term.renew(0, Condition(heard_seconds_ago=0.0, waiting=7, trouble="It cannot."))
    assert term.release()
    assert (row().waiting, row().trouble) == (0, "")
    assert not hears(), "nobody leads"
    claimed()
    assert hears()


def test_a_claim_forgets_what_the_holder_before_could_not_do(lapse: Lapse) -> None:
    claimed().renew(0, Condition(waiting=7, trouble="It cannot."))
    lapse()
    claimed()
    assert (row().waiting, row().trouble) == (0, "")


def test_a_proof_from_the_future_is_none() -> None:
    term = claimed()
    term.renew(0, Condition(heard_seconds_ago=0.0))
    clock_was_ahead(by=1, what="heard_at")
    assert not hears()
    term.renew(0)
    assert row().heard_at is None, "it does not stick"
    clock_was_ahead(by=3600, what="heard_at")
    term.renew(0, Condition(heard_seconds_ago=1.0))
    assert heard_ago() == pytest.approx(1.0, abs=0.3)
    assert hears()


def test_a_proof_without_a_live_lease_is_none(lapse: Lapse) -> None:
    term = claimed()
    term.renew(0, Condition(heard_seconds_ago=0.0))
    lapse()
    assert not hears()


def test_up_to_where_all_is_known_stays_until_something_newer_is_said_also_over_a_claim(
    lapse: Lapse,
) -> None:
    term = claimed()
    known = timezone.now() - datetime.timedelta(hours=3)
    term.renew(0, Condition(known_until=known))
    term.renew(0)
    assert row().known_until == known
    term.renew(0, Condition(known_until=known - datetime.timedelta(seconds=1)))
    assert row().known_until == known - datetime.timedelta(seconds=1), "Redis's clock was set back"
    lapse()
    assert claimed().known_before == known - datetime.timedelta(seconds=1)


def test_a_term_is_held_until_the_transaction_is_over_or_is_over_itself(lapse: Lapse) -> None:
    term = claimed()
    with transaction.atomic():
        assert term.hold()
    lapse()
    claimed()
    with transaction.atomic():
        assert not term.hold()


def test_any_trouble_can_be_written() -> None:
    """A server's answer may have a name in it that PostgreSQL does not take."""
    term = claimed()
    term.renew(0, Condition(waiting=3, trouble="cannot \0 \udcff" + "x" * 10_000))
    assert row().waiting == 3
    assert row().trouble.startswith("cannot ? ?xxx")
    assert len(row().trouble) == 500


# --- the database's clock ----------------------------------------------------------------


@pytest.mark.parametrize("years", [-30, 0, 30])
def test_the_clock_of_the_host_does_not_matter(
    monkeypatch: pytest.MonkeyPatch, lapse: Lapse, years: int
) -> None:
    frozen = time.time() + years * 365 * 86_400
    now = datetime.datetime.fromtimestamp(frozen, datetime.UTC)
    term = claimed()
    monkeypatch.setattr(time, "time", lambda: frozen)
    monkeypatch.setattr(time, "time_ns", lambda: int(frozen * 1e9))
    monkeypatch.setattr(timezone, "now", lambda: now)

    assert claim() is None
    assert lacking(WRITER, 0) == set()
    term.renew(0)
    assert claim() is None
    lapse()
    assert lacking(WRITER, 0) == {0}
    assert claimed().epoch == 2


def test_no_statement_carries_a_time_of_the_host(lapse: Lapse) -> None:
    with CaptureQueriesContext(connection) as captured:
        term = claimed()
        term.renew(0, Condition(heard_seconds_ago=1.0))
        claim()
        lacking(WRITER, 0)
        Lease.objects.hearing().exists()
        term.release()
    updates = [query["sql"] for query in captured if query["sql"].lstrip().startswith("UPDATE")]
    assert len(updates) == 3
    year = str(timezone.now().year)
    for query in captured:
        assert f"{year}-" not in query["sql"]
    assert sum("clock_timestamp()" in sql.lower() for sql in updates) == 3


def test_the_time_is_that_of_the_statement_and_not_of_the_transaction() -> None:
    term = claimed()
    with transaction.atomic():
        term.renew(0)
        first = row().heartbeat_at
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_sleep(0.05)")
        term.renew(0)
        second = row().heartbeat_at
    assert first is not None
    assert second is not None
    assert second - first >= datetime.timedelta(seconds=0.05)


# --- at the same time --------------------------------------------------------------------


def test_a_holder_that_wakes_up_and_renews_first_keeps_its_lease(
    lapse: Lapse, in_thread: InThread, somebody_waits: Callable[[], bool], wait_until: Callable[..., None]
) -> None:
    """The contender's UPDATE has seen the lapsed row and waits for the renewal: then it must look again."""
    term = claimed()
    lapse()
    with transaction.atomic():
        term.renew(0)
        contender = in_thread(
            lambda: Lease.objects.free().filter(epoch=term.epoch).update(epoch=F("epoch") + 1, holder="x")
        )
        wait_until(somebody_waits)
    assert contender.result(10) == 0
    term.renew(0)


@pytest.mark.parametrize("is_committed", [True, False], ids=["before the UPDATE", "while the UPDATE waits"])
def test_a_claim_that_has_seen_a_lapsed_lease_leaves_it_to_a_holder_that_renews_it(
    lapse: Lapse,
    in_thread: InThread,
    somebody_waits: Callable[[], bool],
    wait_until: Callable[..., None],
    is_committed: bool,
) -> None:
    term = claimed()
    lapse()
    has_seen, may_write = threading.Event(), threading.Event()

    def pause(execute: Callable[..., Any], sql: str, *rest: Any) -> Any:
        if sql.startswith("UPDATE"):
            has_seen.set()
            assert may_write.wait(10)
        return execute(sql, *rest)

    def claim_slowly() -> Term | None:
        with connection.execute_wrapper(pause):
            return claim()

    contender = in_thread(claim_slowly)
    assert has_seen.wait(10)
    if is_committed:
        term.renew(0)
        may_write.set()
    else:
        with transaction.atomic():
            term.renew(0)
            may_write.set()
            wait_until(somebody_waits)
    assert contender.result(10) is None
    term.renew(0)


def test_of_two_that_have_seen_the_same_free_lease_the_first_to_write_has_it(
    in_thread: InThread, somebody_waits: Callable[[], bool], wait_until: Callable[..., None]
) -> None:
    claimed().release()
    with transaction.atomic():
        won = Lease.objects.free().update(epoch=F("epoch") + 1, holder="first", heartbeat_at=ClockTimestamp())
        second = in_thread(claim)
        wait_until(somebody_waits)
    assert won == 1
    assert second.result(10) is None
    assert (row().holder, row().epoch) == ("first", 2)


def test_the_first_row_of_a_partition_is_made_once(in_thread: InThread) -> None:
    at_once = threading.Barrier(8)

    def contend() -> Term | None:
        connection.ensure_connection()
        at_once.wait(10)
        return claim()

    won = [contender.result(10) for contender in [in_thread(contend) for _ in range(8)]]
    assert sum(term is not None for term in won) == 1
    assert row().epoch == 1
