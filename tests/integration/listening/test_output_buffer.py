"""A listener that reads too slowly is warned of before Redis cuts it off."""

import logging
import re
import time
from collections.abc import Iterator
from itertools import count
from typing import Any

import pytest

from channels_app.listening import output_buffer
from channels_app.listening.outlet import Outlet
from channels_app.listening.output_buffer import EVERY_SECONDS, OutputBuffer
from channels_app.listening.subscription import Subscription
from relaybase.redis import wire
from relaycore.capturing.subscribing import Command

from .world import Loop, Wait, on_stream, publish, start

MIB = 1 << 20
PIECE = b"x" * (8 << 10)
"""Small enough for Redis to copy it for each subscriber: what it shares among them does not count."""
LIMIT = "client-output-buffer-limit"


@pytest.fixture
def limit(relay_keys: Any) -> Iterator[None]:
    """Redis cuts off a subscriber that is 32 MiB behind."""
    before = relay_keys.config_get(LIMIT)[LIMIT]
    relay_keys.config_set(LIMIT, f"pubsub {32 * MIB} 0 0")
    yield
    relay_keys.config_set(LIMIT, before)


@pytest.fixture
def outlet() -> Iterator[Outlet]:
    """A command connection."""
    outlet = Outlet("relay-appender-test")
    yield outlet
    outlet.close()


@pytest.fixture
def subscription(wait_until: Wait) -> Iterator[Subscription]:
    """A data connection that reads only when the test says so."""
    subscription = Subscription("relay-listener-test")
    wait_until(lambda: subscription.connect(time.monotonic()) or subscription.wire)
    subscription.obey(Command(subscribes=True, channels=(b"slow",)))
    wait_until(lambda: subscription.receive() and subscription.client_id, what="subscribed")
    yield subscription
    subscription.close()


class _Clock:
    """Asks again and again, each time as long after the last one as it has to be."""

    def __init__(
        self, watch: OutputBuffer, outlet: Outlet, subscription: Subscription, wait_until: Wait
    ) -> None:
        self._watch, self._outlet, self._subscription = watch, outlet, subscription
        self._wait_until = wait_until
        self._now = time.monotonic()
        wait_until(self._exchange)

    def ask(self) -> None:
        answered: list[object] = []
        self._now += EVERY_SECONDS
        self._watch.turn(self._now, self._subscription.client_id)
        self._outlet.call(("PING",), answered.append)
        self._wait_until(lambda: self._exchange() and answered, what="an answer")

    def _exchange(self) -> bool:
        self._outlet.turn(self._now, 10)
        return self._outlet.is_open


def _warnings(caplog: pytest.LogCaptureFixture) -> int:
    return sum("reads too slowly" in record.message for record in caplog.records)


def _waiting(redis: Any, subscription: Subscription) -> int:
    [client] = [row for row in redis.client_list() if int(row["id"]) == subscription.client_id]
    return int(client["omem"])


def _publish_until_there_waits(size: int, redis: Any, subscription: Subscription) -> None:
    for _ in range(100):
        if _waiting(redis, subscription) >= size:
            return
        publish(redis, "slow", [PIECE] * (MIB // len(PIECE)))
    raise AssertionError("it does not wait")


def test_one_warning_for_each_stretch_in_which_a_frozen_reader_is_half_way_to_the_limit(
    limit: None,
    relay_keys: Any,
    outlet: Outlet,
    subscription: Subscription,
    wait_until: Wait,
    caplog: pytest.LogCaptureFixture,
) -> None:
    clock = _Clock(OutputBuffer(outlet, 0), outlet, subscription, wait_until)
    for stretch in (1, 2):
        clock.ask()
        assert _warnings(caplog) == stretch - 1, "nothing waits"
        _publish_until_there_waits(6 * MIB, relay_keys, subscription)
        clock.ask()
        assert _warnings(caplog) == stretch - 1, "less than half of the limit waits"
        _publish_until_there_waits(18 * MIB, relay_keys, subscription)
        clock.ask()
        clock.ask()
        assert _warnings(caplog) == stretch
        wait_until(lambda: not subscription.receive() and not _waiting(relay_keys, subscription))
        assert subscription.wire is not None, "Redis has cut it off"
    said = [float(size) for size in re.findall(r"([0-9.]+) MiB wait in Redis", caplog.text)]
    assert len(said) == 2
    assert all(18 <= size < 32 for size in said)


def test_without_a_limit_there_is_nothing_to_warn_of(
    limit: None,
    relay_keys: Any,
    outlet: Outlet,
    subscription: Subscription,
    wait_until: Wait,
    caplog: pytest.LogCaptureFixture,
) -> None:
    relay_keys.config_set(LIMIT, "pubsub 0 0 0")
    clock = _Clock(OutputBuffer(outlet, 0), outlet, subscription, wait_until)
    _publish_until_there_waits(18 * MIB, relay_keys, subscription)
    clock.ask()

    assert not _warnings(caplog)


def test_each_connection_has_a_number_of_its_own(subscription: Subscription, wait_until: Wait) -> None:
    first = subscription.client_id
    subscription.drop("for the test")
    wait_until(lambda: subscription.connect(time.monotonic()) or subscription.wire)
    assert subscription.client_id is None
    wait_until(lambda: subscription.receive() or subscription.client_id)

    assert subscription.client_id != first


@pytest.fixture
def slow_reader(monkeypatch: pytest.MonkeyPatch) -> None:
    """Listeners read a little at a time, and look often at what waits. Ask for it before them."""
    monkeypatch.setattr(wire, "READ_BYTES", 1 << 10)
    monkeypatch.setattr(output_buffer, "EVERY_SECONDS", 0.05)


@pytest.mark.django_db(transaction=True)
def test_a_listener_that_reads_too_slowly_says_so_and_loses_nothing(
    slow_reader: None,
    limit: None,
    listening: Loop,
    relay_keys: Any,
    wait_until: Wait,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    start(relay_keys, "slow", wait_until, deduplicate="every")
    numbers, sent = count(), 26 * MIB // len(PIECE)
    with caplog.at_level(logging.WARNING):
        for _ in range(26):
            publish(relay_keys, "slow", [b"%d " % next(numbers) + PIECE for _ in range(MIB // len(PIECE))])
        wait_until(lambda: _warnings(caplog), what="a warning")
    monkeypatch.setattr(wire, "READ_BYTES", 1 << 17)
    wait_until(lambda: len(on_stream(relay_keys)) == sent, seconds=30, what="everything on the stream")

    assert _warnings(caplog) == 1
    assert "not heard for a moment" not in caplog.text
