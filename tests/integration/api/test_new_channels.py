"""POST of channels that nobody listens to, of many at once, and changes under a condition."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.utils.dateparse import parse_datetime

from access_app.models import AuditEntry
from channels_app import ranges
from channels_app.listening.recording import unheard
from channels_app.models import Channel, Gap
from channels_app.registration import change, start
from leases_app.models import Lease
from messages_app.searching.history import at
from relaycore.times import next_millisecond, rounded_up
from relayproject.observing.health import checks
from relayproject.observing.overview import Overview, read_table
from tests.integration.admin.filled import add_channel

pytestmark = pytest.mark.django_db

CHANNELS = "/api/v1/channels"
START = "/api/v1/start-listening"
AGO = timedelta(hours=1)


def _post(api: Any, address: str = CHANNELS, **body: Any) -> Any:
    return api.post(address, body, format="json")


def _whole(said: str) -> datetime:
    """The first whole millisecond from then on."""
    moment = parse_datetime(said)
    assert moment is not None
    return rounded_up(moment)


def test_a_channel_is_made_that_nobody_listens_to(api: Any) -> None:
    answer = _post(api, channel="orders")

    row = answer.json()
    assert (answer.status_code, answer["Location"]) == (201, row["url"])
    assert (row["listen"], row["deduplicate"], row["republish"], row["public"]) == (
        False,
        "every",
        True,
        False,
    )
    assert row["subscription_status"] is row["why_not_heard"] is row["listener"] is row["open_gap"] is None
    assert parse_datetime(row["complete_since"]) == _whole(row["created_at"])
    assert AuditEntry.objects.get(action="channel started").details["listen"] is False
    assert _post(api, channel="orders").status_code == 409


def test_one_that_is_listened_to_is_as_start_listening_makes_it(api: Any) -> None:
    made = _post(api, channel="orders", listen=True).json()
    started = _post(api, START, channel="bills").json()

    assert made["deduplicate"] == started["deduplicate"] == "content"
    assert made["subscription_status"] == started["subscription_status"] == "INACTIVE"
    assert made["listen"] is started["listen"] is True


@pytest.mark.parametrize("field", ["listen", "republish", "public"])
@pytest.mark.parametrize("value", ["true", 1, None, []])
def test_true_and_false_are_written_as_such(api: Any, field: str, value: Any) -> None:
    start("there")
    made = _post(api, channel="orders", **{field: value})
    changed = api.patch(f"{CHANNELS}/there", {field: value}, format="json")

    assert made.status_code == changed.status_code == 400
    assert list(made.json()["errors"]) == list(changed.json()["errors"]) == [field]


def test_what_nobody_listens_to_is_not_among_what_is_not_heard(
    api: Any, browser: Any, messages_database: str
) -> None:
    Lease.objects.create(role=Lease.Role.LISTENER, partition=0)
    Channel.objects.update_or_create(
        channel="topic", defaults={"listen": False, "refusal": "said before", "subscription_status": "ACTIVE"}
    )
    unheard.record()
    table = read_table()

    assert not Gap.objects.exists()
    assert (table.listed, table.unheard, table.refused, sum(table.channels.values())) == ({}, 0, 0, 0)
    said = [check for check in checks(Overview(table=table)) if check.name.startswith("channels")]
    assert [check.detail for check in said] == [None, None]
    assert "No channel is to be heard" in browser.get("/admin/").content.decode()
    for status in Channel.Status.values:
        assert api.get(f"{CHANNELS}?status={status}").json()["count"] == 0
    assert api.get(CHANNELS).json()["results"][0]["subscription_status"] is None


def test_gaps_of_its_partition_do_not_touch_it(api: Any) -> None:
    start("topic", listen=False)
    start("heard")
    now = datetime.now(UTC)
    Gap.objects.create(partition=0, cause=Gap.Cause.NO_LISTENER, began_at=now)
    Gap.objects.create(partition=0, cause=Gap.Cause.REDIS_RESTARTED, began_at=now - AGO, ended_at=now + AGO)

    row = api.get(f"{CHANNELS}/topic").json()
    assert (parse_datetime(row["complete_since"]), row["open_gap"]) == (_whole(row["created_at"]), None)
    assert api.get("/api/v1/gaps?channel=topic").json()["results"] == []
    assert len(api.get("/api/v1/gaps?channel=heard").json()["results"]) == 2
    assert ranges.missed("topic", None, None) == []
    assert not ranges.newest_missed("topic", None, None)
    assert len(ranges.newest_missed("heard", None, None)) == 2
    assert ranges.is_known("topic", None, None)


def test_what_has_vanished_from_the_stream_is_missing_all_the_same(api: Any) -> None:
    """However it came there."""
    created_at = Channel.objects.get(pk=start("topic", listen=False).pk).created_at
    lost = Gap.objects.create(
        partition=0,
        cause=Gap.Cause.VANISHED,
        began_at=created_at,
        ended_at=created_at + AGO,
        missed_at_most=7,
    )

    row = api.get(f"{CHANNELS}/topic").json()
    assert lost.ended_at is not None
    assert parse_datetime(row["complete_since"]) == next_millisecond(lost.ended_at)
    assert ranges.missed("topic", created_at, None) == [lost]


def test_of_what_was_there_before_it_was_made_nobody_knows(api: Any) -> None:
    start("topic", listen=False)
    row = Channel.objects.get()
    assert not ranges.is_known("topic", row.created_at - AGO, None)


def test_while_the_writer_is_behind_nothing_is_complete_although_nobody_listens(relay_keys: Any) -> None:
    """No listener says up to when all is known. Redis' clock does."""
    start("topic", listen=False)
    now = datetime.now(UTC)

    def said(stored_until: datetime) -> bool:
        found = ranges.of_range("topic", since=None, until=None, watermark=at(stored_until))
        return bool(found["complete"])

    assert said(now)
    assert not said(now - timedelta(seconds=5))


