"""Messages in the admin: to look through, to search, to read; never to change."""

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Permission
from django.test import Client
from django.urls import reverse

from channels_app.models import Gap
from leases_app import partitioning
from relaybase import keys
from relaycore.channels import partition_of
from tests.integration.conftest import profiled

from .conftest import START, Store

pytestmark = pytest.mark.django_db

LIST = reverse("admin:messages_app_message_changelist")


def page(browser: Client, **query: str) -> str:
    answer = browser.get(LIST, query)
    assert answer.status_code == 200
    return answer.content.decode()


def texts(html: str) -> list[str]:
    return re.findall(r'<td class="text"><div>(.*?)</div></td>', html, re.DOTALL)


def link(html: str, label: str) -> str:
    (address,) = re.findall(rf'<a href="([^"]*)">{label}</a>', html)
    return address.replace("&amp;", "&")


def test_the_first_page_has_the_newest_of_all_channels(browser: Client, store: Store) -> None:
    store("orders", "first", "second")
    store("payments", *[f"payment {n}" for n in range(4)])

    found = texts(page(browser))
    assert found[:2] == ["payment 3", "payment 2"]
    assert set(found[2:4]) == {"payment 1", "second"}
    assert set(found[4:]) == {"payment 0", "first"}


def test_the_newest_are_below_the_watermark(browser: Client, store: Store, relay_keys: Any) -> None:
    store("orders", *[f"text {n}" for n in range(4)])
    waiting = int((START + timedelta(seconds=2)).timestamp() * 1000)
    relay_keys.xadd(keys.stream(0), {"still": "to be stored"}, id=f"{waiting}-0")

    assert texts(page(browser)) == ["text 1", "text 0"]


def test_the_newest_of_several_partitions_come_from_the_index(
    browser: Client, store: Store, archive: Any, settings: Any, relay_keys: Any
) -> None:
    settings.RELAY_PARTITIONS = 2
    channels = [f"channel {n}" for n in range(6)]
    assert {partition_of(channel, 2) for channel in channels} == {0, 1}
    for channel in channels:
        store(channel, *[f"{channel} {n:02d}" for n in range(30)])
    waiting = int((START + timedelta(seconds=28)).timestamp() * 1000)
    relay_keys.xadd(keys.stream(1), {"still": "to be stored"}, id=f"{waiting}-0")

    with profiled(archive) as seen:
        found = texts(page(browser))

    assert len(found) == 50
    newest = {text for text in found if text.endswith((" 28", " 29"))}
    assert newest == {
        f"{channel} {n}" for channel in channels if partition_of(channel, 2) == 0 for n in (28, 29)
    }
    (question,) = seen
    assert question["docsExamined"] <= 50
    assert question["keysExamined"] <= 70
    assert "hasSortStage" not in question


def test_where_nothing_is_stored_the_page_says_so(browser: Client, archive: Any, relay_keys: Any) -> None:
    assert "Nothing is stored yet." in page(browser)
    assert "No message here matches." in page(browser, channel="orders")


def test_pages_go_back_and_forth_and_show_each_message_once(browser: Client, store: Store) -> None:
    store("orders", *[f"text {n:03d}" for n in range(120)])

    first = page(browser, channel="orders")
    second = browser.get(LIST + link(first, "Older &rarr;")).content.decode()
    third = browser.get(LIST + link(second, "Older &rarr;")).content.decode()

    assert texts(first) + texts(second) + texts(third) == [f"text {n:03d}" for n in reversed(range(120))]
    assert "Older" not in third
    assert "Newer" not in first
    back = browser.get(LIST + link(third, "&larr; Newer")).content.decode()
    assert texts(back) == texts(second)
    assert texts(browser.get(LIST + link(back, "&larr; Newer")).content.decode()) == texts(first)
    assert texts(browser.get(LIST + link(third, "Newest")).content.decode()) == texts(first)


def test_times_narrow_the_list_on_every_page(browser: Client, store: Store) -> None:
    store("orders", *[f"text {n:03d}" for n in range(120)])

    html = page(browser, channel="orders", since="2026-11-21T12:00:10", until="2026-11-21T12:01:05")
    found = texts(html) + texts(browser.get(LIST + link(html, "Older &rarr;")).content.decode())

    assert found == [f"text {n:03d}" for n in reversed(range(10, 65))]


def test_text_is_searched_as_it_is_given(browser: Client, store: Store) -> None:
    store("orders", "a.c", "abc", "A.C", '{"name": "a.c"}')

    assert texts(page(browser, channel="orders", contains="a.c")) == [
        "{&quot;name&quot;: &quot;a.c&quot;}",
        "a.c",
    ]


