"""Twenty want the same fifty leases, again and again: each has one owner, always."""

import threading
from collections import Counter
from collections.abc import Callable

import pytest
from django.db.models import Sum

from leases_app.leasing import Contender
from leases_app.models import Lease
from relaybase.postgres.clock import ClockTimestamp
from tests.conftest import InThread

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.fault(14)]

CONTENDERS, LEASES = 20, 50
WRITER = Lease.Role.WRITER

Claim = Callable[[int], bool]
Owners = Counter[tuple[int, int]]
"""How many owners each (round, partition) had."""


def contend(claim: Claim, rounds: int, in_thread: InThread) -> Owners:
    """All contenders claim all leases in the same order; before each round all leases are free."""
    Lease.objects.bulk_create(Lease(role=WRITER, partition=partition) for partition in range(LEASES))
    begin = threading.Barrier(CONTENDERS, lambda: Lease.objects.update(holder="", heartbeat_at=None))

    def play() -> Owners:
        won: Owners = Counter()
        for number in range(rounds):
            begin.wait(30)
            won.update((number, partition) for partition in range(LEASES) if claim(partition))
        return won

    players = [in_thread(play) for _ in range(CONTENDERS)]
    return sum((player.result(120) for player in players), Counter())


def by_one_update(partition: int) -> bool:
    return Contender().claim(WRITER, partition) is not None


def by_read_then_write(partition: int) -> bool:
    """What a lease must not be: look whether it is free, and then take it."""
    free = Lease.objects.free().filter(role=WRITER, partition=partition).first()
    if free is None:
        return False
    Lease.objects.filter(pk=free.pk).update(
        epoch=free.epoch + 1, holder=Contender().name, heartbeat_at=ClockTimestamp()
    )
    return True


@pytest.mark.parametrize("rounds", [4, pytest.param(20, marks=pytest.mark.long)])
def test_each_lease_has_exactly_one_owner_in_each_round(in_thread: InThread, rounds: int) -> None:
    owners = contend(by_one_update, rounds, in_thread)

    assert set(owners.values()) == {1}
    assert owners.total() == len(owners) == LEASES * rounds
    assert Lease.objects.aggregate(epochs=Sum("epoch"))["epochs"] == owners.total()


def test_control_reading_first_and_writing_then_makes_double_owners(in_thread: InThread) -> None:
    """The same players do find out when a lease is taken in two steps."""
    owners = contend(by_read_then_write, 1, in_thread)

    assert max(owners.values()) > 1
    assert Lease.objects.aggregate(epochs=Sum("epoch"))["epochs"] < owners.total()