def test_what_was_missed_while_it_was_listened_to_stays_missed(api: Any) -> None:
    start("orders")
    began = datetime.now(UTC) - AGO
    Channel.objects.update(subscription_status="ACTIVE", first_heard_at=began)
    gap = Gap.objects.create(partition=0, cause=Gap.Cause.DEAF, began_at=began, ended_at=began + AGO / 2)
    still = Gap.objects.create(partition=0, channel="orders", cause=Gap.Cause.LATE, began_at=began + AGO / 2)

    row = api.patch(f"{CHANNELS}/orders", {"listen": False}, format="json").json()
    stopped = parse_datetime(row["complete_since"])
    unheard.record()

    assert stopped is not None
    assert stopped > datetime.now(UTC) - timedelta(seconds=10), "a lie: there were gaps before"
    assert (row["subscription_status"], row["open_gap"]) == (None, None)
    assert ranges.missed("orders", began, None) == [gap, still]
    assert ranges.missed("orders", stopped, None) == []
    assert not ranges.is_known("orders", began, None)
    assert not ranges.is_known("orders", None, None)
    assert ranges.is_known("orders", stopped, None)
    still.refresh_from_db()
    assert still.ended_at is not None, "nobody is expected to hear it"


def test_listening_that_is_turned_on_begins_another_life(api: Any) -> None:
    start("orders")
    Channel.objects.update(subscription_status="ACTIVE", first_heard_at=datetime.now(UTC) - AGO)
    life = Channel.objects.get().life
    change("orders", listen=False)
    change("orders", listen=False)
    row = api.patch(f"{CHANNELS}/orders", {"listen": True}, format="json").json()

    channel = Channel.objects.get()
    assert channel.life != life
    assert (channel.first_heard_at, channel.listened_until) == (None, None)
    assert (row["subscription_status"], row["complete_since"]) == ("INACTIVE", None)
    assert not ranges.is_known("orders", datetime.now(UTC) - AGO / 2, None), "it was off in between"