def test_a_search_that_takes_too_long_says_what_to_do(
    browser: Client, store: Store, give_up: Callable[[], None]
) -> None:
    store("orders", "text")
    give_up()

    assert "Give a shorter time to search in." in page(browser, channel="orders", contains="a")


def test_data_that_are_divided_otherwise_are_not_shown(browser: Client, store: Store, settings: Any) -> None:
    store("orders", "text")
    partitioning.require()
    settings.RELAY_PARTITIONS = 2

    html = page(browser, channel="orders")

    assert texts(html) == []
    assert "RELAY_PARTITIONS is 2, but the data are divided into 1." in html


@pytest.mark.parametrize(
    ("query", "says"),
    [
        ({"contains": "x"}, "Say in which channel."),
        ({"since": "2026-11-21T12:00"}, "Say in which channel."),
        ({"channel": "orders", "since": "yesterday"}, "Enter a valid date/time."),
        ({"channel": "orders", "since": "1969-12-31T23:59"}, "Give a time from 1970 to 2286."),
        ({"channel": "orders", "until": "9999-12-31T23:59"}, "Give a time from 1970 to 2286."),
        ({"channel": "orders", "below": "$gt"}, "This page is not one that a link gave."),
        ({"channel": "a\0b"}, "Null characters are not allowed."),
    ],
)
def test_what_cannot_be_asked_says_why(
    browser: Client, relay_keys: Any, query: dict[str, str], says: str
) -> None:
    assert says in page(browser, **query)


def test_a_page_says_that_redis_is_away(browser: Client, redis_away: None) -> None:
    shown = page(browser)
    assert "A server does not answer." in shown
    assert "Nothing to show." not in shown


HOSTILE = '<script>alert(1)</script><img src=x onerror="alert(2)">'


def test_hostile_channels_and_messages_stay_text(browser: Client, store: Store) -> None:
    (key,) = store(HOSTILE, HOSTILE + "\u202e")
    detail = browser.get(reverse("admin:messages_app_message_change", args=[key])).content.decode()
    lists = [page(browser), page(browser, channel=HOSTILE), page(browser, channel=HOSTILE, contains=HOSTILE)]

    for html in [detail, *lists]:
        assert "<script>alert" not in html
        assert "<img src=x" not in html
        assert "&lt;script&gt;alert(1)" in html
        assert "⟨202E⟩" in html


def test_a_messages_page_sets_out_json(browser: Client, store: Store) -> None:
    key = store("orders", '{"id": 7, "tags": ["a"]}')[0]

    html = browser.get(reverse("admin:messages_app_message_change", args=[key])).content.decode()

    assert '<span class="json-key">&quot;tags&quot;</span>: [\n' in html
    assert "JSON, 24 B" in html


def test_a_messages_page_says_what_its_publisher_said(browser: Client, store: Store, archive: Any) -> None:
    (key,) = store("orders", "hello")
    address = reverse("admin:messages_app_message_change", args=[key])
    assert "Published by" not in browser.get(address).content.decode()
    said = {"attributes": {"items": "<b>1</b>", "kind": "new"}, "content_type": "text/\u202ex"}
    archive.update_one({}, {"$set": said | {"produced_by": "billing & more"}})

    page = browser.get(address).content.decode()

    assert "<dt>Published by</dt><dd>billing &amp; more</dd>" in page
    assert "<dt>Content type</dt><dd>text/⟨202E⟩x</dd>" in page
    assert "<dt>items</dt><dd>&lt;b&gt;1&lt;/b&gt;</dd>" in page
    assert "<dt>kind</dt><dd>new</dd>" in page


def test_a_messages_page_shows_bytes(browser: Client, store: Store) -> None:
    key = store("orders", b"\xff\x00")[0]

    html = browser.get(reverse("admin:messages_app_message_change", args=[key])).content.decode()

    assert "bytes, 2 B" in html
    assert "00000000  ff 00" in html
    assert '<span class="pill">bytes</span>' in page(browser, channel="orders")


@pytest.mark.parametrize("key", ["0" * 24, "none", "_id"])
def test_there_is_no_page_for_a_message_that_is_not_there(browser: Client, archive: Any, key: str) -> None:
    assert browser.get(reverse("admin:messages_app_message_change", args=[key])).status_code == 404


