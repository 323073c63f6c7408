"""A sender stands still for longer than its lease: it begins nothing when it wakes, another one goes on."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.db import connection

from leases_app.models import Lease
from subscribers_app.models import Subscription
from tests.integration.pulling.conftest import Client
from tests.integration.pulling.traffic import Threads
from tests.integration.sending.endpoints import Came, Endpoints, slowly
from tests.integration.sending.flow import Flow, hooked, topics
from tests.integration.sending.senders import TTL_SECONDS, Sender

pytestmark = pytest.mark.django_db(transaction=True)


class Watching:
    """Where the cursors stood, again and again."""

    def __init__(self) -> None:
        self.went_back: list[tuple[str, str, str]] = []

    def run(self, is_over: Callable[[], bool]) -> None:
        last: dict[str, str] = {}
        try:
            while not is_over():
                for name, position in Subscription.objects.values_list("name", "position"):
                    if position < last.setdefault(name, position):
                        self.went_back.append((name, last[name], position))
                    last[name] = position
                time.sleep(0.02)
        finally:
            connection.close()


TRIES = 3
"""The careless one is told by its heartbeat as well, perhaps first: it is found out in one of these."""

Story = Callable[[str], tuple[list[Came], list[tuple[str, str, str]]]]


@pytest.fixture
def story(
    client: Client,
    writer: Any,
    hook: Callable[..., Subscription],
    endpoints: Endpoints,
    tmp_path: Path,
    wait_until: Any,
) -> Story:
    """What a sender of this rule has begun after it woke, and which cursors went back."""
    return lambda rule: _frozen_and_woken(client, hook, endpoints, tmp_path, wait_until, rule)


def test_the_woken_one_begins_no_attempt(story: Story) -> None:
    assert story("careful") == ([], [])


def test_control_one_that_asks_nobody_whether_it_may_send_is_found_out(story: Story) -> None:
    for _ in range(TRIES):
        begun, went_back = story("careless")
        if begun and went_back:
            return
    pytest.fail("nothing was begun that may not be, or nothing went back")


def _frozen_and_woken(
    client: Client,
    hook: Callable[..., Subscription],
    endpoints: Endpoints,
    tmp_path: Path,
    wait_until: Any,
    rule: str,
) -> tuple[list[Came], list[tuple[str, str, str]]]:
    channels = topics(2)
    readers = hooked(hook, endpoints, channels, 6)
    for one in readers:
        one.place.manner = slowly(0.05)  # So there is always more to send.
    flow, watching = Flow(client, channels, at_once=20, pause=0.05), Watching()

    def came(sender: Sender) -> list[Came]:
        return [
            it for one in readers for it in list(one.place.came) if it.headers["x-sender"] == str(sender.pid)
        ]

    with Sender(tmp_path / "first", rule) as first, Threads([watching.run]):
        wait_until(Lease.objects.live().filter(role=Lease.Role.SENDER).exists, seconds=30)
        with Sender(tmp_path / "second") as second:
            with flow.going_on():
                wait_until(lambda: len(came(first)) > 50, seconds=30)
                with first.frozen():
                    frozen_at = time.monotonic()
                    # So far that what the first one had begun is well behind.
                    wait_until(lambda: len(came(second)) > 600, seconds=30, what="the other one goes on")
                    assert time.monotonic() - frozen_at > TTL_SECONDS / 2
                    woken_at = time.monotonic()
                time.sleep(1.0)  # What it would do, it would do at once.
            wait_until(lambda: not flow.lacks(readers), seconds=60, what="everything has come")
            begun = [it for it in came(first) if it.at > woken_at]
            assert not first.complaints() + second.complaints()
    if rule == "careful":
        flow.require_all(readers, 1)
    return begun, watching.went_back
