"""SIGTERM reaches a listener as `stopping()`: it appends what it has heard, and releases its lease."""

import time
from typing import Any

import pytest

from .world import Loop, Wait, full, is_led, lease, on_stream, publish, start, wait_until_heard

pytestmark = pytest.mark.django_db(transaction=True)

SENT = [f"text {number}" for number in range(300)]


def test_what_was_heard_is_appended_before_the_end(
    listening: Loop, relay_keys: Any, wait_until: Wait
) -> None:
    start(relay_keys, "last", wait_until)
    with full(relay_keys):
        publish(relay_keys, "last", SENT)
        wait_until_heard(relay_keys, wait_until)
        listening.ask_to_stop()
        time.sleep(0.5)
        assert listening.is_alive, "ended before Redis took anything"
        assert is_led()
        assert not on_stream(relay_keys)
    assert listening.stop() < 10
    assert on_stream(relay_keys) == SENT
    assert lease().holder == ""
    assert lease().given_up == 0


def test_what_redis_does_not_take_in_time_is_counted(
    listening: Loop, relay_keys: Any, wait_until: Wait
) -> None:
    start(relay_keys, "last", wait_until)
    with full(relay_keys):
        publish(relay_keys, "last", SENT)
        wait_until_heard(relay_keys, wait_until)
        assert listening.stop() < 10
    assert not on_stream(relay_keys)
    assert lease().holder == ""
    assert lease().given_up == len(SENT)


def test_the_channels_are_let_go(listening: Loop, relay_keys: Any, wait_until: Wait) -> None:
    start(relay_keys, "gone", wait_until)
    listening.stop()
    wait_until(lambda: relay_keys.pubsub_numsub("gone")[0][1] == 0)
    assert not is_led()
