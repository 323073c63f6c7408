"""News are published, and nobody who listens to channels has missed them."""

from typing import Any

import pytest

from channels_app import registration
from channels_app.listening.recording import changeover
from messages_app.writing.announcing import Announcer
from messages_app.writing.stream import Stream
from relaybase import keys
from relaycore.capturing.ticks import Tick, missed_at_most

from .world import Loop, Wait, echoed, on_stream, publish, start

pytestmark = pytest.mark.django_db(transaction=True)

NEWS = 50


def confirmed(redis: Any) -> Tick | None:
    return Tick.confirmed_in(redis.hmget(keys.confirmed_tick(0), "number", "epoch", "at", "calls", "run_id"))


def announce(redis: Any, count: int = NEWS) -> None:
    stream = Stream(redis, 0, Announcer.of(0))
    for _ in range(count):
        stream.say(0, "0-0")


def wait_for_the_next(redis: Any, before: Tick | None, wait_until: Wait) -> Tick:
    """A tick that was published after this moment, once it is confirmed."""
    ticked = int(redis.get(keys.tick_counter(0)))
    wait_until(lambda: (tick := confirmed(redis)) is not None and tick.number > ticked, what="confirmed")
    found = confirmed(redis)
    assert found is not None
    return found


@pytest.fixture
def heard(listening: Loop, relay_keys: Any, wait_until: Wait) -> Tick:
    """A tick up to which everything was heard, and quiet after it."""
    start(relay_keys, "orders", wait_until)
    return wait_for_the_next(relay_keys, None, wait_until)


def test_what_may_have_been_missed_does_not_count_what_followers_were_told(
    heard: Tick, relay_keys: Any, wait_until: Wait
) -> None:
    announce(relay_keys)
    assert relay_keys.hget(keys.appended(0), "told") == b"%d" % NEWS
    assert missed_at_most(heard, wait_for_the_next(relay_keys, heard, wait_until)) == 0
    for number in range(7):
        publish(relay_keys, "orders", [number])
    announce(relay_keys)
    assert missed_at_most(heard, wait_for_the_next(relay_keys, heard, wait_until)) == 7


def test_nor_notices_and_echoes(heard: Tick, relay_keys: Any, wait_until: Wait) -> None:
    """They are published by the same hands, and are no message that somebody may have missed."""
    for _ in range(7):
        echoed(relay_keys, "orders", ["1", "2", "3"])
    assert registration.wake([(0, "orders"), (0, "bills")] * NEWS)
    assert relay_keys.hget(keys.appended(0), "told") == b"%d" % (7 * 4 + 2 * NEWS)
    assert missed_at_most(heard, wait_for_the_next(relay_keys, heard, wait_until)) == 0


def test_nor_does_it_when_the_channels_are_moved(heard: Tick, listening: Loop, relay_keys: Any) -> None:
    listening.stop()
    before = confirmed(relay_keys)
    assert before is not None
    announce(relay_keys)
    relay_keys.publish("orders", "unheard")

    instant = changeover.look(relay_keys, [0])

    missed = missed_at_most(before, instant.ticks[0])
    assert missed is not None
    assert 1 <= missed < NEWS // 2


def test_a_count_of_redis_that_was_set_back_begins_anew(
    heard: Tick, relay_keys: Any, wait_until: Wait
) -> None:
    announce(relay_keys)
    wait_for_the_next(relay_keys, heard, wait_until)
    relay_keys.config_resetstat()
    before = wait_for_the_next(relay_keys, heard, wait_until)
    publish(relay_keys, "orders", range(7))
    announce(relay_keys)

    assert before.calls >= 0
    assert missed_at_most(before, wait_for_the_next(relay_keys, before, wait_until)) == 7


def test_nobody_hears_them_as_messages(heard: Tick, relay_keys: Any, wait_until: Wait) -> None:
    announce(relay_keys)
    publish(relay_keys, "orders", ["last"])
    wait_until(lambda: on_stream(relay_keys) == ["last"])
