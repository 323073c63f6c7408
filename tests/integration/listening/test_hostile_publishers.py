"""Anybody who reaches Redis may publish on Relay's internal channels too."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from channels_app.listening.listener import listen
from channels_app.models import Gap
from leases_app import deployment
from relaybase import keys
from relaybase.connections import redis_client
from relaycore.capturing.ticks import Tick, seal

from .world import (
    Loop,
    Wait,
    is_active,
    is_led,
    lease,
    on_stream,
    on_stream_once,
    publish,
    start,
    wait_until_heard,
)

pytestmark = pytest.mark.django_db(transaction=True)

NO_TICKS = [
    *(b"", b"\0", b"\xff", b"1", b"1 2 3", b"1 2 3 ", b" 1 2 3 x", b"1 2 3 x y", b"1  2 3 x"),
    *(b"-1 2 3 x", b"1.0 2 3 x", b"a b c d", b"1 2 3 \xc3\xa9", b"1 2 3 x\n", b"9" * 5_000 + b" 9 9 x"),
    *("１ 2 3 x".encode(), b"x" * (1 << 20)),
]
NO_NAMES = [b"", b"\0", b"\xff\xfe", b"nothing of that name", b"'; delete from channels", b"x" * (1 << 20)]


@pytest.mark.parametrize("policy", ["content", "every"])
def test_noise_on_the_internal_channels_changes_nothing(
    policy: str, listening: Loop, relay_keys: Any, wait_until: Wait
) -> None:
    start(relay_keys, "target", wait_until, deduplicate=policy)
    epoch = lease().epoch
    sent = []
    for number, noise in enumerate(NO_TICKS + NO_NAMES):
        publish(relay_keys, deployment.tick_channel(0), [noise])
        publish(relay_keys, deployment.control_channel(0), [noise])
        sent.append(f"text {number}")
        publish(relay_keys, "target", sent[-1:])
    wait_until_heard(relay_keys, wait_until)
    wait_until(lambda: len(on_stream(relay_keys)) == len(sent))
    assert on_stream(relay_keys) == sent
    assert is_active("target")
    assert is_led()
    assert lease().epoch == epoch
    assert listening.is_alive


def test_what_is_published_on_an_internal_channel_is_never_relayed(
    listening: Loop, relay_keys: Any, wait_until: Wait
) -> None:
    start(relay_keys, "beside", wait_until)
    for channel in (deployment.tick_channel(0), deployment.control_channel(0), keys.LEGACY_CHANNEL):
        relay_keys.publish(channel, '{"channel": "beside", "message": "forged", "id": "1"}')
    publish(relay_keys, "beside", ["true"])
    wait_until_heard(relay_keys, wait_until)
    wait_until(lambda: on_stream(relay_keys) == ["true"])


def forged(redis: Any, key: bytes = b"a guess", **more: Any) -> bytes:
    """A tick as a leader would publish it, if the key were that of the deployment."""
    wanted = {"number": 10**18, "epoch": 0, "confirmed": 0, "run_id": redis.info("server")["run_id"]} | more
    tick = Tick(**wanted)
    body = f"{tick.number} {tick.epoch} {tick.confirmed} {tick.state} {tick.at} {tick.calls} {tick.run_id} -"
    return body.encode() + b" " + seal(body.encode(), key)


@pytest.mark.parametrize("number", [1, 9_999_999])
def test_forged_ticks_make_no_two_messages_one(
    number: int, listening: Loop, relay_keys: Any, wait_until: Wait
) -> None:
    start(relay_keys, "target", wait_until, deduplicate="every")
    for _ in range(20):
        publish(relay_keys, deployment.tick_channel(0), [forged(relay_keys, number=number)])
        publish(relay_keys, "target", ["same"])
    wait_until_heard(relay_keys, wait_until)
    wait_until(lambda: on_stream_once(relay_keys) == ["same"] * 20, seconds=3)


def test_a_forged_epoch_does_not_end_the_term(listening: Loop, relay_keys: Any, wait_until: Wait) -> None:
    start(relay_keys, "target", wait_until)
    publish(relay_keys, deployment.tick_channel(0), [forged(relay_keys, epoch=10**18)])
    wait_until_heard(relay_keys, wait_until)
    assert is_led()
    assert listening.is_alive
    assert lease().epoch == 1


def test_control_a_tick_that_is_sealed_with_the_right_key_ends_it(
    listening: Loop, relay_keys: Any, wait_until: Wait
) -> None:
    start(relay_keys, "target", wait_until)
    publish(relay_keys, deployment.tick_channel(0), [forged(relay_keys, deployment.seal_key(0), epoch=5)])
    wait_until(lambda: lease().epoch != 1, what="another term")


# --- genuine ticks, published again ------------------------------------------------------


def recorded(redis: Any, ticks: int) -> list[bytes]:
    """Genuine ticks, as anybody hears them who may subscribe to `__relay:*`."""
    with redis.pubsub(ignore_subscribe_messages=True) as pubsub:
        pubsub.subscribe(deployment.tick_channel(0))
        found: list[bytes] = []
        while len(found) < ticks:
            if (message := pubsub.get_message(timeout=5)) is not None:
                found.append(message["data"])
        return found


@contextmanager
def replayed(ticks: list[bytes], rate: int) -> Iterator[list[int]]:
    """So many of them a second meanwhile, in order, again and again; yields how many so far."""
    over, sent = threading.Event(), [0]

    def run() -> None:
        with redis_client() as redis:
            while not over.wait(0.01):
                with redis.pipeline(transaction=False) as pipe:
                    for _ in range(rate // 100):
                        pipe.publish(deployment.tick_channel(0), ticks[sent[0] % len(ticks)])
                        sent[0] += 1
                    pipe.execute()

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield sent
    finally:
        over.set()
        thread.join(10)


def test_ticks_that_are_published_again_make_no_two_messages_one_and_change_nothing(
    listening: Loop, relay_keys: Any, wait_until: Wait
) -> None:
    """They cut nothing: what comes after them belongs to the tick before, and is counted on in it."""
    start(relay_keys, "target", wait_until, deduplicate="every")
    standby = Loop(listen)
    try:
        wait_until(lambda: relay_keys.pubsub_numsub(deployment.tick_channel(0))[0][1] == 2, what="a standby")
        ticks, epoch, count = recorded(relay_keys, 5), lease().epoch, 0
        until = time.monotonic() + 20
        with replayed(ticks, 2_000) as sent:
            while sent[0] < 6_000 and time.monotonic() < until:
                publish(relay_keys, "target", ["same", "other"])
                count += 1
                time.sleep(0.005)
            wait_until(lambda: len(on_stream(relay_keys)) == 2 * count, seconds=5, what="all of it")
        assert sent[0] >= 6_000, "they were not many"
        assert on_stream_once(relay_keys) == ["same", "other"] * count
        assert is_active("target")
        assert lease().epoch == epoch
        assert not Gap.objects.exists()
    finally:
        standby.stop()
