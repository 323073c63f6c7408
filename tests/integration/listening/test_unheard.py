"""Nobody listens: that is recorded while it lasts, and whoever leads next closes the gap."""

import time
from datetime import timedelta
from threading import Event, Thread
from typing import Any

import pytest
from django.db import connection, transaction
from django.utils import timezone

from channels_app.listening.listener import listen
from channels_app.listening.recording import unheard
from channels_app.listening.recording.notes import Closed, CoveredUntil, Opened
from channels_app.listening.recording.notes import write as write_note
from channels_app.models import Channel, Gap
from leases_app import deployment
from leases_app.leasing import Condition, Contender, Term
from leases_app.models import Lease
from relaybase import keys
from relayproject.tasks import propose

from .world import Loop, Wait, is_active, is_led, start, wake

pytestmark = pytest.mark.django_db(transaction=True)

LISTENER = Lease.Role.LISTENER


def _listen_for_a_while(redis: Any, wait_until: Wait) -> None:
    """A listener that hears `orders`, and then stops; until everybody takes it for gone."""
    loop = Loop(listen)
    wait_until(is_led)
    wait_until(lambda: redis.pubsub_numsub(deployment.control_channel(0))[0][1], what="subscribed")
    start(redis, "orders", wait_until)
    # Only from there on can the next leader count. The first leader ever confirms with its third tick.
    wait_until(lambda: redis.exists(keys.confirmed_tick(0)), what="confirmed")
    assert loop.stop() < 10
    wait_until(Lease.objects.silent().filter(role=LISTENER).exists)


def _listen_until_the_gap_is_closed(wait_until: Wait) -> None:
    loop = Loop(listen)
    wait_until(lambda: not Gap.objects.filter(ended_at=None).exists(), what="closed")
    loop.stop()


def _silent(seconds: float, *, released: bool = False) -> Term:
    """A lease whose holder heard something, and then renewed or released it so long ago."""
    term = Contender().claim(LISTENER, 0)
    assert term is not None
    if released:
        term.release()
    ago = timezone.now() - timedelta(seconds=seconds)
    Lease.objects.filter(role=LISTENER).update(
        heartbeat_at=ago,
        heard_at=ago - timedelta(seconds=0.3),
        known_until=ago - timedelta(seconds=0.5),
        claimed_at=ago - timedelta(hours=1),
    )
    return term


def _hears(seconds_ago: float = 0.0) -> Condition:
    """A leader hears again, and all is known up to so long ago."""
    return Condition(heard_seconds_ago=0.0, known_until=timezone.now() - timedelta(seconds=seconds_ago))


def _channel(seconds: float = 3600, name: str = "orders") -> Channel:
    """A channel that was started so long ago."""
    row = Channel.objects.create(channel=name)
    Channel.objects.filter(pk=row.pk).update(created_at=timezone.now() - timedelta(seconds=seconds))
    row.refresh_from_db()
    return row


def test_the_next_leader_closes_the_gap_and_says_how_much_was_missed(
    quick: None, relay_keys: Any, wait_until: Wait
) -> None:
    _listen_for_a_while(relay_keys, wait_until)
    unheard.record()
    opened = Gap.objects.get()
    assert (opened.cause, opened.channel, opened.ended_at) == (Gap.Cause.NO_LISTENER, "", None)
    assert opened.missed_at_most is None
    for number in range(7):
        assert relay_keys.publish("orders", number) == 0, "somebody has heard it"

    _listen_until_the_gap_is_closed(wait_until)

    closed = Gap.objects.get()
    assert (closed.pk, closed.cause, closed.covered) == (opened.pk, Gap.Cause.NO_LISTENER, False)
    assert closed.missed_at_most is not None
    assert 7 <= closed.missed_at_most < 20
    assert abs(closed.began_at - opened.began_at) < timedelta(seconds=1)
    assert closed.ended_at is not None
    assert closed.ended_at - closed.began_at > timedelta(seconds=1)


def test_a_leader_that_cannot_know_what_was_missed_ends_the_gap_all_the_same(
    quick: None, relay_keys: Any, wait_until: Wait
) -> None:
    _listen_for_a_while(relay_keys, wait_until)
    unheard.record()
    relay_keys.delete(keys.confirmed_tick(0), keys.tick_counter(0))

    _listen_until_the_gap_is_closed(wait_until)

    gap = Gap.objects.get()
    assert (gap.missed_at_most, gap.covered) == (None, False)


