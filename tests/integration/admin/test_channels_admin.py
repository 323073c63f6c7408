"""Channels in Django's admin."""

from datetime import UTC, datetime
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from channels_app.models import Channel, Gap
from channels_app.registration import start
from leases_app.models import Lease
from relaybase import keys
from tests.integration.admin.filled import filled

pytestmark = pytest.mark.django_db

LIST = "/admin/channels_app/channel/"
ADD = LIST + "add/"
NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The channels that listeners were told of."""
    names: list[str] = []

    def wake(places: Any) -> bool:
        names.extend(name for _, name in places)
        return True

    monkeypatch.setattr("channels_app.registration.wake", wake)
    return names


def _page(browser: Client, address: str) -> str:
    return browser.get(address).content.decode()


def _policy(kind: str, field: str = "") -> dict[str, str]:
    return {"deduplicate_0": kind, "deduplicate_1": field}


def _act(browser: Client, action: str, *channels: Channel) -> str:
    data = {"action": action, "_selected_action": [channel.pk for channel in channels]}
    return browser.post(LIST, data, follow=True).content.decode()


def test_the_site_leads_to_the_admin(browser: Client, messages_database: str) -> None:
    for address in ("/", "/admin"):
        assert browser.get(address)["Location"] == "/admin/"
    page = browser.get("/admin/").content.decode()
    assert "Relay" in page
    for name in ("Channels", "Leases", "Periodic tasks"):
        assert name in page


def test_adding_a_channel_starts_it(
    browser: Client, told: list[str], django_capture_on_commit_callbacks: Any
) -> None:
    with django_capture_on_commit_callbacks(execute=True):
        answer = browser.post(ADD, filled(_page(browser, ADD), channel="a/b c", **_policy("field", "id")))

    assert answer["Location"] == LIST
    assert Channel.objects.get().deduplicate == {"field": "id"}
    assert told == ["a/b c"]


def test_each_setting_of_the_form_says_what_it_does(browser: Client) -> None:
    shown = browser.get(ADD).context["adminform"].form

    assert [field.name for field in shown.visible_fields() if not field.help_text] == ["channel"]


@pytest.mark.parametrize(
    ("channel", "kind", "field", "about"),
    [
        ("orders", "content", "", "already exists"),
        ("orchestrator_channel", "content", "", "cannot be relayed"),
        ("a\nb", "content", "", "control characters"),
        ("", "content", "", "required"),
        ("bills", "never", "", "not one of the available choices"),
        ("bills", "field", "a\0", "Null characters are not allowed"),
        ("bills", "field", "x" * 101, "deduplicate must be"),
        ("bills", "field", "", "Say by which field."),
    ],
)
def test_the_form_says_what_is_wrong(
    browser: Client, channel: str, kind: str, field: str, about: str
) -> None:
    start("orders")

    page = _page(browser, ADD)
    answer = browser.post(ADD, filled(page, channel=channel, **_policy(kind, field)))

    assert answer.status_code == 200
    assert about in answer.content.decode()
    assert Channel.objects.count() == 1


def test_somebody_who_was_quicker_is_an_error_on_the_page(
    browser: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    start("orders")
    monkeypatch.setattr("django.forms.ModelForm.validate_unique", lambda form: None)

    answer = browser.post(ADD, filled(_page(browser, ADD), channel="orders"), follow=True)

    assert "is relayed already" in answer.content.decode()


def test_a_channel_is_not_renamed_but_its_policy_changes(
    browser: Client, told: list[str], django_capture_on_commit_callbacks: Any
) -> None:
    channel = start("orders")
    address = reverse("admin:channels_app_channel_change", args=[channel.pk])

    with django_capture_on_commit_callbacks(execute=True):
        browser.post(address, filled(_page(browser, address), channel="bills", **_policy("every")))

    channel.refresh_from_db()
    assert (channel.channel, channel.deduplicate) == ("orders", "every")
    assert told == ["orders"]


def test_a_channels_page_says_who_listens_and_what_is_stored(
    browser: Client, listener: Any, relay_keys: Any
) -> None:
    channel = start("orders")
    Channel.objects.update(subscription_status="ACTIVE", active_since=NOON)
    relay_keys.hset(keys.stored(0), "orders", 1234)

    page = browser.get(reverse("admin:channels_app_channel_change", args=[channel.pk])).content.decode()

    lease = Lease.objects.get()
    assert f"{lease.host}, pid {lease.pid}" in page
    assert "1,234" in page
    assert "Listener:" in page
    assert "Why not heard:" not in page
    assert "2026-11-21 12:00:00</div>" in page


def test_a_channels_page_says_why_it_is_not_heard_and_whether_that_is_a_gap(
    browser: Client, listener: Any, relay_keys: Any
) -> None:
    channel = start("orders")
    Channel.objects.update(subscription_status="ACTIVE", active_since=NOON)
    listener.release()
    address = reverse("admin:channels_app_channel_change", args=[channel.pk])

    page = browser.get(address).content.decode()
    Gap.objects.create(partition=0, began_at=NOON, cause=Gap.Cause.DEAF)
    later = browser.get(address).content.decode()

    assert "Why not heard:" in page
    assert "Listener:" not in page
    assert "Nobody listens to partition 0" in page
    assert "2026-11-21 12:00" not in page, "it was ACTIVE once"
    assert "not heard, and no gap is recorded yet (" in page
    assert "not heard since 2026-11-21 12:00:00: the listener hears nothing (" in later


def test_a_channels_page_says_when_redis_is_away(browser: Client, redis_away: None) -> None:
    channel = start("orders")

    page = browser.get(reverse("admin:channels_app_channel_change", args=[channel.pk])).content.decode()

    assert "unknown: Redis does not answer" in page
    assert "Nobody listens to partition 0" in page


def test_the_list_shows_the_live_status_and_filters_by_it(browser: Client, listener: Any) -> None:
    start("loudly")
    start("deaf")
    Channel.objects.filter(channel="loudly").update(subscription_status="ACTIVE")

    assert "loudly" in browser.get(f"{LIST}?status=ACTIVE").content.decode()
    assert "deaf" not in browser.get(f"{LIST}?status=ACTIVE").content.decode()
    listener.release()
    assert "loudly" not in browser.get(f"{LIST}?status=ACTIVE").content.decode()
    assert "loudly" in browser.get(f"{LIST}?status=INACTIVE&q=loud&partition=0").content.decode()


def test_the_list_takes_as_many_queries_for_many_as_for_one(
    browser: Client, listener: Any, django_assert_max_num_queries: Any
) -> None:
    for number in range(40):
        start(f"channel {number}")

    with django_assert_max_num_queries(6):
        assert "channel 39" in browser.get(LIST).content.decode()


def test_deleting_one_channel_stops_it(
    browser: Client, told: list[str], django_capture_on_commit_callbacks: Any
) -> None:
    channel = start("orders")
    address = reverse("admin:channels_app_channel_delete", args=[channel.pk])

    with django_capture_on_commit_callbacks(execute=True):
        browser.post(address, {"post": "yes"})

    assert not Channel.objects.exists()
    assert told == ["orders"]


def test_deleting_several_channels_stops_them(
    browser: Client, told: list[str], django_capture_on_commit_callbacks: Any
) -> None:
    stopped = [start("a"), start("b")]
    start("c")
    data = {
        "action": "delete_selected",
        "_selected_action": [channel.pk for channel in stopped],
        "post": "yes",
    }

    with django_capture_on_commit_callbacks(execute=True):
        browser.post(LIST, data)

    assert [channel.channel for channel in Channel.objects.all()] == ["c"]
    assert sorted(told) == ["a", "b"]


def test_stopping_is_in_the_log_of_the_admin(browser: Client, operator: Any) -> None:
    channel = start("orders")
    data = {"action": "delete_selected", "_selected_action": [channel.pk], "post": "yes"}
    page = browser.post(LIST, data, follow=True).content.decode()

    assert "Successfully deleted 1 channel." in page
    assert operator.logentry_set.get().object_repr == "orders"


def test_start_again_has_the_listeners_look(browser: Client, told: list[str]) -> None:
    page = _act(browser, "start_again", start("a"), start("b"))

    assert "The listeners look at these channels now." in page
    assert sorted(told) == ["a", "b"]


def test_start_again_says_when_redis_is_away(browser: Client, redis_away: None) -> None:
    assert "Redis does not answer" in _act(browser, "start_again", start("a"))
