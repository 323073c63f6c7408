"""What is published by HTTP is heard on Redis as well, and stands once; nothing else is left out for it."""

import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from channels_app.listening.listener import listen
from channels_app.models import Gap
from leases_app import deployment
from relaybase import keys
from relaycore.capturing import notices
from tests.proxy import Proxy

from .world import (
    DATA,
    Loop,
    Wait,
    lease,
    on_stream,
    on_stream_once,
    post,
    publish,
    start,
    wait_until_heard,
)

pytestmark = pytest.mark.django_db(transaction=True)

POLICIES = pytest.mark.parametrize("policy", ["content", {"field": "id"}, "every"])


@contextmanager
def recorded(redis: Any) -> Iterator[list[bytes]]:
    """What is said on the control channel meanwhile, as anybody hears it who may subscribe to `__relay:*`."""
    found: list[bytes] = []
    with redis.pubsub(ignore_subscribe_messages=True) as pubsub:
        pubsub.subscribe(deployment.control_channel(0))
        pubsub.get_message(timeout=5)
        yield found
        while (message := pubsub.get_message(timeout=0.2)) is not None:
            found.append(message["data"])


def subscribers(redis: Any) -> set[str]:
    """The connections that subscribe anything."""
    return {client["id"] for client in redis.client_list(_type="pubsub")}


@POLICIES
def test_what_is_posted_stands_once_and_the_same_text_behind_it_is_kept(
    policy: Any, listening: Loop, relay_keys: Any, wait_until: Wait
) -> None:
    start(relay_keys, "orders", wait_until, deduplicate=policy)
    sent = []
    for number in range(50):
        text = f'{{"id": {number}}}'
        post(relay_keys, "orders", [text] * (1 + number % 3))
        publish(relay_keys, "orders", [text])
        sent += [text] * (2 + number % 3)
    wait_until_heard(relay_keys, wait_until)
    wait_until(lambda: len(on_stream(relay_keys)) >= len(sent))
    assert Counter(on_stream(relay_keys)) == Counter(sent)


def test_subscribers_of_redis_hear_it(listening: Loop, relay_keys: Any, wait_until: Wait) -> None:
    start(relay_keys, "orders", wait_until)
    with relay_keys.pubsub(ignore_subscribe_messages=True) as pubsub:
        pubsub.subscribe("orders")
        pubsub.get_message(timeout=5)
        post(relay_keys, "orders", ["1", "2"])
        heard = [pubsub.get_message(timeout=5)["data"] for _ in range(2)]
    assert heard == [b"1", b"2"]


def test_forged_notices_and_those_that_are_published_again_suppress_nothing(
    listening: Loop, relay_keys: Any, wait_until: Wait
) -> None:
    start(relay_keys, "orders", wait_until, deduplicate="every")
    with recorded(relay_keys) as genuine:
        post(relay_keys, "orders", ["posted"])
    assert genuine, "nothing was announced"
    forged = [
        notices.echo(10**18, b"orders", 5, b"a guess"),
        notices.echo(10**18, b"orders", 5, deployment.seal_key(1)),
        b"echo 1 orders 5",
    ]
    sent = []
    for number, said in enumerate([*genuine, *forged] * 5):
        with relay_keys.pipeline(transaction=True) as pipe:  # Nothing between.
            pipe.publish(deployment.control_channel(0), said)
            pipe.publish("orders", f"genuine {number}")
            pipe.execute()
        sent.append(f"genuine {number}")
    wait_until_heard(relay_keys, wait_until)
    wait_until(lambda: on_stream(relay_keys) == ["posted", *sent], seconds=5)


def test_control_a_notice_that_is_sealed_with_the_right_key_and_new_suppresses(
    listening: Loop, relay_keys: Any, wait_until: Wait
) -> None:
    start(relay_keys, "orders", wait_until, deduplicate="every")
    for number, texts in enumerate((["1", "2"], ["3"])):
        newest = 8 * 10**15 + number
        said = notices.echo(newest, b"orders", 1, deployment.seal_key(0))
        relay_keys.publish(deployment.control_channel(0), said)
        publish(relay_keys, "orders", texts)
    wait_until_heard(relay_keys, wait_until)
    wait_until(lambda: on_stream(relay_keys) == ["2"])


def test_notices_of_before_suppress_nothing_on_a_new_connection(
    redis_proxy: Proxy, listening: Loop, relay_keys: Any, wait_until: Wait
) -> None:
    """Also where Redis has lost what it had given."""
    start(relay_keys, "orders", wait_until, deduplicate="every")
    with recorded(relay_keys) as genuine:
        post(relay_keys, "orders", ["posted"])
    assert genuine, "nothing was announced"
    for number in range(2):
        before = subscribers(relay_keys)
        if number:
            relay_keys.delete(keys.echoes(0))
        assert redis_proxy.reset_all(DATA)
        wait_until(lambda: not subscribers(relay_keys) & before, what="cut")  # noqa: B023
        wait_until(lambda: relay_keys.pubsub_numsub("orders")[0][1] == 1, what="heard again")
        for said in genuine:
            with relay_keys.pipeline(transaction=True) as pipe:
                pipe.publish(deployment.control_channel(0), said)
                pipe.publish("orders", f"genuine {number}")
                pipe.execute()
    wait_until_heard(relay_keys, wait_until)
    wait_until(lambda: on_stream(relay_keys) == ["posted", "genuine 0", "genuine 1"])


def test_a_standby_that_takes_over_in_the_middle_of_runs_relays_no_echo_and_everything_else(
    relay_keys: Any, wait_until: Wait
) -> None:
    first = Loop(listen)
    try:
        wait_until(lambda: relay_keys.pubsub_numsub(deployment.tick_channel(0))[0][1] == 1, what="a leader")
        start(relay_keys, "orders", wait_until, deduplicate="every")
        second = Loop(listen)
        try:
            wait_until(lambda: relay_keys.hlen(keys.standbys(0)) > 0, what="a standby that is whole")
            epoch, sent = lease().epoch, 0
            over = threading.Event()

            def publishers() -> None:
                nonlocal sent
                while not over.is_set():
                    post(relay_keys, "orders", ["same"] * 20)
                    publish(relay_keys, "orders", ["same"] * 5)
                    sent += 25
                    time.sleep(0.002)

            thread = threading.Thread(target=publishers)
            thread.start()
            try:
                time.sleep(0.5)
                first.stop()
                wait_until(lambda: lease().epoch > epoch, seconds=10, what="another leader")
                time.sleep(0.5)
            finally:
                over.set()
                thread.join(10)
            wait_until_heard(relay_keys, wait_until)
            wait_until(lambda: len(on_stream_once(relay_keys)) >= sent, what="all of it")
            assert on_stream_once(relay_keys) == ["same"] * sent
            assert not Gap.objects.exists()
        finally:
            second.stop()
    finally:
        first.stop()