@pytest.mark.parametrize("released", [False, True])
def test_a_partition_that_nobody_leads_has_one_open_gap_from_the_last_proof_on(
    quick: None, monkeypatch: pytest.MonkeyPatch, released: bool
) -> None:
    proposed: list[Any] = []
    monkeypatch.setattr(
        "channels_app.tasks.listen.apply_async", lambda *args, **kwargs: proposed.append(args)
    )
    _channel()
    _silent(1.5, released=released)

    propose()
    propose()

    assert proposed
    gap = Gap.objects.get()
    assert gap.began_at == Lease.objects.get(role=LISTENER).known_until
    assert (gap.partition, gap.cause, gap.ended_at) == (0, Gap.Cause.NO_LISTENER, None)


def test_there_is_no_gap_before_the_first_channel_was_started(quick: None) -> None:
    channel = _channel(60)
    _silent(3600)

    unheard.record()

    assert Gap.objects.get().began_at == channel.created_at


@pytest.mark.parametrize("seconds", [0.0, 0.5])
def test_a_short_silence_is_no_gap(quick: None, seconds: float) -> None:
    _channel()
    _silent(seconds, released=True)

    unheard.record()

    assert not Gap.objects.exists()


def test_without_channels_nothing_is_missed(quick: None) -> None:
    _silent(60)

    unheard.record()

    assert not Gap.objects.exists()


def test_a_leader_that_was_only_silent_has_heard_everything(quick: None) -> None:
    _channel()
    term = _silent(60)
    unheard.record()
    term.renew(0, _hears())

    unheard.record()

    gap = Gap.objects.get()
    assert (gap.covered, gap.missed_at_most) == (True, 0)
    assert gap.ended_at == Lease.objects.get(role=LISTENER).known_until


def test_a_leader_that_hears_again_covers_nothing_before_all_is_known(quick: None) -> None:
    """What it has missed is not on record yet, so it has confirmed nothing since."""
    _channel()
    term = _silent(60)
    unheard.record()
    term.renew(0, Condition(heard_seconds_ago=0.0))
    unheard.record()
    term.renew(0, _hears(seconds_ago=61))
    unheard.record()

    assert Gap.objects.get().ended_at is None


def test_what_a_leader_says_to_have_missed_no_proof_covers(quick: None) -> None:
    """It was frozen while beat looked, and woke up with its connection cut."""
    _channel()
    term = _silent(60)
    unheard.record()
    began = int(Gap.objects.get().began_at.timestamp() * 1000)
    write_note(Opened(began + 300, Gap.Cause.CONNECTION_LOST), term)
    term.renew(0, _hears())

    unheard.record()

    gap = Gap.objects.get()
    assert (gap.cause, gap.ended_at) == (Gap.Cause.CONNECTION_LOST, None)
    assert int(gap.began_at.timestamp() * 1000) == began


def test_a_leader_that_is_alive_again_and_hears_nothing_covers_nothing(quick: None) -> None:
    _channel()
    term = _silent(60)
    unheard.record()
    term.renew(0)

    unheard.record()

    assert Gap.objects.get().ended_at is None


def test_a_leader_of_another_term_must_say_itself_what_was_missed(quick: None) -> None:
    _channel()
    _silent(60)
    unheard.record()
    other = Contender().claim(LISTENER, 0)
    assert other is not None
    other.renew(0, Condition(heard_seconds_ago=0.0))

    unheard.record()

    assert Gap.objects.get().ended_at is None


def test_a_heartbeat_from_the_future_does_not_hide_that_nobody_listens(quick: None) -> None:
    _channel()
    _silent(-3600)
    known = timezone.now() - timedelta(seconds=60)
    Lease.objects.update(known_until=known)

    unheard.record()

    gap = Gap.objects.get()
    assert (gap.began_at, gap.ended_at) == (known, None)


# --- somebody leads, and hears nothing ---------------------------------------------------


def _deaf(seconds: float = 60) -> Term:
    """A term that goes on, and has proved so long ago that it hears."""
    term = _silent(seconds)
    term.renew(0)
    return term


def test_a_leader_that_hears_nothing_opens_one_gap_from_its_last_proof_on(
    quick: None, caplog: pytest.LogCaptureFixture
) -> None:
    _channel()
    term = _deaf()

    unheard.open_for(term, None)
    unheard.open_for(term, None)

    gap = Gap.objects.get()
    assert gap.began_at == Lease.objects.get(role=LISTENER).known_until
    assert (gap.partition, gap.channel, gap.cause, gap.ended_at) == (0, "", Gap.Cause.DEAF, None)
    assert caplog.text.count("its listener has not heard anything since") == 1


def test_what_was_never_heard_is_a_gap_from_its_beginning_on(quick: None) -> None:
    channel = _channel(60)
    term = _deaf()
    Lease.objects.update(known_until=None)

    unheard.open_for(term, None)

    assert Gap.objects.get().began_at == channel.created_at


