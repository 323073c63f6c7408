"""However many want a lease, one has it."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connection
from django.db.models import F

from leases_app.leasing import Contender
from leases_app.models import ClockTimestamp, Lease
from relaycore.errors import LeaseLost

pytestmark = pytest.mark.django_db(transaction=True)

CONTENDERS, LEASES, ROUNDS = 20, 10, 3
ROLE = Lease.Role.LISTENER


def owners(claim: Callable[[str, int], bool]) -> list[int]:
    """How many believe to own each lease, when all contenders reach for all of them at once."""
    Lease.objects.all().delete()
    Lease.objects.bulk_create(Lease(role=ROLE, partition=n) for n in range(LEASES))
    gate = threading.Barrier(CONTENDERS)

    def contend(name: str) -> list[bool]:
        try:
            gate.wait(30)
            return [claim(name, partition) for partition in range(LEASES)]
        finally:
            connection.close()

    with ThreadPoolExecutor(CONTENDERS) as pool:
        won = list(pool.map(contend, (f"contender {n}" for n in range(CONTENDERS))))
    return [sum(each) for each in zip(*won, strict=True)]


def test_of_twenty_contenders_for_a_lease_exactly_one_gets_it() -> None:
    for _ in range(ROUNDS):
        assert owners(lambda name, n: Contender(name=name).claim(ROLE, n) is not None) == [1] * LEASES
        assert set(Lease.objects.values_list("epoch", flat=True)) == {1}


def test_reading_first_and_writing_then_makes_double_owners() -> None:
    def read_then_write(name: str, partition: int) -> bool:
        row = Lease.objects.filter(role=ROLE, partition=partition)
        if row.get().holder:
            return False
        row.update(holder=name, epoch=F("epoch") + 1, heartbeat_at=ClockTimestamp())
        return True

    assert any(max(owners(read_then_write)) > 1 for _ in range(ROUNDS)), "the control does not turn red"


def test_a_lapsed_lease_is_taken_and_its_holder_told(wait_until: Callable[..., None]) -> None:
    first = Contender(name="first").claim(ROLE, 0)
    assert first is not None
    assert Contender(name="second").claim(ROLE, 0) is None, "a held lease was taken"
    Lease.objects.update(heartbeat_at=None)
    second = Contender(name="second").claim(ROLE, 0)
    assert second is not None
    assert second.epoch == first.epoch + 1
    with pytest.raises(LeaseLost):
        first.renew(0)
    assert not first.release(), "a lease of another holder was released"
    second.renew(3)
    assert Lease.objects.get().given_up == 3
    assert second.release()
