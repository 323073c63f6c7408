"""Clean servers for each test, and clients that wait less than in production."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from messages_app.writing import writer as writer_module
from relaybase import connections, keys
from relaybase.connections import mongo_collection

from .world import PAST_TIMEOUT_SECONDS, World


@pytest.fixture(autouse=True)
def _short_waits(monkeypatch: pytest.MonkeyPatch, settings: Any) -> Iterator[None]:
    monkeypatch.setattr(writer_module, "_BLOCK_MS", 20)
    # After "not primary" the driver waits for news from the server. A real step-down sends them;
    # a failpoint does not, so here the driver asks, and often.
    url = settings.SERVERS.mongo_url + "?serverMonitoringMode=poll&heartbeatFrequencyMS=500"
    settings.SERVERS = replace(settings.SERVERS, mongo_url=url)
    _forget_client()
    yield
    _forget_client()


def _forget_client() -> None:
    """The next client is a new one. One that nobody closes complains when it is collected."""
    connections._mongo_client().close()
    connections._mongo_client.cache_clear()


@pytest.fixture
def world(relay_keys: Any, archive: Any) -> Iterator[World]:
    """Empty servers. The stream's group is the writer's business."""
    assert not relay_keys.exists(keys.stream(0))
    quarantine = mongo_collection("quarantine")
    quarantine.delete_many({})
    yield World(relay_keys, archive, quarantine)
    quarantine.delete_many({})


@pytest.fixture
def impatient(settings: Any) -> None:
    """Writers whose calls to MongoDB end after `PAST_TIMEOUT_SECONDS`. Ask for it before `world`."""
    settings.RELAY_MONGO_TIMEOUT_SECONDS = PAST_TIMEOUT_SECONDS
