"""Webhooks by the thousand: endpoints that are confirmed, a subscription each, made in one transaction."""

import json
from collections.abc import Sequence
from typing import Final

from benchmarks.relay import Relay

PREFIX: Final = "bench-hook-"

_MAKE: Final = """
import json, sys
from django.contrib.auth import get_user_model
from django.db import transaction
from channels_app.models import Channel
from relaybase.postgres.encrypting import encrypt
from subscribers_app.models import Subscription
from webhooks_app.models import Endpoint, EndpointSecret, Webhook
from webhooks_app.signing import new_shared
channel, prefix, concurrency, urls = json.load(sys.stdin)
owner, topic = get_user_model().objects.order_by("pk").first(), Channel.objects.get(channel=channel)
with transaction.atomic():
    made = Endpoint.objects.bulk_create(
        Endpoint(name=f"{prefix}{number}", owner=owner, url=url, state="active", max_concurrency=concurrency)
        for number, url in enumerate(urls)
    )
    EndpointSecret.objects.bulk_create(
        EndpointSecret(endpoint=one, kind="v1", value=encrypt(new_shared().encode())) for one in made
    )
    subscriptions = Subscription.objects.bulk_create(
        Subscription(name=one.name, channel=topic, mode="lease", kind="webhook") for one in made
    )
    Webhook.objects.bulk_create(
        Webhook(subscription=one, endpoint=to, format="raw") for one, to in zip(subscriptions, made)
    )
"""
_DELETE: Final = """
import sys
from subscribers_app.models import Subscription
from webhooks_app.models import Endpoint
prefix = sys.stdin.readline().strip()
Subscription.objects.filter(name__startswith=prefix).delete()
Endpoint.objects.filter(name__startswith=prefix).delete()
"""


def make(relay: Relay, channel: str, urls: Sequence[str], concurrency: int) -> None:
    """One to each URL, from the channel's first message on."""
    relay.manage(_MAKE, json.dumps([channel, PREFIX, concurrency, list(urls)]))


def delete(relay: Relay) -> None:
    """All of them."""
    relay.manage(_DELETE, PREFIX + "\n")
