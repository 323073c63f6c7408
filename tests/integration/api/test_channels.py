"""GET, PATCH and DELETE of /api/v1/channels."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.utils import timezone
from django.utils.dateparse import parse_datetime

from channels_app.listening.recording import unheard
from channels_app.models import Channel
from channels_app.registration import start
from leases_app.models import Lease
from relaybase import keys
from relaybase.postgres.clock import ClockTimestamp
from relaycore.policy import EVERY

pytestmark = pytest.mark.django_db

CHANNELS = "/api/v1/channels"


def _names(answer: Any) -> list[str]:
    return [row["channel"] for row in answer.json()["results"]]


def _hear(*names: str) -> None:
    Channel.objects.filter(channel__in=names).update(
        subscription_status="ACTIVE", active_since=timezone.now()
    )


def test_a_channel_says_who_hears_it_since_when_and_what_is_stored(
    api: Any, listener: Any, relay_keys: Any
) -> None:
    start("orders")
    _hear("orders")
    relay_keys.hset(keys.stored(0), "orders", 12)
    relay_keys.hset(keys.last_at(0), "orders", 1_795_000_000_123)

    row = api.get(f"{CHANNELS}/orders").json()

    lease = Lease.objects.get()
    assert row["subscription_status"] == "ACTIVE"
    assert parse_datetime(row["active_since"]) == Channel.objects.get().active_since
    assert parse_datetime(row["listener"].pop("since")) == lease.claimed_at
    assert row["listener"] == {"host": lease.host, "pid": lease.pid, "task_id": "task-1", "epoch": 1}
    assert row["messages_stored"] == 12
    assert parse_datetime(row["last_message_at"]) == datetime(2026, 11, 18, 11, 6, 40, 123000, tzinfo=UTC)


def test_a_channel_says_what_was_stored_lately(api: Any, relay_keys: Any) -> None:
    start("orders")
    start("silent")
    for width, count in ((10, 65), (600, 720), (3600, 9000)):
        slot = int(relay_keys.time()[0] // width)
        relay_keys.hset(f"{keys.rates(0)}:{width}:{slot}", "orders", count)

    lately = api.get(f"{CHANNELS}/orders").json()["recent"]

    assert {window: count["messages"] for window, count in lately.items()} == {
        "minute": 65,
        "hour": 720,
        "day": 9000,
    }
    # A window begins with a slot, so it may be longer than it says by one.
    assert 65 / 70.1 < lately["minute"]["per_second"] < 65 / 59.9
    assert 720 / 4201 < lately["hour"]["per_second"] < 720 / 3599
    assert 9000 / 90_001 < lately["day"]["per_second"] <= 9000 / 86_000
    silent = api.get(CHANNELS).json()["results"][1]["recent"]
    assert silent["day"] == {"messages": 0, "per_second": 0}


def test_a_channel_is_not_active_once_its_listener_is_gone(api: Any, listener: Any) -> None:
    start("orders")
    _hear("orders")
    listener.release()

    row = api.get(f"{CHANNELS}/orders").json()

    assert (row["subscription_status"], row["active_since"], row["listener"]) == ("INACTIVE", None, None)


def test_a_channel_is_not_active_while_its_listener_lives_and_hears_nothing(api: Any, listener: Any) -> None:
    start("orders")
    _hear("orders")
    assert api.get(f"{CHANNELS}/orders").json()["why_not_heard"] is None
    ago = timezone.now() - timedelta(minutes=2)
    Lease.objects.update(heard_at=ago)

    row = api.get(f"{CHANNELS}/orders").json()

    assert (row["subscription_status"], row["active_since"], row["complete_since"]) == (
        "INACTIVE",
        None,
        None,
    )
    assert row["listener"]["host"]
    assert f"has not proved since {ago:%Y-%m-%dT%H:%M:%SZ} that it hears anything" in row["why_not_heard"]
    assert "do not come back from Redis" in row["why_not_heard"]
    assert _names(api.get(f"{CHANNELS}?status=ACTIVE")) == []
    assert _names(api.get(f"{CHANNELS}?status=INACTIVE")) == ["orders"]


def test_what_the_listener_cannot_do_is_the_reason(api: Any, listener: Any) -> None:
    start("orders")
    Lease.objects.update(heard_at=None, trouble="Redis refuses EVAL: NOPERM; grant +eval.")

    why = api.get(f"{CHANNELS}/orders").json()["why_not_heard"]

    assert why.endswith("has not proved yet that it hears anything: Redis refuses EVAL: NOPERM; grant +eval.")


def test_a_leader_that_has_just_begun_has_not_failed_to_hear(api: Any, listener: Any) -> None:
    start("orders")
    Lease.objects.update(heard_at=None, claimed_at=ClockTimestamp())
    young = api.get(f"{CHANNELS}/orders").json()["why_not_heard"]
    Lease.objects.update(claimed_at=timezone.now() - timedelta(seconds=3))
    old = api.get(f"{CHANNELS}/orders").json()["why_not_heard"]

    assert young.endswith(" has just begun to lead, and waits for its first tick.")
    assert "has not proved yet that it hears anything" in old


def test_what_has_nothing_to_do_with_rights_asks_for_none(api: Any, listener: Any) -> None:
    start("secret")
    unheard.refuse(listener, {Channel.objects.get().life: "ERR not now."}, None)

    why = api.get(f"{CHANNELS}/secret").json()["why_not_heard"]

    assert why.endswith(" may not subscribe to it: ERR not now. It is tried again by itself.")


def test_a_channel_that_redis_refuses_says_why_and_the_others_are_heard(api: Any, listener: Any) -> None:
    start("orders")
    start("secret")
    _hear("orders")
    row = Channel.objects.get(channel="secret").life
    unheard.refuse(listener, {row: "NOPERM No permissions to access a channel"}, None)

    rows = {row["channel"]: row for row in api.get(CHANNELS).json()["results"]}

    assert rows["orders"]["why_not_heard"] is None
    assert rows["secret"]["subscription_status"] == "INACTIVE"
    assert rows["secret"]["why_not_heard"].endswith(
        " may not subscribe to it: NOPERM No permissions to access a channel. "
        "Grant its user `&secret`; it is tried again by itself."
    )
    assert rows["secret"]["open_gap"]["cause"] == "refused"
    assert rows["orders"]["open_gap"] is None


def test_the_counts_are_null_while_redis_is_away(api: Any, redis_away: None) -> None:
    start("orders")

    answer = api.get(CHANNELS)

    assert answer.status_code == 200
    assert answer.json()["results"][0]["messages_stored"] is None
    assert answer.json()["results"][0]["last_message_at"] is None
    assert answer.json()["results"][0]["recent"] is None
    assert answer.json()["results"][0]["watching"] is None


def test_the_list_goes_on_page_by_page_by_name(api: Any) -> None:
    for name in ("b", "é", "a", "d/e", "c d"):
        start(name)

    seen, address = [], f"{CHANNELS}/?limit=2"
    while address:
        answer = api.get(address)
        assert answer.json()["count"] == 5
        assert len(answer.json()["results"]) <= 2
        seen += _names(answer)
        address = answer.json()["next"]

    assert seen == ["a", "b", "c d", "d/e", "é"]


def test_a_last_page_that_is_full_has_no_next(api: Any) -> None:
    start("a")
    start("b")

    assert api.get(f"{CHANNELS}?limit=2").json()["next"] is None


def test_the_list_is_filtered_by_live_status_and_by_a_part_of_the_name(api: Any, listener: Any) -> None:
    for name in ("orders.eu", "orders.us", "100%"):
        start(name)
    _hear("orders.eu")

    assert _names(api.get(f"{CHANNELS}?status=ACTIVE")) == ["orders.eu"]
    assert _names(api.get(f"{CHANNELS}?status=INACTIVE")) == ["100%", "orders.us"]
    assert _names(api.get(f"{CHANNELS}?search=ORDERS&status=INACTIVE")) == ["orders.us"]
    assert _names(api.get(f"{CHANNELS}?search=%25")) == ["100%"]
    listener.release()
    assert _names(api.get(f"{CHANNELS}?status=ACTIVE")) == []


@pytest.mark.parametrize("channels", [1, 60])
def test_the_list_takes_four_queries_whatever_its_length(
    api: Any, listener: Any, channels: int, django_assert_num_queries: Any
) -> None:
    for number in range(channels):
        start(f"channel {number}")

    api.get(CHANNELS)  # Notes that the token was used, once a minute.
    # The token, the rows, the leases, the gaps.
    with django_assert_num_queries(4):
        assert len(_names(api.get(CHANNELS))) == channels
    if channels > 1:
        # And the count, where there are more than the page has.
        with django_assert_num_queries(5):
            answer = api.get(f"{CHANNELS}?limit=7")
        assert (len(_names(answer)), answer.json()["count"]) == (7, channels)


def test_a_patch_changes_the_policy_and_nothing_else(api: Any) -> None:
    before = start("orders")

    answer = api.patch(f"{CHANNELS}/orders", {"deduplicate": {"field": "id"}}, format="json")

    after = Channel.objects.get()
    assert answer.status_code == 200
    assert answer.json()["deduplicate"] == after.deduplicate == {"field": "id"}
    assert after.updated_at > before.updated_at
    assert (after.pk, after.channel, after.created_at) == (before.pk, "orders", before.created_at)


@pytest.mark.parametrize("body", [{}, {"deduplicate": "never"}, {"channel": "x", "deduplicate": "every"}])
def test_a_bad_patch_changes_nothing(api: Any, body: object) -> None:
    start("orders", EVERY)

    assert api.patch(f"{CHANNELS}/orders", body, format="json").status_code == 400
    assert Channel.objects.get().deduplicate == "every"


def test_a_patch_of_an_unknown_channel_is_404(api: Any) -> None:
    assert api.patch(f"{CHANNELS}/orders", {"deduplicate": "every"}, format="json").status_code == 404


def test_deleting_a_channel_stops_it(api: Any) -> None:
    start("orders")

    assert api.delete(f"{CHANNELS}/orders/").status_code == 204
    assert not Channel.objects.exists()