def test_many_are_started_at_once(api: Any) -> None:
    start("there")
    start("topic", listen=False)

    answer = _post(api, START, channels=["b", "there", "a", "b", "topic", "__relay"], deduplicate="every")

    assert answer.status_code == 200
    said = answer.json()
    assert (said["started"], said["existing"]) == (["b", "a"], ["there"])
    assert [one["channel"] for one in said["refused"]] == ["__relay", "topic"]
    assert all(one["detail"] for one in said["refused"])
    made = Channel.objects.filter(deduplicate="every").values_list("channel", flat=True)
    assert list(made) == ["a", "b"]
    assert AuditEntry.objects.filter(action="channel started", target__in=["a", "b"]).count() == 2
    again = _post(api, START, channels=["a", "b"]).json()
    assert again == {"started": [], "existing": ["a", "b"], "refused": []}


@pytest.mark.parametrize(
    "body",
    [
        {"channels": []},
        {"channels": "orders"},
        {"channels": ["a", 7]},
        {"channels": ["a"], "channel": "b"},
        {"channels": [str(number) for number in range(1001)]},
        {},
    ],
)
def test_a_list_that_cannot_be_meant_starts_nothing(api: Any, body: Any) -> None:
    assert api.post(START, body, format="json").status_code == 400
    assert not Channel.objects.exists()


def test_a_change_that_was_decided_by_something_else_is_refused(api: Any) -> None:
    start("orders", retention_seconds=None)
    address = f"{CHANNELS}/orders"
    seen = api.get(address)["ETag"]
    first = api.patch(address, {"retention_seconds": 86400}, format="json", headers={"If-Match": seen})
    second = api.patch(address, {"public": True}, format="json", headers={"If-Match": seen})
    deleted = api.delete(address, headers={"If-Match": seen})

    assert first.status_code == 200
    assert first["ETag"] != seen
    assert second.status_code == deleted.status_code == 412
    assert second.json()["type"] == "urn:relay:problem:channel-changed"
    assert Channel.objects.get().public is False
    tags = f'W/"x", "y", {first["ETag"]}'
    assert api.delete(address, headers={"If-Match": tags}).status_code == 204


@pytest.mark.parametrize("sent", ['"x"', "x", "W/{}", "", '"x", W/{}'])
def test_what_is_not_its_tag_changes_nothing(api: Any, sent: str) -> None:
    start("orders")
    address = f"{CHANNELS}/orders"
    tag = api.get(address)["ETag"]

    answer = api.patch(address, {"public": True}, format="json", headers={"If-Match": sent.format(tag)})

    assert answer.status_code == 412
    assert api.delete("/api/v1/stop-listening/orders", headers={"If-Match": '"x"'}).status_code == 412
    assert api.patch(address, {"public": True}, format="json", headers={"If-Match": "*"}).status_code == 200


def test_what_listeners_find_out_is_no_change(api: Any) -> None:
    start("orders")
    before = api.get(f"{CHANNELS}/orders")["ETag"]
    Channel.objects.update(subscription_status="ACTIVE", refusal="no", updated_at=datetime.now(UTC))
    assert api.get(f"{CHANNELS}/orders")["ETag"] == before


@pytest.mark.parametrize(
    "name",
    [
        "queue/a",
        "sns/a",
        "relay/a",
        "a\u202eb",
        "a\u200bb",
        "\ufefforders",
        "a\u00adb",
        "a\u2066b",
        "a\u200f",
    ],
)
def test_new_names_are_not_those_of_other_doors_nor_unseen(api: Any, browser: Any, name: str) -> None:
    Channel(channel=name).save()
    there = Channel.objects.get()

    assert api.get(there.channel and f"{CHANNELS}?limit=1").json()["results"][0]["channel"] == name
    change(name, public=True)  # What is there stays usable.
    there.delete()
    for answer in (_post(api, channel=name), _post(api, START, channel=name)):
        assert (answer.status_code, answer.json()["type"]) == (400, "urn:relay:problem:bad-channel-name")
    assert "errorlist" in add_channel(browser, name).content.decode()
    assert not Channel.objects.exists()


@pytest.mark.parametrize("name", [" orders", "orders ", "\u00a0orders"])
def test_spaces_around_a_name_are_a_part_of_it_by_whichever_way(api: Any, browser: Any, name: str) -> None:
    add_channel(browser, name)
    assert Channel.objects.get().channel == name
    Channel.objects.all().delete()
    _post(api, channel=name)
    assert Channel.objects.get().channel == name
