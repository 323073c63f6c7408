"""A sender is killed again and again: everything arrives, and what is repeated has the same id."""

import random
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from subscribers_app.models import Subscription
from tests.integration.pulling.conftest import Client
from tests.integration.sending.endpoints import Endpoints
from tests.integration.sending.flow import Flow, Reader, hooked, some_time, topics
from tests.integration.sending.senders import TTL_SECONDS, Sender

pytestmark = pytest.mark.django_db(transaction=True)

Hook = Callable[..., Subscription]


def kill_again_and_again(
    flow: Flow,
    readers: list[Reader],
    log: Path,
    kills: int,
    wait_until: Any,
    rule: str = "careful",
    each: int = 200,
) -> Sender:
    """While messages are on their way, after so many each. Until all have come, or nothing comes any more."""
    chance = random.Random(kills)
    with Sender(log, rule) as sender:
        with flow.going_on():
            for _ in range(kills):
                before = sum(len(one.place.came) for one in readers)
                wait_until(
                    lambda before=before: sum(len(one.place.came) for one in readers) > before + each,
                    seconds=30,
                    what="the next one sends",
                )
                some_time(chance, 0.3)
                sender.kill()
        if rule == "careful":
            wait_until(lambda: not flow.lacks(readers), seconds=60, what="everything has come")
        else:
            wait_until(_stands_still(readers), seconds=60)
        assert not sender.complaints()
    return sender


def _stands_still(readers: list[Reader]) -> Callable[[], bool]:
    seen = {"count": -1, "at": 0.0}

    def look() -> bool:
        count = sum(len(one.place.came) for one in readers)
        if count != seen["count"]:
            seen.update(count=count, at=time.monotonic())
        return time.monotonic() - seen["at"] > 3 * TTL_SECONDS

    return look


def test_what_was_on_its_way_comes_once_more_and_nothing_is_lost(
    client: Client, writer: Any, hook: Hook, endpoints: Endpoints, tmp_path: Path, wait_until: Any
) -> None:
    channels = topics(4)
    readers = hooked(hook, endpoints, channels, 20)
    flow = Flow(client, channels, at_once=4)
    kill_again_and_again(flow, readers, tmp_path / "log", 5, wait_until)
    flow.require_all(readers, 5)
    assert sum(one.place.repeated for one in readers), "nobody was killed with anything"
