"""The ways to Redis break one at a time: what was heard waits, and deafness is noticed."""

import contextlib
import time
from collections.abc import Iterator
from typing import Any

import pytest

from relaybase import keys
from tests.proxy import Proxy

from .world import COMMANDS, DATA, Loop, Wait, is_active, on_stream_once, publish, start, wait_until_heard

pytestmark = pytest.mark.django_db(transaction=True)


@contextlib.contextmanager
def answers_nothing(proxy: Proxy) -> Iterator[None]:
    """Nothing passes for a while; then everything does, late."""
    with proxy.hole(COMMANDS):
        yield


@contextlib.contextmanager
def answers_are_lost(proxy: Proxy) -> Iterator[None]:
    """What was sent is executed, but the connection ends before anybody hears of it."""
    with proxy.hole(COMMANDS, up=False):
        yield
        assert proxy.reset_all(COMMANDS) >= 1


@contextlib.contextmanager
def commands_are_lost(proxy: Proxy) -> Iterator[None]:
    """What was sent is not executed, and the connection ends."""
    with proxy.hole(COMMANDS, down=False):
        yield
        assert proxy.reset_all(COMMANDS) >= 1


@contextlib.contextmanager
def nobody_is_there(proxy: Proxy) -> Iterator[None]:
    """Every new attempt to connect is refused, too."""
    with proxy.hole(COMMANDS), proxy.refusing() as refusal:
        yield
        assert proxy.reset_all(COMMANDS) >= 1
        while refusal.refused < 3:
            time.sleep(0.01)


@pytest.mark.parametrize("fault", [answers_nothing, answers_are_lost, commands_are_lost, nobody_is_there])
def test_what_is_heard_while_redis_takes_nothing_waits_and_keeps_its_order(
    fault: Any, redis_proxy: Proxy, listening: Loop, relay_keys: Any, wait_until: Wait
) -> None:
    start(relay_keys, "hung", wait_until, deduplicate="every")
    sent = [f"text {number}" for number in range(300)]
    with fault(redis_proxy):
        publish(relay_keys, "hung", sent[:100])
        wait_until_heard(relay_keys, wait_until)
        publish(relay_keys, "hung", sent[100:200])
        wait_until_heard(relay_keys, wait_until)
        assert len(on_stream_once(relay_keys)) <= 100, "more than one append is under way"
    publish(relay_keys, "hung", sent[200:])
    wait_until(lambda: len(on_stream_once(relay_keys)) >= 300)
    assert on_stream_once(relay_keys) == sent


def test_seconds_without_an_answer_lose_nothing_and_are_not_called_active(
    redis_proxy: Proxy, listening: Loop, relay_keys: Any, wait_until: Wait
) -> None:
    start(relay_keys, "silent", wait_until, deduplicate="every")
    sent: list[str] = []

    def publish_one_more() -> None:
        sent.append(f"text {len(sent)}")
        publish(relay_keys, "silent", sent[-1:])

    def has_noticed() -> bool:
        publish_one_more()
        return not is_active("silent")

    with redis_proxy.hole(COMMANDS):
        # Without its ticks a listener cannot prove that it hears, so it does not say so.
        wait_until(has_noticed, seconds=5, what="INACTIVE")
        assert not on_stream_once(relay_keys)
    publish_one_more()
    wait_until(lambda: sent[-1] in on_stream_once(relay_keys))
    assert on_stream_once(relay_keys) == sent


def test_after_seconds_without_an_answer_it_is_active_again(
    redis_proxy: Proxy, listening: Loop, relay_keys: Any, wait_until: Wait
) -> None:
    start(relay_keys, "silent", wait_until)
    with redis_proxy.hole(COMMANDS):
        wait_until(lambda: not is_active("silent"), seconds=5)
    wait_until(lambda: is_active("silent"), seconds=8)
    publish(relay_keys, "silent", ["heard"])
    wait_until(lambda: on_stream_once(relay_keys) == ["heard"])


def test_a_data_connection_that_is_half_open_is_replaced(
    redis_proxy: Proxy,
    listening: Loop,
    relay_keys: Any,
    wait_until: Wait,
    caplog: pytest.LogCaptureFixture,
) -> None:
    start(relay_keys, "half", wait_until)
    with redis_proxy.hole(DATA, existing_only=True):
        assert relay_keys.publish("half", "into the hole") == 1
        wait_until(lambda: redis_proxy.open_links(DATA) == 2, seconds=3, what="a second connection")
        wait_until(lambda: relay_keys.pubsub_numsub("half")[0][1] == 2, what="subscribed anew")
        publish(relay_keys, "half", ["heard again"])
        wait_until(lambda: "heard again" in on_stream_once(relay_keys))
        assert redis_proxy.open_links(DATA) == 2, "the first connection was not half open"
    assert "not heard for a moment" in caplog.text


def test_a_listener_that_stays_deaf_says_so(
    redis_proxy: Proxy, listening: Loop, relay_keys: Any, wait_until: Wait
) -> None:
    start(relay_keys, "deaf", wait_until)
    with redis_proxy.hole(DATA, up=False):
        wait_until(lambda: not is_active("deaf"), seconds=5, what="INACTIVE")
        assert relay_keys.xlen(keys.stream(0)) == 0
    wait_until(lambda: is_active("deaf"), seconds=10, what="ACTIVE again")
    publish(relay_keys, "deaf", ["heard again"])
    wait_until(lambda: "heard again" in on_stream_once(relay_keys))
