"""What a sender costs that has nothing to send."""

import os
import time
from pathlib import Path
from typing import Any

import pytest
from django.db import transaction

from channels_app.models import Channel
from relaybase.postgres.encrypting import encrypt
from subscribers_app.models import Subscription
from tests.integration.sending.endpoints import Endpoints
from tests.integration.sending.senders import Sender
from webhooks_app.models import Endpoint, EndpointSecret, Webhook
from webhooks_app.signing import new_shared

pytestmark = pytest.mark.django_db(transaction=True, databases=["default", "messages"])

MOST = int(os.environ.get("HOOKS_AT_REST", "1000"))
"""Ten thousand take minutes here, where all endpoints are one process; `make bench` (k) measures them."""

MESSAGES = 10 if MOST <= 1000 else 1
SECONDS = 2.0
MOST_WINDOWS = 10
MOST_SHARE = 0.05


@pytest.mark.timeout(120 + MOST / 20)
def test_a_thousand_endpoints_at_rest(
    channel: str, client: Any, operator: Any, tmp_path: Path, wait_until: Any
) -> None:
    client.publish(channel, *map(str, range(MESSAGES)))
    with Endpoints() as endpoints:
        places = [endpoints.place() for _ in range(MOST)]
        value = encrypt(new_shared().encode())
        topic = Channel.objects.get(channel=channel)
        with transaction.atomic():
            made = Endpoint.objects.bulk_create(
                Endpoint(name=f"e{n}", owner=operator, url=place.url, state=Endpoint.State.ACTIVE)
                for n, place in enumerate(places)
            )
            EndpointSecret.objects.bulk_create(
                EndpointSecret(endpoint=one, kind="v1", value=value) for one in made
            )
            hooks = Subscription.objects.bulk_create(
                Subscription(name=f"s{n}", channel=topic, mode="lease", kind=Subscription.Kind.WEBHOOK)
                for n in range(MOST)
            )
            Webhook.objects.bulk_create(
                Webhook(subscription=one, endpoint=to, format="raw")
                for one, to in zip(hooks, made, strict=True)
            )
        with Sender(tmp_path / "log") as sender:
            wait_until(lambda: all(len(place.came) == MESSAGES for place in places), seconds=60 + MOST / 50)
            share = least_share(sender)
            print(f"{MOST} endpoints: {100 * share:.1f} % of a core, {sender.memory() >> 20} MiB")
            assert not sender.complaints()
            assert share < MOST_SHARE
        with Sender(tmp_path / "log", "restless") as sender:
            share = least_share(sender, windows=3)
            print(f"the control: {100 * share:.1f} % of a core")
            assert share > MOST_SHARE, "what is measured here shows nothing"


def least_share(sender: Sender, windows: int = MOST_WINDOWS) -> float:
    """Of a core, in the quietest window until one is as quiet as it should be.

    Connections are made and end, cursors are written; and on a machine that has much else to do a sender may
    lose its lease, and have all to learn anew.
    """
    least = float("inf")
    for _ in range(windows):
        before, began = sender.cpu_seconds(), time.monotonic()
        time.sleep(SECONDS)
        least = min(least, (sender.cpu_seconds() - before) / (time.monotonic() - began))
        if least < MOST_SHARE:
            break
    return least
