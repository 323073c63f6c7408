"""What one writer left behind, the next one brings to an end."""

import os
import random
import signal
import threading
from typing import Any

import pytest

from messages_app.writing import stream as stream_module
from messages_app.writing import writer as writer_module
from messages_app.writing.stream import Stream
from messages_app.writing.writer import Writer
from relaybase import keys

from .world import Failpoint, Running, Wait, World, running, term

pytestmark = pytest.mark.django_db(databases=["default", "messages"])


def test_what_a_dead_writer_left_pending_is_stored_by_the_next(world: World, wait_until: Wait) -> None:
    world.append_each([f"text {n}" for n in range(30)])
    world.deliver(20)

    with running():
        wait_until(world.is_settled)

    world.assert_each_stored_once()
    assert world.stored() == [f"text {n}" for n in range(30)]


def test_entries_of_a_foreign_consumer_are_claimed_once_they_are_idle(
    world: World, wait_until: Wait, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer_module, "_FOREIGN_IDLE_SECONDS", 2.0)
    monkeypatch.setattr(stream_module, "_PAGE", 2)
    world.append_each([f"foreign {n}" for n in range(5)])
    world.deliver(5, consumer="somebody else")
    world.append("own")

    with running():
        wait_until(lambda: world.stored() == ["own"])  # Somebody may still be at work on the others.
        assert world.pending() == 5
        wait_until(world.is_settled)

    world.assert_each_stored_once()


def test_claiming_does_not_count_as_a_delivery(world: World) -> None:
    world.append_each(["a", "b", "c"])
    world.deliver(3, consumer="somebody else")
    stream = Stream(world.redis, 0)

    assert stream.claim_foreign(60.0) == 0
    assert stream.claim_foreign(0.0) == 3

    entry = stream.read_pending()
    assert entry is not None
    assert entry.deliveries == 2


def test_entries_that_were_deleted_while_pending_are_given_up(world: World, wait_until: Wait) -> None:
    ids = world.append_each([f"text {n}" for n in range(1500)])
    world.deliver(1500)
    world.redis.xdel(world.stream, *ids[:-1])

    with running():
        wait_until(world.is_settled, seconds=20)

    assert world.stored() == ["text 1499"]


def test_a_destroyed_group_is_made_again_from_the_beginning(world: World, wait_until: Wait) -> None:
    world.append_each([f"before {n}" for n in range(10)])
    with running():
        wait_until(world.is_settled)
        for n in range(3):
            assert world.redis.xgroup_destroy(world.stream, keys.GROUP)
            world.append(f"after {n}", "before 3")
            wait_until(world.is_settled)

    world.assert_each_stored_once()


def test_a_group_destroyed_during_an_insert_loses_no_count(world: World, wait_until: Wait) -> None:
    world.append_each([f"text {n}" for n in range(10)])

    with running():
        wait_until(world.is_settled)
        with Failpoint(times=1, blockConnection=True, blockTimeMS=400) as failpoint:
            world.append_each([f"in flight {n}" for n in range(10)])
            wait_until(lambda: failpoint.entered)
            assert world.redis.xgroup_destroy(world.stream, keys.GROUP)
        wait_until(world.is_settled)

    world.assert_each_stored_once()


def test_a_deleted_stream_is_begun_again(world: World, wait_until: Wait) -> None:
    with running():
        world.append("before")
        wait_until(world.is_settled)
        world.redis.delete(world.stream)
        world.append("after")
        wait_until(world.is_settled)

    world.assert_each_stored_once()


def test_a_redis_that_lost_everything_is_begun_again(world: World, wait_until: Wait) -> None:
    world.append_each([f"text {n}" for n in range(10)])
    with running():
        wait_until(world.is_settled)
        world.redis.flushall()
        world.append("text 3", "after")
        wait_until(world.is_settled)
        wait_until(world.counts_are_whole)

    world.assert_each_stored_once()


@pytest.mark.parametrize("seed", range(3))
def test_cut_connections_to_redis_lose_and_double_nothing(world: World, wait_until: Wait, seed: int) -> None:
    chance = random.Random(seed)
    with running() as run:
        for n in range(40):
            world.append(f"{seed} text {n}", f"{seed} text {n // 2}")
            if n % 5 == 0:
                wait_until(lambda: chance.random() < 0.3)
                wait_until(lambda: world.redis.client_kill_filter(_type="normal", skipme=True))
        wait_until(world.is_settled, seconds=20)
        assert run.is_alive

    world.assert_each_stored_once()


def test_a_stalled_redis_is_waited_for(world: World, wait_until: Wait) -> None:
    with running():
        world.append("before")
        wait_until(world.is_settled)
        pid = world.redis.info("server")["process_id"]
        os.kill(pid, signal.SIGSTOP)
        timer = threading.Timer(1.0, os.kill, (pid, signal.SIGCONT))
        timer.start()
        try:
            world.append("during")  # Answered only after the stall.
        finally:
            os.kill(pid, signal.SIGCONT)
            timer.join()
        wait_until(world.is_settled)

    world.assert_each_stored_once()


class _Paused:
    """A writer that is put to sleep just before it acknowledges, as a stopped process would be."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.is_asleep = threading.Event()
        self.wake = threading.Event()
        real = Stream.acknowledge

        def acknowledge(stream: Stream, *args: Any) -> int:
            if stream is self.run.writer._stream and not self.wake.is_set():
                self.is_asleep.set()
                assert self.wake.wait(30)
            return real(stream, *args)

        monkeypatch.setattr(Stream, "acknowledge", acknowledge)
        self.run = Running()


@pytest.mark.parametrize("acknowledged_by_the_next", [0, 4, 10])
def test_a_writer_that_slept_through_its_term_counts_nothing_twice(
    world: World,
    wait_until: Wait,
    monkeypatch: pytest.MonkeyPatch,
    acknowledged_by_the_next: int,
) -> None:
    world.append_each([f"text {n}" for n in range(10)])
    sleeper = _Paused(monkeypatch)
    wait_until(sleeper.is_asleep.is_set)
    assert len(world.stored()) == 10
    assert world.pending() == 10

    following = Writer(term(), lambda: world.pending() <= 10 - acknowledged_by_the_next)
    following.run()
    assert world.pending() == 10 - acknowledged_by_the_next
    sleeper.wake.set()
    sleeper.run.stop()
    with running():
        wait_until(world.is_settled)

    world.assert_each_stored_once()
