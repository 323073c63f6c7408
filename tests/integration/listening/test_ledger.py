"""What a term has to write: in order, under the term, and nothing of it once it is over."""

from collections.abc import Callable
from datetime import datetime
from threading import Event
from typing import Any

import pytest
from django.db import DataError, OperationalError, connection, transaction

from channels_app.listening.recording import notes
from channels_app.listening.recording.ledger import Ledger, RowRefused
from channels_app.listening.recording.losses import GivenUp
from channels_app.listening.recording.notes import Closed, CoveredUntil, Note, Opened
from channels_app.listening.recording.statuses import Began, RowsHeard
from channels_app.models import Channel, Gap
from leases_app.leasing import Condition, Contender, Term
from leases_app.models import Lease
from relaycore.times import from_milliseconds

from .world import Wait

pytestmark = pytest.mark.django_db(transaction=True)

DEAF, ALONE = Gap.Cause.CONNECTION_LOST, Gap.Cause.NO_LISTENER


def at(milliseconds: int) -> datetime:
    return from_milliseconds(milliseconds)


@pytest.fixture
def term() -> Term:
    found = Contender().claim(Lease.Role.LISTENER, 0)
    assert found is not None
    return found


@pytest.fixture
def ledger(term: Term) -> Ledger:
    ledger = Ledger(0)
    ledger.lead(term)
    return ledger


def is_written(ledger: Ledger) -> bool:
    return ledger.is_written


def note(ledger: Ledger, *entries: Any) -> None:
    for entry in entries:
        ledger.expect()
        ledger.add(entry)


def channel(name: str = "orders", **columns: Any) -> int:
    row = Channel.objects.create(channel=name)
    Channel.objects.filter(pk=row.pk).update(**columns)
    row.refresh_from_db()
    return row.life


def heard(name: str = "orders") -> int:
    return channel(name, subscription_status="ACTIVE", active_since=at(500), first_heard_at=at(500))


def succeed(term: Term) -> Term:
    """Somebody else has the lease from here on."""
    found = Contender().claim(Lease.Role.LISTENER, 0, beyond=term.epoch)
    assert found is not None
    return found


# --- under a term ------------------------------------------------------------------------


def test_what_is_noted_before_the_term_is_known_waits_for_it(term: Term) -> None:
    ledger = Ledger(0)
    note(ledger, Closed(1000, 2000, ALONE, 7))
    ledger.write()
    assert (bool(ledger), ledger.is_written, Gap.objects.exists()) == (False, False, False)

    ledger.lead(term)
    assert ledger
    ledger.write()

    assert (bool(ledger), ledger.is_written, Gap.objects.count()) == (False, True, 1)


@pytest.mark.parametrize("stale", [CoveredUntil(5000), Opened(1000, DEAF), Closed(900, 5000, DEAF, 3)])
def test_what_a_term_of_the_past_has_noted_changes_nothing(ledger: Ledger, term: Term, stale: Note) -> None:
    """A gap of the new term is open, and it was frozen or without PostgreSQL until now."""
    note(ledger, stale)
    notes.write(Opened(2000, ALONE), succeed(term))

    ledger.write()

    gap = Gap.objects.get()
    assert (gap.began_at, gap.ended_at, gap.cause) == (at(2000), None, ALONE)
    assert not is_written(ledger), "it may be PostgreSQL that went back"
    ledger.follow()
    assert is_written(ledger), "nothing waits for what nobody will write"


def test_what_a_term_leaves_behind_is_nobodys(ledger: Ledger, term: Term) -> None:
    note(ledger, Opened(1000, DEAF), Began((), None, 2000))
    ledger.follow()
    assert is_written(ledger)
    ledger.lead(succeed(term))
    ledger.write()
    assert not Gap.objects.exists()


def test_a_term_of_the_past_says_of_no_channel_that_it_is_heard(ledger: Ledger, term: Term) -> None:
    row = channel()
    notes.write(Closed(1000, 2000, Gap.Cause.LATE, 3, "orders"), term)
    Gap.objects.update(ended_at=None)
    ledger.add(RowsHeard((row,), 3000))
    succeed(term)

    ledger.write()

    assert Channel.objects.get().subscription_status == "INACTIVE"
    assert Gap.objects.get().ended_at is None


def test_what_was_given_up_is_a_fact_whoever_leads(ledger: Ledger) -> None:
    note(ledger, GivenUp(1000, 2000, 7))
    ledger.follow()
    assert ledger
    ledger.write()
    gap = Gap.objects.get()
    assert (gap.began_at, gap.ended_at, gap.missed_at_most) == (at(1000), at(2000), 7)
    assert is_written(ledger)


def test_a_claim_waits_for_what_is_being_written(
    ledger: Ledger, term: Term, in_thread: Any, wait_until: Wait
) -> None:
    began, go_on = Event(), Event()

    def write() -> None:
        with transaction.atomic():
            assert term.hold()
            began.set()
            assert go_on.wait(10)
            notes.write(Opened(1000, DEAF), term)

    written = in_thread(write)
    assert began.wait(10)
    claimed = in_thread(lambda: succeed(term))
    with pytest.raises(TimeoutError):
        claimed.result(0.3)
    go_on.set()
    written.result(10)
    assert claimed.result(10).epoch == term.epoch + 1


