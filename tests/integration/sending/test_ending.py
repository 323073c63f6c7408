"""A sender is told to end: what is under way ends and is recorded, and nothing keeps it from ending."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from subscribers_app.models import Subscription
from tests.integration.conftest import environment_of_a_web_process
from tests.integration.pulling.conftest import Client
from tests.integration.pulling.test_faults import silent
from tests.integration.sending.endpoints import Endpoints, hangs, slowly
from tests.integration.sending.flow import hooked, topics
from tests.integration.sending.senders import Sender
from tests.proxy import Proxy

pytestmark = pytest.mark.django_db(transaction=True)

Hook = Callable[..., Subscription]


def test_what_is_under_way_is_recorded(
    client: Client, writer: Any, hook: Hook, endpoints: Endpoints, tmp_path: Path, wait_until: Any
) -> None:
    (channel,) = topics(1)
    (reader,) = hooked(hook, endpoints, [channel], 1)
    answered: list[int] = []

    async def take(place: Any, came: Any, writer: Any) -> bool:
        kept: bool = await slowly(0.7)(place, came, writer)
        answered.append(1)
        return kept

    reader.place.manner = take
    positions = client.publish(channel, "first", "second", "third")
    with Sender(tmp_path / "log") as sender:
        wait_until(lambda: reader.place.connections >= 3, seconds=30)
        assert not answered
        assert sender.terminate() < 10
        assert not sender.complaints()
    assert len(answered) == 3
    assert Subscription.objects.get(pk=reader.subscription.pk).position == positions[-1]


@pytest.mark.parametrize("command", [["send", "--shard", "0"]])
def test_neither_one_that_hangs_nor_postgresql_holds_it_up(
    client: Client,
    writer: Any,
    hook: Hook,
    endpoints: Endpoints,
    settings: Any,
    wait_until: Any,
    command: list[str],
) -> None:
    (channel,) = topics(1)
    (reader,) = hooked(hook, endpoints, [channel], 1)
    reader.place.manner = hangs
    client.publish(channel, "one")
    with Proxy.to(environment_of_a_web_process()["DATABASE_URL"]) as proxy:
        process = subprocess.Popen(
            [sys.executable, "manage.py", *command],
            env=environment_of_a_web_process(
                DATABASE_URL=proxy.url,
                RELAY_WEBHOOK_ALLOWED_NETWORKS="127.0.0.0/8",
                RELAY_ENCRYPTION_KEYS=settings.RELAY_ENCRYPTION_KEYS[0],
            ),
        )
        try:
            wait_until(lambda: reader.place.came, seconds=30)
            with silent(proxy):
                time.sleep(0.5)
                os.kill(process.pid, signal.SIGTERM)
                assert process.wait(10) == 0
        finally:
            process.kill()
            process.wait(10)
