"""PostgreSQL is restored from a backup, running or stopped: what was on record since then is not known."""

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from channels_app.listening.listener import listen
from channels_app.listening.recording import unheard
from channels_app.models import Channel, Gap
from channels_app.ranges import is_known, missed
from leases_app.models import Lease
from relaybase import keys
from tests.backups import Backup

from .world import Loop, Wait, is_active, is_led, lease, on_stream, publish, start

pytestmark = pytest.mark.django_db(transaction=True)

RESTORED = Gap.Cause.RESTORED


@pytest.fixture(autouse=True)
def _quick(quick: None) -> None:
    """Heartbeats that need not be waited for."""


@pytest.fixture
def loops(relay_keys: Any) -> Iterator[list[Loop]]:
    """Those that are to be stopped in the end."""
    running: list[Loop] = []
    yield running
    for loop in running:
        loop.stop()


def listening(loops: list[Loop], wait_until: Wait) -> Loop:
    loops.append(Loop(listen))
    wait_until(is_led)
    return loops[-1]


def stop(loops: list[Loop], wait_until: Wait) -> None:
    loops.pop().stop()
    wait_until(lambda: not is_led())


def clock(redis: Any) -> datetime:
    """That of Redis, which ticks and gaps have."""
    seconds, microseconds = redis.time()
    return datetime.fromtimestamp(seconds, UTC) + timedelta(microseconds=microseconds)


def wait_until_known(redis: Any, wait_until: Wait) -> datetime:
    """Until PostgreSQL knows that all is heard up to now; that moment."""
    now = clock(redis)
    wait_until(lambda: (lease().known_until or now) > now, what="known")
    return now


def lose(redis: Any, loops: list[Loop], wait_until: Wait, messages: int) -> datetime:
    """Nobody listens while these are published, and the next leader has it on record; when it was."""
    stop(loops, wait_until)
    for number in range(messages):
        assert redis.publish("orders", number) == 0, "somebody has heard it"
    at = clock(redis)
    listening(loops, wait_until)
    wait_until(lambda: is_active("orders"))
    wait_until_known(redis, wait_until)
    gap = Gap.objects.get(began_at__lt=at, ended_at__gt=at)
    assert gap.missed_at_most is not None
    assert gap.missed_at_most >= messages
    return at


def the_restored_gap(wait_until: Wait) -> Gap:
    wait_until(Gap.objects.filter(cause=RESTORED).exists, what="on record")
    return Gap.objects.get(cause=RESTORED)


def test_restored_while_everything_is_stopped_nothing_is_complete_since_the_backup(
    loops: list[Loop], relay_keys: Any, wait_until: Wait, caplog: pytest.LogCaptureFixture
) -> None:
    listening(loops, wait_until)
    start(relay_keys, "orders", wait_until)
    wait_until_known(relay_keys, wait_until)
    backup = Backup.make()
    lost_at = lose(relay_keys, loops, wait_until, 448)
    ended = wait_until_known(relay_keys, wait_until)
    stop(loops, wait_until)
    assert is_known("orders", None, ended)

    backup.restore()
    assert not Gap.objects.exists(), "it was not restored"
    known = lease().known_until
    assert known is not None
    assert not is_known("orders", lost_at, ended), "Redis knows more than PostgreSQL"
    listening(loops, wait_until)

    gap = the_restored_gap(wait_until)
    assert gap.began_at == known
    assert gap.ended_at is not None
    assert gap.began_at < lost_at < ended < gap.ended_at
    assert (gap.missed_at_most, gap.covered, gap.channel) == (None, False, "")
    assert gap in missed("orders", lost_at, ended)
    assert not missed("orders", None, known), "before the backup nothing was missed"
    assert "PostgreSQL went back" in caplog.text
    wait_until(lambda: is_active("orders"))
    afterwards = clock(relay_keys)
    until = wait_until_known(relay_keys, wait_until)
    assert is_known("orders", afterwards, until)
    assert not missed("orders", afterwards, until)


