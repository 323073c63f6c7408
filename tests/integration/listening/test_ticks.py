"""How often a leader ticks: as often as somebody needs it."""

import time
from typing import Any

import pytest

from channels_app.listening.listener import listen
from leases_app import deployment
from leases_app.models import Lease
from relaybase import keys
from tests.proxy import Proxy

from .world import DATA, Loop, Wait, lease, publish, start

pytestmark = pytest.mark.django_db(transaction=True)

SECONDS = 3.0


def _ticks(redis: Any) -> int:
    return int(redis.get(keys.tick_counter(0)) or 0)


def _ticks_within(redis: Any, seconds: float) -> int:
    before = _ticks(redis)
    time.sleep(seconds)
    return _ticks(redis) - before


def _confirmed(redis: Any) -> int:
    return int(redis.hget(keys.confirmed_tick(0), "number") or 0)


def test_an_idle_leader_alone_ticks_twice_a_second(
    listening: Loop, relay_keys: Any, wait_until: Wait
) -> None:
    start(relay_keys, "orders", wait_until)
    time.sleep(0.5)
    assert 3 <= _ticks_within(relay_keys, SECONDS) <= 2 * SECONDS + 2


def test_with_a_standby_it_ticks_ten_times_a_second(
    listening: Loop, relay_keys: Any, wait_until: Wait
) -> None:
    standby = Loop(listen)
    try:
        channel = deployment.tick_channel(0)
        wait_until(lambda: relay_keys.pubsub_numsub(channel)[0][1] == 2, what="a standby")
        time.sleep(0.5)
        assert _ticks_within(relay_keys, SECONDS) > 0.7 * SECONDS * 10
    finally:
        standby.stop()


def test_its_lease_says_whether_a_standby_has_proved_that_it_would_take_over(
    listening: Loop, relay_keys: Any, wait_until: Wait
) -> None:
    start(relay_keys, "orders", wait_until)
    wait_until(lambda: lease().is_protected is False, what="alone")

    standby = Loop(listen)
    try:
        wait_until(lambda: lease().is_protected is True, what="protected")
        seat = Lease.objects.get(role=Lease.Role.SEAT, slot=1)
        assert seat.is_protected is None, "who does not lead says nothing"
    finally:
        standby.stop()
    wait_until(lambda: lease().is_protected is False, what="alone again")


def test_what_it_hears_is_confirmed_as_soon_as_ever(
    listening: Loop, relay_keys: Any, wait_until: Wait
) -> None:
    start(relay_keys, "orders", wait_until)
    times = []
    for number in range(5):
        time.sleep(0.7)  # It rests.
        publish(relay_keys, "orders", [f"text {number}"])
        published, began = _ticks(relay_keys), time.monotonic()
        wait_until(lambda at=published: _confirmed(relay_keys) > at, what="confirmed")
        times.append(time.monotonic() - began)
    # The tick that comes after it, and the one that confirms that; to rest between them takes a second.
    assert sorted(times)[2] < 0.8


def test_messages_on_their_way_keep_it_awake(listening: Loop, relay_keys: Any, wait_until: Wait) -> None:
    start(relay_keys, "orders", wait_until)
    before, until = _ticks(relay_keys), time.monotonic() + SECONDS
    while time.monotonic() < until:
        publish(relay_keys, "orders", ["text"])
        time.sleep(0.02)
    assert _ticks(relay_keys) - before > 0.7 * SECONDS * 10


def test_deafness_is_noticed_though_it_rests(
    redis_proxy: Proxy,
    listening: Loop,
    relay_keys: Any,
    wait_until: Wait,
    caplog: pytest.LogCaptureFixture,
) -> None:
    start(relay_keys, "orders", wait_until)
    time.sleep(0.7)
    began = time.monotonic()
    with redis_proxy.hole(DATA, existing_only=True):
        wait_until(lambda: "not heard for a moment" in caplog.text, what="deafness noticed")
    # At most 0.5 s until the next tick, and 0.7 s in which it is not heard.
    assert time.monotonic() - began < 2.0


def test_while_redis_is_away_it_does_not_spin(
    redis_proxy: Proxy, listening: Loop, relay_keys: Any, wait_until: Wait
) -> None:
    start(relay_keys, "orders", wait_until)
    with redis_proxy.refusing():
        redis_proxy.reset_all()
        time.sleep(0.5)
        before = time.process_time()
        time.sleep(2.0)
        used = time.process_time() - before
    assert used < 0.6, f"{used:.2f} s of CPU in 2 s"