def test_a_process_that_is_frozen_while_it_writes_holds_nobody_up(
    term: Term, in_thread: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("leases_app.leasing._LONGEST_HOLD_MS", 200)
    began, go_on = Event(), Event()

    def freeze() -> None:
        with transaction.atomic():
            assert term.hold()
            began.set()
            assert go_on.wait(10)
            Gap.objects.exists()

    frozen = in_thread(freeze)
    assert began.wait(10)
    assert in_thread(lambda: succeed(term)).result(5).epoch == term.epoch + 1
    go_on.set()
    with pytest.raises(OperationalError):
        frozen.result(10)
    connection.close()


# --- in order ----------------------------------------------------------------------------


def test_a_leader_does_not_cover_the_gap_that_it_has_opened_itself(ledger: Ledger) -> None:
    """PostgreSQL was away when the term began, and came back when its connection was cut."""
    heard()
    note(ledger, CoveredUntil(2000), Began((), 1000, 2000), Opened(3000, DEAF))
    ledger.write()
    gap = Gap.objects.get(channel="")
    assert (gap.began_at, gap.ended_at) == (at(3000), None)


def test_a_term_begins_after_what_it_has_missed_was_noted(ledger: Ledger, term: Term) -> None:
    notes.write(Opened(1000, ALONE), term)
    note(ledger, Closed(1000, 2000, ALONE, 7), Began((heard(),), None, 2000))
    ledger.write()
    gap = Gap.objects.get()
    assert (gap.ended_at, gap.missed_at_most, gap.covered) == (at(2000), 7, False)
    assert ledger.begun == term.epoch


def test_what_waits_is_written_from_where_it_could_not_be(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    real: Callable[..., None] = notes.write
    is_away = True

    def write(note: Note, term: Term) -> None:
        if is_away:
            raise OperationalError
        real(note, term)

    monkeypatch.setattr(notes, "write", write)
    note(ledger, Opened(1000, DEAF), Closed(1000, 2000, DEAF, 7))
    with pytest.raises(OperationalError):
        ledger.write()
    assert not is_written(ledger)
    is_away = False
    ledger.write()
    assert is_written(ledger)
    assert Gap.objects.get().missed_at_most == 7


@pytest.mark.parametrize("error", [OverflowError, DataError])
def test_what_cannot_be_written_is_a_gap_of_unknown_size_and_no_wall(
    ledger: Ledger, term: Term, monkeypatch: pytest.MonkeyPatch, error: type[Exception]
) -> None:
    real: Callable[..., None] = notes.write

    def write(note: Note, term: Term) -> None:
        if isinstance(note, Closed):
            raise error
        real(note, term)

    monkeypatch.setattr(notes, "write", write)
    term.renew(0, Condition(known_until=at(1000)))
    note(ledger, Closed(2000, 3000, DEAF, 7), Opened(10**14, DEAF))

    ledger.write()

    unknown, still_open = Gap.objects.order_by("began_at")
    assert (unknown.began_at, unknown.missed_at_most, unknown.covered) == (at(1000), None, False)
    assert unknown.ended_at is not None
    assert still_open.ended_at is None
    assert is_written(ledger)


# --- what is heard -----------------------------------------------------------------------


@pytest.mark.parametrize("since", [1000, None], ids=["without a hole", "with a hole"])
@pytest.mark.parametrize("status", ["ACTIVE", "INACTIVE"])
def test_what_was_heard_and_is_not_when_a_term_begins_is_in_a_gap_of_its_own(
    ledger: Ledger, status: str, since: int | None
) -> None:
    """Also if somebody else has said meanwhile that it is INACTIVE."""
    heard()
    Channel.objects.update(subscription_status=status)
    rows = (heard("bills"),)
    note(ledger, Began(rows, since, 2000))
    ledger.add(RowsHeard(rows, 2000))

    ledger.write()

    row, gap = Channel.objects.get(channel="orders"), Gap.objects.get()
    assert (row.subscription_status, row.first_heard_at) == ("INACTIVE", at(500))
    assert (gap.channel, gap.cause, gap.ended_at) == ("orders", Gap.Cause.LATE, None)
    assert gap.began_at == at(since or 500)
    assert Channel.objects.get(channel="bills").subscription_status == "ACTIVE"


def test_with_a_hole_that_gap_begins_with_the_last_proof(ledger: Ledger, term: Term) -> None:
    term.renew(0, Condition(known_until=at(700)))
    heard()
    ledger.lead(succeed(term))
    note(ledger, Began((), None, 2000))
    ledger.write()
    assert Gap.objects.get(channel="orders").began_at == at(700)


def test_a_channel_that_never_was_heard_is_in_no_gap(ledger: Ledger) -> None:
    channel()
    note(ledger, Began((), None, 2000))
    ledger.write()
    assert not Gap.objects.exists()


def test_a_channel_is_heard_from_a_tick_on_and_its_gap_ends_there(ledger: Ledger) -> None:
    row = heard()
    note(ledger, Began((), 1000, 2000))
    for moment in (3000, 4000):
        ledger.add(RowsHeard((row,), moment))
    ledger.write()
    gap, row_now = Gap.objects.get(), Channel.objects.get()
    assert (gap.began_at, gap.ended_at, gap.covered) == (at(1000), at(3000), False)
    assert (row_now.subscription_status, row_now.first_heard_at) == ("ACTIVE", at(500))


def test_when_a_channel_was_heard_first_is_said_once(ledger: Ledger, term: Term) -> None:
    row = channel()
    ledger.add(RowsHeard((row,), 3000))
    note(ledger, RowRefused(row, "NOPERM", 4000))
    ledger.add(RowsHeard((row,), 5000))
    ledger.write()
    assert Channel.objects.get().first_heard_at == at(3000)
    gap = Gap.objects.get()
    assert (gap.began_at, gap.ended_at, gap.cause) == (at(4000), at(5000), Gap.Cause.REFUSED)


def test_what_is_refused_is_inactive_and_in_a_gap(ledger: Ledger) -> None:
    row = heard()
    note(ledger, RowRefused(row, "NOPERM", 4000))
    assert not is_written(ledger), "nothing is confirmed beyond it before"
    ledger.write()
    assert is_written(ledger)
    assert Channel.objects.get().subscription_status == "INACTIVE"
    assert Gap.objects.get().ended_at is None


def test_what_is_refused_again_and_again_waits_once(term: Term, monkeypatch: pytest.MonkeyPatch) -> None:
    """PostgreSQL is away for hours, and Redis is asked every few seconds."""
    refused: list[Any] = []

    def refuse(*said: Any) -> bool:
        refused.append(said)
        return True

    monkeypatch.setattr("channels_app.listening.recording.unheard.refuse", refuse)
    ledger = Ledger(0)
    row = heard()
    for _ in range(3):
        note(ledger, RowRefused(row, "NOPERM", 4000))
    ledger.lead(term)
    ledger.write()
    assert is_written(ledger)
    assert len(refused) == 1
    note(ledger, RowRefused(row, "NOPERM", 4000))
    assert not is_written(ledger)
    ledger.write()
    assert is_written(ledger)
    assert len(refused) == 2


def test_what_is_refused_again_after_it_was_heard_is_said_again(term: Term) -> None:
    ledger = Ledger(0)
    row = heard()
    note(ledger, RowRefused(row, "NOPERM", 4000))
    ledger.add(RowsHeard((row,), 5000))
    note(ledger, RowRefused(row, "NOPERM", 6000))
    ledger.lead(term)
    ledger.write()
    assert Channel.objects.get().subscription_status == "INACTIVE"
    assert Gap.objects.get(ended_at=None).began_at == at(6000)


def test_what_is_refused_at_once_is_written_at_once(
    ledger: Ledger, caplog: pytest.LogCaptureFixture, django_assert_max_num_queries: Any
) -> None:
    rows = [heard(f"orders/{number}") for number in range(100)]
    note(ledger, *(RowRefused(row, "NOPERM", 4000) for row in rows))
    assert not is_written(ledger)

    with django_assert_max_num_queries(12):
        ledger.write()

    assert is_written(ledger)
    assert Channel.objects.filter(subscription_status="INACTIVE", refusal="NOPERM").count() == 100
    assert Gap.objects.filter(cause=Gap.Cause.REFUSED, began_at=at(4000), ended_at=None).count() == 100
    said = "Redis refuses 100 channels, 'orders/0', 'orders/1', 'orders/10' and others: NOPERM"
    assert [record.getMessage() for record in caplog.records] == [f"partition 0: {said}"]


def test_of_what_is_refused_at_once_the_last_reason_is_written(ledger: Ledger) -> None:
    row = heard()
    note(ledger, *(RowRefused(row, why, 4000) for why in ("NOPERM", "NOAUTH", "NOAUTH")))
    ledger.write()
    assert is_written(ledger)
    assert Channel.objects.get().refusal == "NOAUTH"


def test_what_was_refused_for_a_moment_has_a_gap_although_it_is_heard_before_that_is_written(
    ledger: Ledger,
) -> None:
    rows = (heard(), heard("bills"))
    note(ledger, *(RowRefused(row, "NOPERM", 4000) for row in rows))
    ledger.add(RowsHeard(rows, 5000))
    ledger.write()
    assert is_written(ledger)
    assert Channel.objects.filter(subscription_status="ACTIVE", refusal="").count() == 2
    assert {(gap.began_at, gap.ended_at) for gap in Gap.objects.all()} == {(at(4000), at(5000))}


def test_a_new_leader_says_why_it_does_not_hear_what_the_one_before_has_heard(ledger: Ledger) -> None:
    row = heard()
    note(ledger, Began((), 1000, 2000), RowRefused(row, "NOPERM", 2000))
    ledger.write()
    gap = Gap.objects.get()
    assert (gap.began_at, gap.cause) == (at(1000), Gap.Cause.REFUSED)
