"""Gaps in Django's admin."""

from datetime import UTC, datetime, timedelta
from html import unescape
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from channels_app.models import Channel, Gap
from channels_app.registration import start

pytestmark = pytest.mark.django_db

LIST = "/admin/channels_app/gap/"
NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)


def _gap(channel: str = "", *, is_open: bool = False, **more: Any) -> Gap:
    columns = {"partition": 0, "cause": Gap.Cause.NO_LISTENER, "missed_at_most": 1234, **more}
    ended_at = None if is_open else NOON + timedelta(seconds=5)
    return Gap.objects.create(channel=channel, began_at=NOON, ended_at=ended_at, **columns)


def _page(browser: Client, address: str) -> str:
    answer = browser.get(address)
    assert answer.status_code == 200
    return unescape(answer.content.decode())


def _shown(browser: Client, query: str) -> set[int]:
    found = _page(browser, f"{LIST}?{query}")
    return {gap.pk for gap in Gap.objects.all() if f"{LIST}{gap.pk}/change/" in found}


def test_the_list_says_what_was_missed(browser: Client) -> None:
    _gap()
    _gap("orders", cause=Gap.Cause.LATE, missed_at_most=None)

    page = _page(browser, LIST)

    for text in ("every channel", "2026-11-21 12:00:05.000", "orders", "1,234", "not known", "subscribed"):
        assert text in page


def test_the_list_is_filtered(browser: Client, settings: Any) -> None:
    settings.RELAY_PARTITIONS = 2
    place = start("orders").partition
    whole, own = _gap(partition=place).pk, _gap("orders", partition=place, is_open=True).pk
    others = _gap("bills", partition=place, cause=Gap.Cause.LATE).pk
    elsewhere = _gap(partition=1 - place, covered=True).pk

    assert _shown(browser, "open=true") == {own}
    assert _shown(browser, "open=false") == {whole, others, elsewhere}
    assert _shown(browser, f"partition={place}") == {whole, own, others}
    assert _shown(browser, "cause=subscribed+late") == {others}
    assert _shown(browser, "covered__exact=1") == {elsewhere}
    assert _shown(browser, "touching=orders") == {whole, own}
    assert _shown(browser, "q=bill") == {others}


def test_nobody_changes_a_gap(browser: Client) -> None:
    gap = _gap()

    assert "1,234" in _page(browser, f"{LIST}{gap.pk}/change/")
    for address in (f"{LIST}add/", f"{LIST}{gap.pk}/delete/"):
        assert browser.post(address, {"post": "yes"}).status_code == 403
    assert browser.post(f"{LIST}{gap.pk}/change/", {"partition": 7}).status_code == 403
    assert Gap.objects.get().partition == 0


def test_a_channel_shows_since_when_it_is_complete_and_leads_to_its_gaps(
    browser: Client, listener: Any, relay_keys: Any
) -> None:
    channel = start("a&b")
    address = reverse("admin:channels_app_channel_change", args=[channel.pk])
    Channel.objects.update(subscription_status="ACTIVE", active_since=NOON, first_heard_at=NOON)
    assert "2026-11-21 12:00:00 (" in _page(browser, address)
    assert f'href="{LIST}?touching=a%26b"' in _page(browser, address)

    _gap()
    assert "2026-11-21 12:00:05 (" in _page(browser, address)
    _gap("a&b", is_open=True)
    assert "not heard since 2026-11-21 12:00:00: no listener" in _page(browser, address)