def test_a_leader_of_the_past_opens_nothing(quick: None) -> None:
    """It was frozen, and another one leads and has said what it has missed."""
    _channel()
    frozen = _silent(60)
    assert Contender().claim(LISTENER, 0)

    unheard.open_for(frozen, None)

    assert not Gap.objects.exists()


def test_without_channels_a_deaf_leader_misses_nothing(quick: None) -> None:
    unheard.open_for(_deaf(), None)

    assert not Gap.objects.exists()


def test_a_deaf_leaders_gap_stays_open_until_all_is_known(quick: None) -> None:
    _channel()
    term = _deaf()
    unheard.open_for(term, None)
    unheard.record()
    assert Gap.objects.get().ended_at is None
    term.renew(0, Condition(heard_seconds_ago=0.0))
    unheard.record()
    assert Gap.objects.get().ended_at is None, "it says itself what it has missed"

    term.renew(0, _hears())
    unheard.record()

    gap = Gap.objects.get()
    assert (gap.covered, gap.missed_at_most, gap.ended_at is None) == (True, 0, False)


def test_a_deaf_leaders_gap_begins_with_what_it_knows_and_the_lease_does_not_yet(quick: None) -> None:
    _channel()
    term = _deaf()
    known = int(timezone.now().timestamp() * 1000) - 2000

    unheard.open_for(term, known)

    assert int(Gap.objects.get().began_at.timestamp() * 1000) == known


def test_a_deaf_leaders_gap_gets_the_bounds_of_what_was_missed(quick: None) -> None:
    _channel()
    term = _deaf()
    unheard.open_for(term, None)
    opened = Gap.objects.get()
    began = int(opened.began_at.timestamp() * 1000) - 40  # By Redis's clock, when it last ticked.

    write_note(Closed(began, began + 60_500, Gap.Cause.CONNECTION_LOST, 12), term)
    write_note(CoveredUntil(began + 60_500), term)

    gap = Gap.objects.get()
    assert (gap.pk, gap.covered, gap.missed_at_most) == (opened.pk, False, 12)
    assert gap.ended_at is not None
    assert gap.ended_at - gap.began_at == timedelta(seconds=60.5)


def test_the_next_leader_closes_what_a_deaf_one_has_opened(
    quick: None, relay_keys: Any, wait_until: Wait
) -> None:
    _listen_for_a_while(relay_keys, wait_until)
    deaf = Contender().claim(LISTENER, 0)
    assert deaf is not None
    unheard.open_for(deaf, None)
    opened = Gap.objects.get()
    for number in range(7):
        assert relay_keys.publish("orders", number) == 0, "somebody has heard it"
    deaf.release()

    _listen_until_the_gap_is_closed(wait_until)

    closed = Gap.objects.get()
    assert (closed.pk, closed.covered) == (opened.pk, False)
    assert closed.missed_at_most is not None
    assert 7 <= closed.missed_at_most < 20
    assert abs(closed.began_at - opened.began_at) < timedelta(seconds=1)


# --- one channel is refused --------------------------------------------------------------


def test_a_refused_channel_is_in_a_gap_of_its_own_until_it_is_heard(
    quick: None, listening: Loop, relay_keys: Any, wait_until: Wait, caplog: pytest.LogCaptureFixture
) -> None:
    start(relay_keys, "orders", wait_until)
    refused = _channel(name="refused")
    row = Lease.objects.get(role=LISTENER)
    term = Term(row.role, 0, row.epoch, row.holder)

    for _ in range(2):
        unheard.refuse(term, {refused.life: "NOPERM \0"}, None)

    gap = Gap.objects.get(channel="refused")
    assert (gap.cause, gap.ended_at, gap.began_at) == (Gap.Cause.REFUSED, None, refused.created_at)
    refused.refresh_from_db()
    assert refused.refusal == "NOPERM ?"
    assert caplog.text.count("channel 'refused': Redis refuses it: NOPERM ?") == 1

    wake(relay_keys, "refused")
    wait_until(lambda: is_active("refused"))
    gap.refresh_from_db()
    assert gap.ended_at is not None
    assert not gap.covered
    refused.refresh_from_db()
    assert refused.refusal == ""


def test_a_refusal_that_is_over_is_taken_back(quick: None) -> None:
    channel, term = _channel(), _deaf()
    unheard.refuse(term, {channel.life: "NOPERM"}, None)
    unheard.refuse(term, {channel.life: ""}, None)

    channel.refresh_from_db()
    assert channel.refusal == ""
    assert Gap.objects.get().ended_at is None, "it is not heard yet"