def test_messages_cannot_be_changed_and_not_everybody_may_look(
    browser: Client, store: Store, client: Client, django_user_model: Any
) -> None:
    key = store("orders", "hello")[0]
    detail = reverse("admin:messages_app_message_change", args=[key])
    for name in ("add", "delete"):
        arguments = [key] if name == "delete" else []
        assert browser.get(reverse(f"admin:messages_app_message_{name}", args=arguments)).status_code == 403

    clerk = django_user_model.objects.create_user("clerk", is_staff=True)
    client.force_login(clerk)
    assert [client.get(address).status_code for address in (LIST, detail)] == [403, 403]
    clerk.user_permissions.add(Permission.objects.get(codename="view_message"))
    assert [client.get(address).status_code for address in (LIST, detail)] == [200, 200]


def test_every_page_comes_from_the_index(browser: Client, store: Store, archive: Any) -> None:
    store("orders", *[f"text {n}" for n in range(200)])
    store("payments", *[f"payment {n}" for n in range(200)])

    with profiled(archive) as seen:
        page(browser)
        page(browser, channel="orders")

    assert [question["op"] for question in seen] == ["query", "query"]
    for question in seen:
        assert question["docsExamined"] <= 51
        assert question["keysExamined"] <= 60
        assert "hasSortStage" not in question


def _gap(channel: str, began: float, ended: float | None, **more: Any) -> None:
    Gap.objects.create(
        partition=0,
        partitions=1,
        channel=channel,
        cause="refused",
        began_at=START + timedelta(seconds=began),
        ended_at=None if ended is None else START + timedelta(seconds=ended),
        **more,
    )


def _order(html: str) -> list[tuple[str, str]]:
    """Texts and gaps as they follow one another."""
    return re.findall(r'<td class="text"><div>(.*?)</div>|Not heard</a> [0-9-]+ ([0-9:.]+)', html, re.DOTALL)


def test_gaps_lie_between_the_rows_of_a_channel(browser: Client, store: Store) -> None:
    store("orders", *[f"text {n}" for n in range(3)])
    _gap("orders", 0.5, 0.7, missed_at_most=3)
    _gap("orders", -10, -9, missed_at_most=None)
    _gap("", 1.5, 1.6, missed_at_most=1)
    _gap("orders", 5, None)
    _gap("payments", 0.5, 0.6)
    _gap("orders", 0.2, 0.3, covered=True)

    html = page(browser, channel="orders")

    first = f"{START:%H:%M:%S}"
    assert [text or at for text, at in _order(html)] == [
        f"{START + timedelta(seconds=5):%H:%M:%S}.000",
        "text 2",
        f"{START + timedelta(seconds=1):%H:%M:%S}.500",
        "text 1",
        f"{first}.500",
        "text 0",
        f"{START - timedelta(seconds=10):%H:%M:%S}.000",
    ]
    assert "at most 3 messages missed" in html
    assert "nobody knows how much was missed" in html
    assert "every channel of partition 0" in html
    # Not what lies outside of what was asked for.
    narrow = page(browser, channel="orders", until=f"{START + timedelta(seconds=1):%Y-%m-%dT%H:%M:%S}")
    assert [text or at for text, at in _order(narrow)][:2] == [f"{first}.500", "text 0"]


def test_gaps_lie_between_the_newest_of_all_channels(browser: Client, store: Store) -> None:
    store("orders", "text 0", "text 1")
    _gap("<b>payments", 0.5, 0.6)
    _gap("payments", -10, -9)

    html = page(browser)

    assert [bool(text) for text, _ in _order(html)] == [True, False, True]
    assert "&lt;b&gt;payments, " in html


def test_of_many_gaps_as_many_are_shown_as_a_page_has_messages(browser: Client, store: Store) -> None:
    store("orders", "text 0")
    for number in range(53):
        _gap("orders", 10 + number, 10.5 + number)

    html = page(browser, channel="orders")

    assert len(_order(html)) == 51
    assert "3 more gaps</a>" in html


@pytest.mark.parametrize("channel", ["", "orders"])
def test_gaps_are_for_those_who_may_see_gaps(
    client: Client, store: Store, django_user_model: Any, channel: str
) -> None:
    store("orders", "text 0", "text 1")
    _gap("orders", 0.5, 0.6, missed_at_most=3)
    clerk = django_user_model.objects.create_user("clerk", is_staff=True)
    clerk.user_permissions.add(Permission.objects.get(codename="view_message"))
    client.force_login(clerk)

    html = page(client, channel=channel)

    assert texts(html) == ["text 1", "text 0"]
    assert len(_order(html)) == 2
    assert "messages missed" not in html
    clerk.user_permissions.add(Permission.objects.get(codename="view_gap"))
    assert "at most 3 messages missed" in page(client, channel=channel)
