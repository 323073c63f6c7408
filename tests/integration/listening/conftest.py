"""A listener and a writer as threads of the test, and bad networks between them and their servers.

The order of a test's arguments matters: a proxy has to be there before the loop that is to
use it. The test itself talks to all servers directly.
"""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from channels_app.listening.listener import listen
from leases_app import deployment
from leases_app.models import Lease
from messages_app.writing.writer import write
from tests.proxy import Proxy

from .world import Loop, Wait, is_led


@pytest.fixture
def listening(settings: Any, relay_keys: Any, wait_until: Wait) -> Iterator[Loop]:
    """A listener of partition 0, until the end of the test."""
    loop = Loop(listen)
    wait_until(is_led)
    # Before that a hint is lost, and a row is found only at the next look at the whole table.
    wait_until(lambda: relay_keys.pubsub_numsub(deployment.control_channel(0))[0][1], what="subscribed")
    yield loop
    loop.stop()


@pytest.fixture
def writing(relay_keys: Any, archive: Any, wait_until: Wait) -> Iterator[Loop]:
    """A writer of partition 0, until the end of the test."""
    loop = Loop(write)
    wait_until(lambda: is_led(Lease.Role.WRITER))
    yield loop
    loop.stop()


@pytest.fixture
def redis_proxy(settings: Any, relay_keys: Any) -> Iterator[Proxy]:
    """The way to Redis of everything that connects from now on."""
    with Proxy.to(settings.SERVERS.redis_url) as proxy:
        settings.SERVERS = replace(settings.SERVERS, redis_url=proxy.url)
        yield proxy
