"""The lease goes back while everything runs: a copy of PostgreSQL that lagged takes over, say."""

from typing import Any

import pytest

from channels_app.listening.listener import listen
from channels_app.models import Gap
from leases_app.models import Lease
from messages_app.writing.kept import COLLECTION, highest_epoch
from messages_app.writing.writer import write
from relaybase import keys
from relaybase.connections import mongo_collection

from .world import Loop, Wait, is_active, lease, on_stream, publish, start

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.mark.parametrize("terms", [15, 21])
@pytest.mark.parametrize("holder", ["the same", "somebody before"])
def test_its_leader_leads_on_in_a_term_above_all_that_was(
    quick: None, relay_keys: Any, wait_until: Wait, terms: int, holder: str
) -> None:
    Lease.objects.create(role=Lease.Role.LISTENER, partition=0, epoch=30)
    loop = Loop(listen)
    try:
        start(relay_keys, "orders", wait_until)
        assert lease().epoch == 31
        Gap.objects.all().delete()  # Who led in those thirty terms, nobody knows.
        publish(relay_keys, "orders", ["before"])
        back = {} if holder == "the same" else {"holder": holder}
        Lease.objects.filter(role=Lease.Role.LISTENER).update(epoch=31 - terms, **back)

        publish(relay_keys, "orders", ["meanwhile"])
        wait_until(lambda: lease().epoch == 32, seconds=2, what="claimed above")
        publish(relay_keys, "orders", ["afterwards"])
        wait_until(lambda: len(on_stream(relay_keys)) == 3)
        wait_until(lambda: is_active("orders"))
        wait_until(lambda: relay_keys.hget(keys.confirmed_tick(0), "epoch") == b"32", what="confirmed")
    finally:
        loop.stop()
    assert on_stream(relay_keys) == ["before", "meanwhile", "afterwards"]
    assert not Gap.objects.filter(covered=False).exists()


def test_a_new_leader_claims_above_what_ticked_last(quick: None, relay_keys: Any, wait_until: Wait) -> None:
    relay_keys.hset(keys.confirmed_tick(0), "term", 40)
    loop = Loop(listen)
    try:
        # Not at once: somebody may lead whom the lease has forgotten, until Redis counts no more ticks.
        wait_until(lambda: relay_keys.hget(keys.confirmed_tick(0), "term") == b"41", seconds=4)
        assert lease().epoch == 41
    finally:
        loop.stop()


def test_a_tick_of_an_earlier_term_confirms_nothing(
    quick: None, listening: Loop, relay_keys: Any, wait_until: Wait
) -> None:
    start(relay_keys, "orders", wait_until)
    confirmed = keys.confirmed_tick(0)
    # As if another one led unheard: what is confirmed below its epoch stays what it was.
    relay_keys.hset(confirmed, "term", 50)
    wait_until(lambda: lease().epoch == 51, what="claimed above")
    wait_until(lambda: relay_keys.hget(confirmed, "epoch") == b"51", what="confirmed in that term")


def test_seats_and_the_writer_are_written_again(
    quick: None, listening: Loop, writing: Loop, relay_keys: Any, wait_until: Wait
) -> None:
    start(relay_keys, "orders", wait_until)
    others = Lease.objects.exclude(role=Lease.Role.LISTENER)
    before = {row.role: row.holder for row in others}
    assert set(before) == {"seat", "writer"}
    others.delete()
    wait_until(lambda: {row.role: row.holder for row in others.all()} == before, seconds=2)
    assert is_active("orders")


@pytest.mark.parametrize("who_knows", ["MongoDB", "Redis"])
def test_a_writer_claims_above_who_has_written_last(
    who_knows: str, relay_keys: Any, archive: Any, wait_until: Wait
) -> None:
    if who_knows == "MongoDB":
        partitions = mongo_collection(COLLECTION)
        partitions.update_one({"_id": 0}, {"$set": {"epoch": 40}}, upsert=True)
    else:
        relay_keys.hset(keys.appended(0), "epoch", 40)
    loop = Loop(write)
    try:
        wait_until(lambda: highest_epoch(0) == 41)
        assert lease(Lease.Role.WRITER).epoch == 41
    finally:
        loop.stop()
