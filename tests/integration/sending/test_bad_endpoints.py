"""Endpoints that are away, slow or hostile beside good ones, in one sender."""

import math
import socket
import statistics
import time
from collections.abc import Callable
from typing import Any

import pytest

from subscribers_app.models import Delivery, Subscription
from tests.integration.pulling.conftest import Client
from tests.integration.sending import endpoints as manners
from tests.integration.sending.endpoints import Endpoints
from tests.integration.sending.flow import Reader, hooked, topics
from tests.loops import Loop
from webhooks_app.models import Endpoint

pytestmark = pytest.mark.django_db(transaction=True, databases=["default", "messages"])


def closed_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port: int = one.getsockname()[1]
    return port


def test_each_ends_and_none_holds_up_a_good_one(
    client: Client,
    writer: Any,
    endpoint: Callable[..., Endpoint],
    hook: Callable[..., Subscription],
    endpoints: Endpoints,
    sender: Loop,
    wait_until: Any,
) -> None:
    good, bad = topics(2)
    readers = hooked(hook, endpoints, [good], 4)
    urls = {
        "refuses": f"http://127.0.0.1:{closed_port()}/",
        "says no TLS": endpoints.place().url.replace("http:", "https:"),
        "hangs": endpoints.place(manners.hangs).url,
        "drips": endpoints.place(manners.drips).url,
        "pours": endpoints.place(manners.pours).url,
        "resets": endpoints.place(manners.resets).url,
        "fails": endpoints.place(manners.answers(500)).url,
        "is busy": endpoints.place(manners.answers(429, "Retry-After: 1")).url,
        "flaps": endpoints.place(manners.flaps(0.7)).url,
    }
    hooks = {
        what: hook(bad, endpoint(url, timeout_seconds=1, max_concurrency=2), schedule_seconds=[0, 1])
        for what, url in urls.items()
    }
    (last,) = client.publish(bad, "one")

    def ended(made: Subscription) -> bool:
        made.refresh_from_db()
        rows = Delivery.objects.filter(subscription=made).values_list("state", flat=True)
        return made.position >= last and set(rows) <= {"dead"}

    for what, made in hooks.items():
        wait_until(lambda made=made: ended(made), seconds=30, what=f"one that {what} comes to an end")
    dead = dict(Delivery.objects.values_list("subscription_id", "why"))
    assert {what for what, made in hooks.items() if made.pk in dead} >= hooks.keys() - {"flaps"}
    assert all(dead.values()), "why each of them is dead"

    for left in reversed(range(3)):  # Another process may take the processor meanwhile.
        alone = p99(client, good, readers, wait_until)
        for _ in range(3):
            client.publish(bad, *(f"{number}" for number in range(50)))
        beside = p99(client, good, readers, wait_until)
        if beside < 2 * alone:
            break
        assert left, f"p99 alone {alone:.3f} s, beside the bad ones {beside:.3f} s"


def p99(client: Client, channel: str, readers: list[Reader], wait_until: Any) -> float:
    """Seconds from the answer to whoever publishes until it has come, of 400."""
    sent: dict[str, float] = {}
    for number in range(100):
        text = f"{time.monotonic()} {number}"
        sent[text] = time.monotonic()
        client.post(f"channels/{channel}/messages", {"messages": [{"message": text}]}, 202)
    for one in readers:
        wait_until(lambda one=one: sent.keys() <= one.place.texts, seconds=20, what="the good ones get it")
    waits = sorted(it.at - sent[it.text] for one in readers for it in one.place.came if it.text in sent)
    assert statistics.fmean(waits) < 5
    return waits[math.ceil(0.99 * len(waits)) - 1]
