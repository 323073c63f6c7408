"""PostgreSQL, Redis or MongoDB is away while rules are processed: nothing is lost, nothing told twice."""

import contextlib
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest
from django.conf import settings as django_settings

from relayproject.observing.health import checks
from relayproject.observing.looking import look
from tests.integration.conftest import environment_of_a_web_process
from tests.integration.processing.alerts import Alerts
from tests.integration.processing.processors import Processor
from tests.integration.processing.rain import Rain, all_told, go_on
from tests.integration.pulling.test_faults import SERVERS, refusing, silent
from tests.integration.pulling.traffic import Threads
from tests.proxy import Proxy

pytestmark = pytest.mark.django_db(transaction=True, databases=["default", "messages"])

AWAY_SECONDS: Final = float(os.environ.get("PROCESS_AWAY_SECONDS", "3"))
"""60 for the long form."""


@pytest.fixture
def ways(messages_database: str) -> Iterator[dict[str, Proxy]]:
    """To each server one that may be cut."""
    addresses = {
        "REDIS_URL": django_settings.SERVERS.redis_url,
        "MONGO_URL": django_settings.SERVERS.mongo_url,
        "DATABASE_URL": environment_of_a_web_process()["DATABASE_URL"],
    }
    with contextlib.ExitStack() as stack:
        yield {name: stack.enter_context(Proxy.to(url)) for name, url in addresses.items()}


def shown() -> str | None:
    """What `/readyz` says of the processor."""
    return next(one.detail for one in checks(look()) if one.name == "processor of shard 0")


@pytest.mark.parametrize("kind", [refusing, silent], ids=["refusing", "silent"])
@pytest.mark.timeout(180 + 8 * AWAY_SECONDS)
def test_each_server_is_away(
    alerts: Alerts, writer: Any, ways: dict[str, Proxy], tmp_path: Path, wait_until: Any, kind: Any
) -> None:
    rain = Rain(alerts)
    urls = {name: proxy.url for name, proxy in ways.items()}
    with Processor(tmp_path / "log", **urls) as processor:
        with Threads([rain.run]):
            for server in SERVERS:
                go_on(alerts, wait_until, what=f"it goes on before {server} is away")
                with kind(ways[server]):
                    away_at = time.monotonic()
                    if server != "DATABASE_URL":
                        wait_until(shown, seconds=AWAY_SECONDS + 12, what=f"it says that {server} is away")
                    time.sleep(max(0.0, AWAY_SECONDS - (time.monotonic() - away_at)))
                    if server == "DATABASE_URL":
                        go_on(alerts, wait_until, 0, seconds=10, what="rules go on without it")
                back_at = time.monotonic()
                go_on(alerts, wait_until)
                wait_until(lambda: shown() is None, seconds=40, what="nothing is the matter")
                assert time.monotonic() - back_at < 30
        all_told(alerts, rain, wait_until)
        assert not processor.complaints()


def test_sigterm_while_a_server_is_silent(
    alerts: Alerts, writer: Any, ways: dict[str, Proxy], tmp_path: Path, wait_until: Any
) -> None:
    rain = Rain(alerts)
    urls = {name: proxy.url for name, proxy in ways.items()}
    for server in SERVERS:
        with Processor(tmp_path / server, **urls) as processor, Threads([rain.run]):
            go_on(alerts, wait_until)
            with silent(ways[server]):
                time.sleep(0.5)
                assert processor.terminate() < 10, server
