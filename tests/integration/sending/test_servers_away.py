"""PostgreSQL, Redis or MongoDB is away while a sender sends: nothing is lost, and it goes on by itself."""

import contextlib
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import pytest
from django.conf import settings as django_settings

from leases_app.models import Lease
from relaycore.sending.window import MOST_UNRECORDED
from relayproject.observing.health import checks
from relayproject.observing.looking import look
from subscribers_app.models import Subscription
from tests.integration.conftest import environment_of_a_web_process
from tests.integration.pulling.conftest import Client
from tests.integration.pulling.test_faults import SERVERS, refusing, silent
from tests.integration.sending.endpoints import Endpoints
from tests.integration.sending.flow import Flow, hooked, topics
from tests.integration.sending.senders import TTL_SECONDS, Sender
from tests.proxy import Proxy

pytestmark = pytest.mark.django_db(transaction=True)

AWAY_SECONDS: Final = float(os.environ.get("SEND_AWAY_SECONDS", "4"))
"""60 for the long form."""

Hook = Callable[..., Subscription]
Ways = dict[str, Proxy]


@pytest.fixture
def ways(messages_database: str) -> Iterator[Ways]:
    """To each server one that may be cut."""
    addresses = {
        "REDIS_URL": django_settings.SERVERS.redis_url,
        "MONGO_URL": django_settings.SERVERS.mongo_url,
        "DATABASE_URL": environment_of_a_web_process()["DATABASE_URL"],
    }
    with contextlib.ExitStack() as stack:
        yield {name: stack.enter_context(Proxy.to(url)) for name, url in addresses.items()}


def urls(ways: Ways) -> dict[str, str]:
    return {name: proxy.url for name, proxy in ways.items()}


def shown() -> str | None:
    """What `/readyz` says of the sender."""
    return next(one.detail for one in checks(look()) if one.name == "sender of shard 0")


@pytest.mark.timeout(120 + 8 * AWAY_SECONDS)
def test_each_server_is_away(
    client: Client,
    writer: Any,
    hook: Hook,
    endpoints: Endpoints,
    ways: Ways,
    tmp_path: Path,
    wait_until: Any,
) -> None:
    channels = topics(2)
    readers = hooked(hook, endpoints, channels, 6)
    flow = Flow(client, channels, at_once=2, pause=0.05)

    def lack() -> int:
        return flow.lacks(readers)

    with Sender(tmp_path / "log", **urls(ways)) as sender:
        for kind in (refusing, silent):
            for server in SERVERS:
                with flow.going_on():
                    before = sum(len(one.place.came) for one in readers)
                    wait_until(
                        lambda before=before: sum(len(one.place.came) for one in readers) > before + 30,
                        seconds=30,
                        what=f"it sends before {server} is away",
                    )
                    with kind(ways[server]):
                        away_at = time.monotonic()
                        if server != "DATABASE_URL":
                            wait_until(
                                lambda: "Subscription" in (shown() or ""),
                                seconds=AWAY_SECONDS + 10,
                                what=f"it says that {server} is away",
                            )
                        time.sleep(max(0.0, AWAY_SECONDS - (time.monotonic() - away_at)))
                        back_at = time.monotonic()
                if server == "DATABASE_URL":
                    late = [
                        came.at - away_at
                        for one in readers
                        for came in list(one.place.came)
                        if away_at + TTL_SECONDS + 0.3 < came.at < back_at
                    ]
                    assert not late, "it sends though its lease is not confirmed"
                wait_until(lambda: not lack(), seconds=30, what=f"everything has come after {server}")
                assert time.monotonic() - back_at < 20
                wait_until(lambda: shown() is None, seconds=40, what="nothing is the matter")
        assert not sender.complaints()
    flow.require_all(readers, 6)


@pytest.mark.parametrize("rule", ["careful", "endless"])
def test_so_much_is_not_recorded_at_most(
    client: Client,
    writer: Any,
    hook: Hook,
    endpoints: Endpoints,
    ways: Ways,
    tmp_path: Path,
    wait_until: Any,
    rule: str,
) -> None:
    """PostgreSQL stands still, and the lease is confirmed for longer than that takes."""
    (channel,) = topics(1)
    (reader,) = hooked(hook, endpoints, [channel], 1)
    flow = Flow(client, [channel], at_once=500)
    own = {"RELAY_LEASE_TTL_SECONDS": "30", "RELAY_LEASE_HEARTBEAT_SECONDS": "5"}
    with Sender(tmp_path / "log", rule, **own, **urls(ways)) as sender:
        client.publish(channel, "first")
        flow.texts[channel].append("first")

        def recorded() -> str:
            return Subscription.objects.get(pk=reader.subscription.pk).position

        wait_until(lambda: recorded() > reader.subscription.position, seconds=30)
        with silent(ways["DATABASE_URL"]):
            for _ in range(4):
                flow.once()
            most = MOST_UNRECORDED if rule == "careful" else 2000
            wait_until(lambda: len(reader.place.came) >= 1 + most, seconds=15)
            time.sleep(1)
            unrecorded = len(reader.place.came) - 1
        wait_until(lambda: not flow.lacks([reader]), seconds=40, what="everything has come")
        assert not sender.complaints()
    assert (unrecorded <= MOST_UNRECORDED) == (rule == "careful")
    flow.require_all([reader], 1)
    assert Lease.objects.filter(role=Lease.Role.SENDER).count() == 1