def test_a_leader_of_the_past_refuses_nothing(quick: None) -> None:
    channel, frozen = _channel(), _silent(60)
    assert Contender().claim(LISTENER, 0)

    unheard.refuse(frozen, {channel.life: "NOPERM"}, None)

    channel.refresh_from_db()
    assert channel.refusal == ""
    assert not Gap.objects.exists()


# --- at the same time, and afterwards ----------------------------------------------------


def test_a_lease_that_is_claimed_at_this_moment_opens_nothing(quick: None, wait_until: Wait) -> None:
    """The claim holds the row; what is looked at meanwhile passes it by."""
    claimed, seen = Event(), Event()

    def claim() -> None:
        with transaction.atomic():
            Contender().claim(LISTENER, 0)
            claimed.set()
            assert seen.wait(10)
        connection.close()

    _channel()
    _silent(60)
    thread = Thread(target=claim)
    thread.start()
    assert claimed.wait(10)
    began = time.monotonic()
    unheard.record()
    assert time.monotonic() - began < 2
    seen.set()
    thread.join()

    assert not Gap.objects.exists()


def test_a_leader_that_was_only_silent_hears_what_it_has_heard_before(
    quick: None, listening: Loop, relay_keys: Any, wait_until: Wait, monkeypatch: pytest.MonkeyPatch
) -> None:
    """PostgreSQL was away from it alone, and beat has looked meanwhile."""
    monkeypatch.setattr("channels_app.tasks.listen.apply_async", lambda *args, **kwargs: None)
    start(relay_keys, "orders", wait_until)
    with transaction.atomic():
        Lease.objects.select_for_update().filter(role=LISTENER).first()  # Its heartbeat waits.
        Lease.objects.filter(role=LISTENER).update(heartbeat_at=timezone.now() - timedelta(seconds=60))
        propose()
        assert not is_active("orders")
    wait_until(lambda: is_active("orders"), seconds=5)


def test_gaps_of_what_is_not_relayed_any_more_end(quick: None) -> None:
    _channel(name="orders")
    began = timezone.now() - timedelta(seconds=60)
    for partition, channel in [(0, "orders"), (0, "gone"), (0, ""), (1, "")]:
        Gap.objects.create(
            partition=partition, channel=channel, cause=Gap.Cause.LATE, began_at=began, covered=False
        )

    unheard.record()

    ended = Gap.objects.exclude(ended_at=None).values_list("partition", "channel")
    assert set(ended) == {(0, "gone"), (1, "")}
    assert not Gap.objects.filter(covered=True).exists()


# --- Redis has forgotten what was confirmed ----------------------------------------------


def _milliseconds(redis: Any) -> int:
    """Redis's clock, ms since 1970."""
    seconds, microseconds = redis.time()
    return int(seconds * 1000 + microseconds // 1000)


def test_what_redis_has_forgotten_while_nobody_listened_is_a_gap(
    quick: None, relay_keys: Any, wait_until: Wait
) -> None:
    """The lease knows up to where all is known, and nobody knows how much was missed since."""
    _listen_for_a_while(relay_keys, wait_until)
    assert not Gap.objects.exists()
    proof = Lease.objects.get(role=LISTENER).known_until
    relay_keys.delete(keys.confirmed_tick(0), keys.tick_counter(0))
    until = _milliseconds(relay_keys)

    loop = Loop(listen)
    wait_until(Gap.objects.exists, what="a gap")
    loop.stop()

    gap = Gap.objects.get()
    assert (gap.began_at, gap.missed_at_most, gap.covered) == (proof, None, False)
    assert gap.ended_at is not None
    assert gap.ended_at.timestamp() * 1000 >= until


def test_the_first_leader_of_all_has_missed_nothing(quick: None, relay_keys: Any, wait_until: Wait) -> None:
    row = Channel.objects.create(channel="orders")
    loop = Loop(listen)
    wait_until(lambda: is_active("orders"))
    loop.stop()

    row.refresh_from_db()
    assert row.first_heard_at is not None
    assert row.first_heard_at > row.created_at
    assert not Gap.objects.exists()


def test_all_is_known_up_to_a_tick_and_not_beyond(quick: None, relay_keys: Any, wait_until: Wait) -> None:
    def known_until() -> float:
        moment = Lease.objects.get(role=LISTENER).known_until
        return 0.0 if moment is None else moment.timestamp() * 1000

    loop = Loop(listen)
    start(relay_keys, "orders", wait_until)
    began = _milliseconds(relay_keys)
    wait_until(lambda: known_until() >= began, what="it goes on")
    assert known_until() <= _milliseconds(relay_keys)

    loop.stop()
    stopped = known_until()
    assert stopped <= _milliseconds(relay_keys)
    time.sleep(0.3)
    assert known_until() == stopped
