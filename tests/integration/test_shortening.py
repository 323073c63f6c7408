"""Made shorter, a retention says what will go, and waits for a minute."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from bson import ObjectId
from django.utils.dateparse import parse_datetime
from pymongo.errors import PyMongoError

from channels_app.models import Channel
from channels_app.registration import change, start
from messages_app.searching.history import at
from messages_app.writing import retention
from relayproject.tasks import delete_all_expired
from tests.integration.admin.filled import filled

pytestmark = pytest.mark.django_db

ADDRESS = "/api/v1/channels/orders"


def _store(archive: Any, *ages: int) -> None:
    now = datetime.now(UTC)
    archive.insert_many(
        {
            "_id": ObjectId(),
            "channel": "orders",
            "message": str(age),
            "received_at": now,
            "position": at(now - timedelta(seconds=age)),
        }
        for age in ages
    )


def _minutes_pass() -> None:
    channel = Channel.objects.get()
    assert channel.shortened_at is not None
    Channel.objects.update(shortened_at=channel.shortened_at - timedelta(minutes=1))


def test_it_says_what_goes_and_deletes_it_a_minute_later(api: Any, archive: Any, relay_keys: Any) -> None:
    start("orders")
    _store(archive, 50, 500, 5000)

    said = api.patch(ADDRESS, {"retention_seconds": 100}, format="json").json()["shortened"]
    assert (said["before"], said["messages"]) == (None, 2)
    deletes_at = parse_datetime(said["deletes_at"])
    assert deletes_at is not None
    left = deletes_at - datetime.now(UTC)
    assert timedelta(seconds=50) < left <= timedelta(seconds=60)
    assert delete_all_expired() == 0
    assert api.get(ADDRESS).json()["shortened"] == said
    assert api.get("/api/v1/channels").json()["results"][0]["shortened"] == {**said, "messages": None}
    _minutes_pass()

    assert api.get(ADDRESS).json()["shortened"] is None
    assert delete_all_expired() == 2


def test_it_is_taken_back_within_the_minute(api: Any, archive: Any, relay_keys: Any) -> None:
    start("orders")
    _store(archive, 500)
    api.patch(ADDRESS, {"retention_seconds": 60}, format="json")
    row = api.patch(ADDRESS, {"retention_seconds": None}, format="json").json()
    Channel.objects.update(shortened_at=None)

    assert (row["retention_seconds"], row["shortened"]) == (None, None)
    assert delete_all_expired() == 0


def test_what_is_stored_has_its_minute_under_a_channel_that_is_made_anew(
    archive: Any, relay_keys: Any
) -> None:
    _store(archive, 500)
    start("orders", retention_seconds=60)
    assert delete_all_expired() == 0
    _minutes_pass()
    assert delete_all_expired() == 1


def test_a_shorter_one_than_before_goes_on_deleting_by_the_one_before(archive: Any, relay_keys: Any) -> None:
    start("orders", retention_seconds=1000)
    _minutes_pass()
    _store(archive, 50, 500, 5000)
    change("orders", retention_seconds=60)

    assert delete_all_expired() == 1
    _minutes_pass()
    assert delete_all_expired() == 1


def test_the_admin_says_what_goes(browser: Any, archive: Any, relay_keys: Any) -> None:
    row = start("orders")
    _store(archive, 50, 500, 5000)
    address = f"/admin/channels_app/channel/{row.pk}/change/"
    form = filled(browser.get(address).content.decode(), retention_seconds_0="2", retention_seconds_1="60")
    listed = browser.post(address, form, follow=True).content.decode()
    page = browser.get(address).content.decode()

    for shown in (listed, page):
        assert "2 older messages will be deleted from" in shown
        assert "keep messages for ever again" in shown


def test_how_many_may_be_unknown(
    api: Any, archive: Any, relay_keys: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention, "mongo_collection", _hang)
    start("orders")
    assert (
        api.patch(ADDRESS, {"retention_seconds": 60}, format="json").json()["shortened"]["messages"] is None
    )


def _hang(*_: object) -> Any:
    raise PyMongoError("operation exceeded time limit")