def test_restored_while_everything_runs_it_is_noticed_and_nothing_is_lost(
    loops: list[Loop], relay_keys: Any, wait_until: Wait, caplog: pytest.LogCaptureFixture
) -> None:
    listening(loops, wait_until)
    start(relay_keys, "orders", wait_until)
    wait_until_known(relay_keys, wait_until)
    publish(relay_keys, "orders", ["before"])
    Channel.objects.create(channel="bills")
    wait_until(lambda: is_active("bills"))
    # Within one term: the lease that comes back has the same holder and the same epoch.
    backup, epoch = Backup.make(), lease().epoch
    wait_until_known(relay_keys, wait_until)
    Channel.objects.filter(channel="bills").delete()
    noted = clock(relay_keys)
    Gap.objects.create(
        partition=0, cause=Gap.Cause.CONNECTION_LOST, began_at=noted, ended_at=noted, missed_at_most=7
    )
    wait_until_known(relay_keys, wait_until)

    publish(relay_keys, "orders", ["meanwhile"])
    backup.restore()
    restored_at = clock(relay_keys)
    publish(relay_keys, "orders", ["afterwards"])

    gap = the_restored_gap(wait_until)
    assert gap.ended_at is not None
    assert gap.began_at < noted < restored_at < gap.ended_at
    assert gap.ended_at - restored_at < timedelta(seconds=2)
    wait_until(lambda: is_active("orders") and is_active("bills"))
    assert lease().epoch == epoch + 1
    wait_until(lambda: len(on_stream(relay_keys)) == 3)
    assert on_stream(relay_keys) == ["before", "meanwhile", "afterwards"]
    assert "Which gaps and channels it had on record" in caplog.text


def test_a_gap_that_is_open_again_is_not_covered_by_who_has_heard_since(
    loops: list[Loop], relay_keys: Any, wait_until: Wait
) -> None:
    listening(loops, wait_until)
    start(relay_keys, "orders", wait_until)
    wait_until_known(relay_keys, wait_until)
    stop(loops, wait_until)
    wait_until(Lease.objects.silent().filter(role=Lease.Role.LISTENER).exists)
    unheard.record()
    opened = Gap.objects.get(ended_at=None)
    backup = Backup.make()
    for number in range(5):
        assert relay_keys.publish("orders", number) == 0
    lost_at = clock(relay_keys)
    listening(loops, wait_until)
    wait_until_known(relay_keys, wait_until)
    assert not Gap.objects.filter(ended_at=None).exists()

    backup.restore()
    wait_until(lambda: not Gap.objects.filter(ended_at=None).exists(), what="closed")
    wait_until_known(relay_keys, wait_until)
    unheard.record()

    gap = the_restored_gap(wait_until)
    assert (gap.pk, gap.began_at, gap.covered) == (opened.pk, opened.began_at, False)
    assert gap.ended_at is not None
    assert gap.ended_at > lost_at


def test_the_next_leaders_do_not_say_it_again(loops: list[Loop], relay_keys: Any, wait_until: Wait) -> None:
    listening(loops, wait_until)
    start(relay_keys, "orders", wait_until)
    wait_until_known(relay_keys, wait_until)
    backup = Backup.make()
    time.sleep(3.0)  # Some thirty heartbeats, so that what is restored is far behind.
    backup.restore()
    the_restored_gap(wait_until)
    for _ in range(2):
        wait_until_known(relay_keys, wait_until)
        stop(loops, wait_until)
        listening(loops, wait_until)
        wait_until(lambda: is_active("orders"))
    wait_until_known(relay_keys, wait_until)
    assert Gap.objects.filter(cause=RESTORED).count() == 1


def test_without_a_number_in_redis_nothing_went_back(
    loops: list[Loop], relay_keys: Any, wait_until: Wait
) -> None:
    """After an upgrade, say, or when Redis begins anew."""
    listening(loops, wait_until)
    start(relay_keys, "orders", wait_until)
    wait_until_known(relay_keys, wait_until)
    stop(loops, wait_until)
    relay_keys.hdel(keys.confirmed_tick(0), "writes", "term")
    Lease.objects.update(writes=0)
    listening(loops, wait_until)
    wait_until(lambda: is_active("orders"))
    wait_until_known(relay_keys, wait_until)
    assert not Gap.objects.filter(cause=RESTORED).exists()


def test_redis_never_knows_of_a_write_that_is_not_committed(
    loops: list[Loop], relay_keys: Any, wait_until: Wait
) -> None:
    listening(loops, wait_until)
    start(relay_keys, "orders", wait_until)
    seen = set()
    until = time.monotonic() + 3.0
    while time.monotonic() < until:
        beside = int(relay_keys.hget(keys.confirmed_tick(0), "writes") or 0)
        assert beside <= lease().writes
        seen.add(beside)
    assert len(seen) > 3, "it does not grow"
