"""One sender for each shard, and never two of different divisions."""

import threading
from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection

from leases_app import sharding
from leases_app.leasing import Contender, Term
from leases_app.models import Lease
from leases_app.sharding import PROCESSORS, SENDERS
from relaycore.errors import LeaseLost, UnfitServer

pytestmark = pytest.mark.django_db(transaction=True)

SENDER = Lease.Role.SENDER


@pytest.fixture
def divide(settings: Any) -> Callable[[int], None]:
    """Be a process with this setting."""

    def into(shards: int) -> None:
        settings.RELAY_SENDER_SHARDS = shards

    into(2)
    return into


def claimed(shard: int) -> Term:
    term = SENDERS.claim(shard)
    assert term is not None
    return term


def live() -> list[Lease]:
    return list(Lease.objects.live().filter(role=SENDER))


def let_lapse(term: Term) -> None:
    Lease.objects.filter(partition=term.partition).update(heartbeat_at="2026-01-01T00:00:00Z")


def test_a_shard_has_one_sender(divide: Any) -> None:
    term = claimed(1)

    assert SENDERS.claim(1) is None
    assert str(term) == "sender of shard 1, epoch 1"
    assert [str(lease) for lease in live()] == ["sender of shard 1"]
    claimed(0)
    term.release()
    assert claimed(1).epoch == 2
    assert SENDERS.misfit(live()) is None


def test_a_shard_beyond_those_that_there_are_is_none(divide: Any) -> None:
    assert [shard for shard in range(4) if SENDERS.has(shard)] == [0, 1]


def test_who_divides_otherwise_is_refused_while_a_sender_lives(divide: Any) -> None:
    old = claimed(0)
    divide(3)

    with pytest.raises(UnfitServer, match=r"RELAY_SENDER_SHARDS is 3, but senders run that divide .* into 2"):
        SENDERS.claim(1)
    assert SENDERS.misfit(live()) is not None
    assert not Lease.objects.filter(partition=1).exists(), "it was claimed for a moment"

    old.release()
    claimed(1)


def test_a_frozen_sender_of_another_division_does_not_wake_beside_the_new_one(divide: Any) -> None:
    frozen = claimed(0)
    let_lapse(frozen)
    divide(3)
    claimed(1)

    with pytest.raises(LeaseLost):
        frozen.renew(0)
    assert [lease.partition for lease in live()] == [1]


def test_a_frozen_sender_that_wakes_first_keeps_the_new_one_out(
    divide: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    frozen = claimed(0)
    let_lapse(frozen)
    divide(3)
    before = Contender.claim

    def claim(contender: Contender, *args: Any, **kwargs: Any) -> Term | None:
        term = before(contender, *args, **kwargs)
        frozen.renew(0)
        return term

    monkeypatch.setattr(Contender, "claim", claim)

    with pytest.raises(UnfitServer):
        SENDERS.claim(1)
    assert [lease.partition for lease in live()] == [0]


def test_of_two_divisions_that_begin_at_once_never_both_send(
    settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each has looked before the other one has claimed."""
    looked, division = threading.Barrier(2), threading.local()
    before = Contender.claim

    def claim(contender: Contender, *args: Any, **kwargs: Any) -> Term | None:
        looked.wait(10)
        return before(contender, *args, **kwargs)

    class Divided:
        RELAY_LEASE_TTL_SECONDS = settings.RELAY_LEASE_TTL_SECONDS

        @property
        def RELAY_SENDER_SHARDS(self) -> int:
            return int(division.shards)

    monkeypatch.setattr(Contender, "claim", claim)
    monkeypatch.setattr(sharding, "settings", Divided())
    begun: list[int] = []

    def begin(shards: int) -> None:
        division.shards = shards
        try:
            SENDERS.claim(shards)  # Another shard in each, so that they do not meet at the lease.
            begun.append(shards)
        except UnfitServer:
            pass
        finally:
            connection.close()

    for _ in range(5):
        Lease.objects.all().delete()
        begun.clear()
        threads = [threading.Thread(target=begin, args=(shards,)) for shards in (1, 2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(20)
        assert len(begun) <= 1
        assert len(live()) == len(begun)


def test_processors_are_divided_by_a_setting_of_their_own(divide: Any, settings: Any) -> None:
    claimed(0)
    settings.RELAY_PROCESSOR_SHARDS = 4

    term = PROCESSORS.claim(0, above=6)

    assert str(term) == "processor of shard 0, epoch 7"
    assert [one.misfit(Lease.objects.live()) for one in sharding.DIVISIONS] == [None, None]
    settings.RELAY_PROCESSOR_SHARDS = 5
    with pytest.raises(UnfitServer, match=r"RELAY_PROCESSOR_SHARDS is 5, .* divide the rules into 4"):
        PROCESSORS.claim(1)
