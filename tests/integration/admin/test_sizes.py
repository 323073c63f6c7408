"""Lists stay quick when there is much to list.

Here with 10,000 channels and 50,000 messages; `ADMIN_MESSAGES=1000000 ADMIN_CHANNELS=100000` shows more.
"""

import hashlib
import os
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import bson
import pymongo
import pytest
from django.contrib.auth import get_user_model
from django.test import Client

from channels_app.models import Channel
from relaybase import keys, rates
from relaybase.connections import mongo_collection, shared_redis
from relaycore.position import first_of

MESSAGES = int(os.environ.get("ADMIN_MESSAGES", "50000"))
CHANNELS = int(os.environ.get("ADMIN_CHANNELS", "10000"))
QUICK_SECONDS = 0.3
START_MS = 1_795_262_400_000


@pytest.fixture(scope="module")
def much(django_db_setup: None, django_db_blocker: Any, messages_database: str) -> Iterator[str]:
    """The name of a channel that has half of all messages."""
    messages, quarantine = mongo_collection("messages"), mongo_collection("quarantine")
    names = [f"channel.number.{n}" for n in range(CHANNELS)]
    with django_db_blocker.unblock():
        Channel.objects.bulk_create(
            [Channel(channel=name, partition=0, subscription_status="ACTIVE") for name in names]
        )
        at = datetime(2026, 11, 21, tzinfo=UTC)
        for begin in range(0, MESSAGES, 10_000):
            messages.insert_many(
                [
                    {
                        "_id": bson.ObjectId(hashlib.blake2b(b"%d" % n, digest_size=12).digest()),
                        "channel": names[0] if n % 2 else names[n % CHANNELS],
                        "message": f'{{"id": {n}, "text": "{"x" * 100}"}}',
                        "received_at": at,
                        "position": first_of(f"{START_MS + n}-0"),
                    }
                    for n in range(begin, begin + 10_000)
                ],
                ordered=False,
            )
        quarantine.insert_many(
            [
                {
                    "channel": names[n % 100],
                    "payload": b"x" * 100,
                    "size": 100,
                    "reason": "MongoDB refuses it.",
                    "position": first_of(f"{START_MS + n}-0"),
                    "quarantined_at": at,
                }
                for n in range(MESSAGES // 10)
            ]
        )
        shared_redis().hset(keys.last_at(0), mapping={name: START_MS + n for n, name in enumerate(names)})
        stored_lately = _store_lately(names)
        yield names[0]
        Channel.objects.all().delete()
        with pymongo.timeout(120):
            messages.delete_many({})
            quarantine.delete_many({})
        shared_redis().delete(keys.last_at(0), *stored_lately)


def _store_lately(names: list[str]) -> list[str]:
    """Count a message of each channel in every slot that a rate is read from; the keys."""
    found = []
    for width, length in rates.WINDOWS.values():
        current = int(time.time() // width)
        for slot in range(current - length // width, current + 1):
            found.append(f"{keys.rates(0)}:{width}:{slot}")
            shared_redis().hset(found[-1], mapping=dict.fromkeys(names, 1))
    return found


MIDDLE = first_of(f"{START_MS + MESSAGES // 2}-0")


@pytest.mark.parametrize(
    "address",
    [
        "/admin/",
        "/admin/state/?range=day",
        "/admin/channels_app/channel/",
        "/admin/channels_app/channel/?p=99",
        "/admin/channels_app/channel/?q=number.77",
        "/admin/channels_app/channel/?status=INACTIVE",
        "/admin/channels_app/channel/?status=ACTIVE&o=-2",
        "/admin/channels_app/channel/?o=2",
        "/admin/alerts_app/rule/add/",
        "/admin/subscribers_app/subscription/add/",
        "/admin/messages_app/message/",
        "/admin/messages_app/message/?channel={busy}",
        f"/admin/messages_app/message/?channel={{busy}}&below={MIDDLE}",
        f"/admin/messages_app/message/?channel={{busy}}&above={MIDDLE}",
        "/admin/messages_app/message/?channel={busy}&since=2026-11-21T10:00:00",
        "/admin/messages_app/message/?channel={busy}&contains=xxx",
        "/admin/messages_app/quarantined/",
        "/admin/messages_app/quarantined/?q=channel.number.7",
        "/admin/leases_app/lease/",
        "/admin/django_celery_beat/periodictask/",
        "/api/v1/channels",
        "/api/v1/channels?limit=1000&search=7",
    ],
)
@pytest.mark.django_db
def test_a_list_is_quick(much: str, client: Client, listener: Any, address: str) -> None:
    client.force_login(get_user_model().objects.create_superuser("operator"))
    took = []
    for _ in range(5):
        began = time.perf_counter()
        assert client.get(address.format(busy=much)).status_code == 200
        took.append(time.perf_counter() - began)

    print(f"{address}: {1000 * sorted(took)[2]:.0f} ms (median of 5), first {1000 * took[0]:.0f} ms")
    # With more to do than it has cores, a machine takes longer for everything.
    busy = max(1.0, os.getloadavg()[0] / (os.cpu_count() or 1))
    assert min(took) < QUICK_SECONDS * busy
