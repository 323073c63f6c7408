"""Two doors at the same time, on the same channels: HTTP, and Redis' own publishers."""

import json
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from channels_app import registration
from channels_app.listening.listener import listen
from channels_app.models import Channel
from relaycore.policy import CONTENT, EVERY, Policy
from tests.integration.publishing.conftest import Publisher
from tests.loops import Loop

pytestmark = pytest.mark.django_db(transaction=True)

POLICIES = {"by-content": CONTENT, "by-field": Policy("field", "id"), "every-one": EVERY}
PUBLISHERS = 6
SECONDS = 5.0


@pytest.fixture
def listeners(relay_keys: Any, wait_until: Any) -> Iterator[list[Loop]]:
    """Two, which hear all three channels: from its first tick on, a channel is active and loses nothing."""
    for name, policy in POLICIES.items():
        registration.start(name, policy)
    loops = [Loop(lambda stopping: listen(0, stopping)) for _ in range(2)]
    wait_until(lambda: all(count >= 2 for _, count in relay_keys.pubsub_numsub(*POLICIES)), seconds=20)
    active = Channel.objects.filter(subscription_status=Channel.Status.ACTIVE)
    wait_until(lambda: active.count() == len(POLICIES), seconds=20, what="every channel active")
    yield loops
    for loop in loops:
        loop.stop()


def test_each_message_is_stored_once_by_whichever_door_it_came(
    publisher: Publisher,
    listeners: list[Loop],
    writer: Loop,
    relay_keys: Any,
    archive: Any,
    wait_until: Callable[..., None],
) -> None:
    sent: Counter[tuple[str, str]] = Counter()
    lock = threading.Lock()

    def publish(number: int) -> list[str]:
        """By both, in turn; under `every` the very same at once as well."""
        until, index, order = time.monotonic() + SECONDS, 0, []
        while time.monotonic() < until:
            channel = list(POLICIES)[index % 3]
            by_http, by_redis = (json.dumps({"id": f"{number} {index} {door}"}) for door in ("http", "redis"))
            texts = [by_redis, by_http] if POLICIES[channel] == EVERY and index % 2 else [by_redis]
            assert publisher.post(channel, by_http.encode(), idempotency_key=by_http).status == 202
            for text in texts:
                assert relay_keys.publish(channel, text) >= 2
            order.append(by_http)
            index += 1
            with lock:
                sent.update((channel, text) for text in (by_http, *texts))
        return order

    with ThreadPoolExecutor(PUBLISHERS) as pool:
        orders = list(pool.map(publish, range(PUBLISHERS)))

    wait_until(lambda: archive.count_documents({}) >= sum(sent.values()), seconds=20)
    time.sleep(0.5)  # Would more come?
    stored = [(found["channel"], found["message"]) for found in archive.find().sort("position")]
    assert Counter(stored) == sent
    # Each producer's own order is kept.
    first = list(dict.fromkeys(text for _, text in stored))
    for order in orders:
        known = set(order)
        assert [text for text in first if text in known] == order


def test_without_the_notice_it_is_stored_twice(
    publisher: Publisher, listeners: list[Loop], writer: Loop, relay_keys: Any, archive: Any, wait_until: Any
) -> None:
    """The control: the same bytes, published by somebody who says nothing before."""
    answer = publisher.post("every-one", b"hello", "?confirm=stored")
    assert answer.status == 201
    relay_keys.publish("every-one", "hello")

    wait_until(lambda: archive.count_documents({"message": "hello"}) == 2)
