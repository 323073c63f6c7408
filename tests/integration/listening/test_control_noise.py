"""However much is published on the control channel, gaps and new channels do not wait for it."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from channels_app import registration
from channels_app.listening.listener import listen
from channels_app.models import Channel, Gap
from leases_app import deployment
from relaybase.connections import redis_client
from relaycore.capturing import notices

from .world import Loop, Wait, is_active, is_led, lease, on_stream, publish, start

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def pair(listening: Loop, relay_keys: Any, wait_until: Wait) -> Iterator[None]:
    """A leader and a standby."""
    standby = Loop(listen)
    wait_until(lambda: relay_keys.pubsub_numsub(deployment.tick_channel(0))[0][1] == 2, what="a standby")
    yield
    standby.stop()


def genuine(names: int = 1) -> list[bytes]:
    """Notices that somebody may have recorded, to publish them again."""
    return [notices.look(f"orders/{n}", deployment.seal_key(0)) for n in range(names)]


def unsealed() -> list[bytes]:
    return [b"orders", b"", b"look orders " + b"0" * 40, b"x" * 1000]


def flood(redis: Any, payloads: list[bytes], times: int) -> None:
    channel = deployment.control_channel(0)
    for begin in range(0, times, 1000):
        with redis.pipeline(transaction=False) as pipe:
            for number in range(begin, min(begin + 1000, times)):
                pipe.publish(channel, payloads[number % len(payloads)])
            assert all(pipe.execute())


@contextmanager
def steady(payloads: list[bytes], rate: int) -> Iterator[None]:
    """So many a second meanwhile."""
    over, sent = threading.Event(), 0
    channel = deployment.control_channel(0)

    def run() -> None:
        nonlocal sent
        with redis_client() as redis:
            while not over.wait(0.01):
                with redis.pipeline(transaction=False) as pipe:
                    for _ in range(rate // 100):
                        pipe.publish(channel, payloads[sent % len(payloads)])
                        sent += 1
                    pipe.execute()

    thread = threading.Thread(target=run)
    began = time.monotonic()
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join(10)
        assert sent > 0.3 * rate * (time.monotonic() - began), "the noise was not loud"


@pytest.mark.parametrize("names", [1, 3000])
def test_a_gap_is_recorded_at_once_after_forty_thousand_genuine_notices(
    names: int, pair: None, relay_keys: Any, wait_until: Wait
) -> None:
    start(relay_keys, "orders", wait_until)
    flood(relay_keys, genuine(names), 40_000)
    listeners = [c for c in relay_keys.client_list(_type="pubsub") if c["name"].startswith("relay-listener")]
    for listener in listeners:
        relay_keys.client_kill_filter(_id=listener["id"])
    assert len(listeners) == 2
    wait_until(Gap.objects.exists, seconds=5, what="a gap")


@pytest.mark.parametrize("names", [1, 3000])
def test_a_new_channel_is_active_at_once_after_twenty_thousand_genuine_notices(
    names: int, listening: Loop, relay_keys: Any, wait_until: Wait
) -> None:
    start(relay_keys, "orders", wait_until)
    flood(relay_keys, genuine(names), 20_000)
    registration.start("bills")
    wait_until(lambda: is_active("bills"), seconds=2, what="ACTIVE")


@pytest.mark.parametrize("payloads", [genuine, unsealed])
def test_steady_noise_changes_nothing(
    payloads: Any, pair: None, relay_keys: Any, wait_until: Wait, settings: Any
) -> None:
    start(relay_keys, "orders", wait_until)
    epoch = lease().epoch
    with steady(payloads(), 2_000):
        time.sleep(2)
        registration.start("bills")
        wait_until(lambda: is_active("bills"), seconds=2, what="ACTIVE")
        Channel.objects.create(channel="without a word")
        wait_until(lambda: is_active("without a word"), seconds=settings.RELAY_LISTENER_REFRESH_SECONDS + 2)
        publish(relay_keys, "orders", [f"text {number}" for number in range(100)])
        wait_until(lambda: len(on_stream(relay_keys)) == 100, seconds=3)
    assert is_led()
    assert lease().epoch == epoch
    assert not Gap.objects.exists()


def test_unsealed_names_are_not_looked_up(
    listening: Loop, relay_keys: Any, wait_until: Wait, settings: Any
) -> None:
    """Control: the same name in a genuine notice is."""
    start(relay_keys, "orders", wait_until)
    Channel.objects.create(channel="bills")
    for payload in (b"bills", b"look bills", notices.look("bills", deployment.seal_key(1))):
        publish(relay_keys, deployment.control_channel(0), [payload])
    time.sleep(0.5)
    assert not is_active("bills")
    publish(relay_keys, deployment.control_channel(0), [notices.look("bills", deployment.seal_key(0))])
    wait_until(lambda: is_active("bills"), seconds=1.5)
