"""The counts of stored messages: exact, and exact again after Redis has lost them."""

import random
import threading
from typing import Any

import pytest

from messages_app.writing import counting
from messages_app.writing.writer import Writer
from relaybase import keys

from .world import Failpoint, Wait, World, document, fields_of, position, running, term

pytestmark = pytest.mark.django_db(databases=["default", "messages"])


def _lose_counts(world: World) -> None:
    assert world.redis.delete(keys.stored(0)) == 1


def test_counts_that_were_lost_are_counted_anew(
    world: World, wait_until: Wait, caplog: pytest.LogCaptureFixture
) -> None:
    def warned() -> list[str]:
        return [line.getMessage() for line in caplog.records if line.levelname == "WARNING"]

    chance = random.Random(1)
    for n in range(300):
        world.append(f"text {n}", channel=f"channel {chance.randrange(20)}")
    with running():
        wait_until(world.is_settled)
    assert warned() == [], "nothing was stored yet when it began to count"
    _lose_counts(world)

    with running():
        wait_until(world.counts_are_whole)
        wait_until(warned)

    assert warned() == ["partition 0: counted 300 messages anew"]
    world.assert_each_stored_once()


def test_an_entry_of_a_channel_without_a_name_costs_the_others_no_counts(
    world: World, wait_until: Wait
) -> None:
    world.append("before")
    with running():
        wait_until(world.is_settled)
        wait_until(world.counts_are_whole)
        world.append_raw(fields_of([document("strange", channel="")]))
        world.append("after")
        wait_until(lambda: world.counts() == {"orders": 2})

    assert world.counts_are_whole()
    world.assert_each_stored_once()
    assert "cannot be read" in world.quarantine.find_one()["reason"]


def test_what_is_no_count_costs_the_others_no_counts(world: World, wait_until: Wait) -> None:
    with running():
        wait_until(world.counts_are_whole)
        world.redis.hset(keys.stored(0), "strange", "many")
        world.append("one", channel="strange")
        world.append("two")
        wait_until(lambda: world.redis.hget(keys.stored(0), "orders") == b"1")

    assert world.redis.hget(keys.stored(0), "strange") == b"1"
    world.assert_each_stored_once()


def test_counts_that_were_lost_are_exact_though_entries_are_pending(world: World, wait_until: Wait) -> None:
    world.append_each([f"settled {n}" for n in range(10)])
    with running():
        wait_until(world.is_settled)
    ids = world.append_each([f"stored, not acknowledged {n}" for n in range(5)])
    world.append_each([f"delivered, not stored {n}" for n in range(5)])
    world.append_each([f"not even delivered {n}" for n in range(5)])
    stored = {f"stored, not acknowledged {n}": position(id) for n, id in enumerate(ids)}
    _store_by_hand(world, stored)
    world.deliver(10)
    _lose_counts(world)

    with running():
        wait_until(world.is_settled)
        wait_until(world.counts_are_whole)

    world.assert_each_stored_once()


def _store_by_hand(world: World, positions: dict[str, str]) -> None:
    """As a writer leaves it that dies between insert and acknowledgement."""
    from .world import object_id

    world.messages.insert_many(
        {"_id": object_id(text), "channel": "orders", "message": text, "position": at}
        for text, at in positions.items()
    )


def test_what_is_stored_while_counting_is_counted_once(
    world: World, wait_until: Wait, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.append_each([f"before {n}" for n in range(20)])
    with running():
        wait_until(world.is_settled)
    _lose_counts(world)
    counted, go_on = threading.Event(), threading.Event()
    real = counting.count_stored

    def slowly(*args: Any) -> dict[bytes, int]:
        wait_until(go_on.is_set)
        counted.set()
        return real(*args)

    monkeypatch.setattr(counting, "count_stored", slowly)
    monkeypatch.setattr(counting, "_PATIENCE_SECONDS", 0.0)
    with running():
        world.append_each([f"meanwhile {n}" for n in range(20)])
        world.append("before 3")
        wait_until(world.is_settled)
        wait_until(lambda: world.counts() == {"orders": 20})
        assert not world.counts_are_whole()
        go_on.set()
        wait_until(world.counts_are_whole)

    assert counted.is_set()
    world.assert_each_stored_once()


def test_counts_lost_again_while_counting_are_counted_again(
    world: World, wait_until: Wait, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.append_each([f"text {n}" for n in range(20)])
    with running():
        wait_until(world.is_settled)
    _lose_counts(world)
    real = counting.count_stored
    times = []

    def losing(*args: Any) -> dict[bytes, int]:
        times.append(1)
        if len(times) == 1:
            _lose_counts(world)
        return real(*args)

    monkeypatch.setattr(counting, "count_stored", losing)
    with running():
        wait_until(lambda: times)
        assert not world.counts_are_whole()
    with running():
        wait_until(world.counts_are_whole)

    world.assert_each_stored_once()


def test_a_count_that_fails_is_begun_again(world: World, wait_until: Wait) -> None:
    world.append_each([f"text {n}" for n in range(20)])
    with running():
        wait_until(world.is_settled)
    _lose_counts(world)

    with Failpoint(times=2, failCommands=["aggregate"], errorCode=11600) as failpoint, running():
        wait_until(world.counts_are_whole)
        assert failpoint.entered == 2

    world.assert_each_stored_once()


def test_a_writer_stops_while_it_counts(
    world: World, wait_until: Wait, monkeypatch: pytest.MonkeyPatch
) -> None:
    never = threading.Event()
    monkeypatch.setattr(counting, "count_stored", lambda *_: never.wait(30) and {})
    with running() as run:
        wait_until(lambda: world.redis.hget(keys.stored(0), ""))
        assert run.stop() < 3
    never.set()


def test_each_partition_counts_its_own_channels(world: World, wait_until: Wait, settings: Any) -> None:
    settings.RELAY_PARTITIONS = 2
    world.append_each([f"text {n}" for n in range(5)], channel="a")
    world.append_each([f"text {n}" for n in range(7)], channel="b")
    with running():
        wait_until(world.is_settled)
    _lose_counts(world)

    with running():
        wait_until(world.counts_are_whole)
    other = Writer(term(1), lambda: world.redis.hget(keys.stored(1), "") == b"whole")
    other.run()

    found = [
        {name: int(n) for name, n in world.redis.hgetall(keys.stored(partition)).items() if name}
        for partition in (0, 1)
    ]
    assert found[0] | found[1] == {b"a": 5, b"b": 7}
    assert not found[0].keys() & found[1].keys()


def test_counting_looks_at_the_index_alone(world: World) -> None:
    explained = world.messages.database.command(
        "explain",
        {
            "aggregate": world.messages.name,
            "pipeline": counting.stored_below("1"),
            "hint": "channel_position",
            "cursor": {},
        },
    )
    assert "'IXSCAN'" in str(explained)
    assert "'COLLSCAN'" not in str(explained)
    assert "'FETCH'" not in str(explained)
