"""How many messages were stored lately: each counted once, by whoever acknowledges it."""

import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from messages_app.writing.stream import Stream
from relaybase import keys, rates
from relaybase.connections import shared_redis

from .world import Wait, World, running

pytestmark = pytest.mark.django_db(databases=["default", "messages"])


def _store(world: World, wait_until: Wait) -> None:
    world.append(*[f"text {n}" for n in range(30)])
    world.append("text 3", "text 30", source="2.2")
    world.append("another", channel="invoices")
    with running():
        wait_until(world.is_settled)


def _shift(world: World, width: int, back: int) -> None:
    """Make what was counted in slots of `width` seconds `back` slots older."""
    prefix = f"{keys.rates(0)}:{width}:"
    found = sorted(world.redis.scan_iter(prefix + "*"))
    assert found
    for key in found:
        slot = int(key.decode().removeprefix(prefix))
        world.redis.rename(key, f"{prefix}{slot - back}")


def test_what_was_stored_counts_in_each_window_and_duplicates_do_not(world: World, wait_until: Wait) -> None:
    _store(world, wait_until)

    recent = rates.of_channels({0: ["orders", "invoices", "silent"]})

    assert recent["orders"].minute.messages == recent["orders"].hour.messages == 31
    assert recent["orders"].day.messages == 31
    assert recent["invoices"].minute.messages == 1
    assert recent["silent"].day.messages == 0


def test_windows_are_at_most_one_slot_longer_than_they_say(world: World) -> None:
    found = rates.of_channels({0: ["orders"]})["orders"]

    assert 60 <= found.minute.seconds < 70.1
    assert 3600 <= found.hour.seconds < 4200.1
    assert 86_400 <= found.day.seconds < 90_000.1
    assert rates.Rate(140, 70.0).per_second == 2.0


@pytest.mark.parametrize(("width", "window"), [(10, "minute"), (600, "hour"), (3600, "day")])
def test_what_is_older_than_a_window_is_not_in_it(
    world: World, wait_until: Wait, width: int, window: str
) -> None:
    _store(world, wait_until)
    slots = rates.WINDOWS[window][1] // width

    _shift(world, width, slots - 1)  # One less than the window has: still in it for sure.
    assert getattr(rates.of_channels({0: ["orders"]})["orders"], window).messages == 31
    _shift(world, width, 2)
    assert getattr(rates.of_channels({0: ["orders"]})["orders"], window).messages == 0


@pytest.mark.parametrize(("width", "slots"), [(5, 120), (60, 1440)])
def test_all_channels_together_make_a_series(world: World, wait_until: Wait, width: int, slots: int) -> None:
    before = time.time()
    _store(world, wait_until)

    first, counts = rates.series([0], width, slots)

    assert len(counts) == slots
    assert sum(counts) == 32
    assert all(before - width <= first + at * width <= time.time() for at, n in enumerate(counts) if n)


def test_an_entry_that_somebody_else_acknowledged_is_not_counted_again(world: World) -> None:
    id = world.append("one")
    world.deliver(1)
    stream = Stream(shared_redis(), 0)
    stored = [(id, {b"orders": 1})]

    assert [stream.acknowledge(stored), stream.acknowledge(stored)] == [1, 0]
    stream.add_up()
    stream.add_up()

    assert rates.of_channels({0: ["orders"]})["orders"].day.messages == 1
    assert sum(rates.series([0], 5, 12)[1]) == 1


def test_every_key_expires_but_not_before_its_last_reader(world: World, wait_until: Wait) -> None:
    _store(world, wait_until)

    left = {key.decode(): world.redis.ttl(key) for key in world.redis.scan_iter(keys.rates(0) + ":*")}

    assert len(left) >= 5
    for window, (width, length) in rates.WINDOWS.items():
        lives = [ttl for key, ttl in left.items() if key.startswith(f"{keys.rates(0)}:{width}:")]
        assert lives, window
        assert all(length + width <= ttl + 5 <= 2 * length for ttl in lives)
    assert all(ttl > 0 for ttl in left.values())


def test_thousands_of_channels_in_one_acknowledgement_are_counted(world: World) -> None:
    names = [f"channel {n}" for n in range(5000)]
    id = world.append("same", channel="orders")
    world.deliver(1)
    stream = Stream(shared_redis(), 0)

    stream.acknowledge([(id, {name.encode(): n % 3 for n, name in enumerate(names)})])
    stream.add_up()

    found = rates.of_channels({0: names})
    assert [found[name].minute.messages for name in names] == [n % 3 for n in range(5000)]
    assert {int(at) for at in world.redis.hvals(keys.last_at(0))} == {int(id.partition("-")[0])}
    assert world.counts() == {name: n % 3 for n, name in enumerate(names) if n % 3}


def test_the_newest_message_of_a_channel_came_with_its_last_entry(world: World) -> None:
    stream = Stream(shared_redis(), 0)
    for id, counts in {"5-0": {b"one": 1, b"two": 2}, "9-7": {b"two": 0}}.items():
        world.redis.xadd(keys.stream(0), {"any": "thing"}, id)
        world.deliver(1)
        stream.acknowledge([(id, counts)])
    stream.add_up()

    assert world.redis.hgetall(keys.last_at(0)) == {b"one": b"5", b"two": b"9"}
    assert world.counts() == {"one": 1, "two": 2}


def test_any_name_of_a_channel_is_counted(world: World) -> None:
    names = ['"', "\\", "\x00\n", "größe", "\U0001f600", "{}", "1"]
    id = world.append("same")
    world.deliver(1)
    stream = Stream(shared_redis(), 0)

    stream.acknowledge([(id, {name.encode(): n for n, name in enumerate(names, 1)})])
    stream.add_up()

    assert world.counts() == {name: n for n, name in enumerate(names, 1)}


def test_what_a_killed_writer_has_not_added_up_the_next_one_does(world: World, wait_until: Wait) -> None:
    with running():
        wait_until(world.counts_are_whole)
    id = world.append("one")
    world.deliver(1)
    Stream(shared_redis(), 0).acknowledge([(id, {b"orders": 7})])
    assert world.counts() == {}

    with running():
        wait_until(lambda: world.counts() == {"orders": 7})
        assert world.redis.llen(keys.tallies(0)) == 0


def test_two_that_add_up_at_once_count_nothing_twice(world: World) -> None:
    ids = [world.append(f"text {n}") for n in range(3000)]
    world.deliver(len(ids))
    streams = [Stream(shared_redis(), 0) for _ in range(3)]
    streams[0].acknowledge([(id, {b"orders": 1}) for id in ids])

    with ThreadPoolExecutor(len(streams)) as pool:
        for done in [pool.submit(stream.add_up) for stream in streams]:
            done.result()

    assert world.counts() == {"orders": len(ids)}
