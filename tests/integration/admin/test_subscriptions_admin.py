"""Subscriptions in the admin: made, looked at, paused, and sought after a look at what that means."""

import re
from typing import Any

import pytest
from django.contrib.auth.models import Permission
from django.test import Client
from django.urls import reverse

from access_app.models import AuditEntry
from relaycore.delivering import beginning
from relaycore.delivering.leasing import State
from relaycore.position import START
from subscribers_app import dead, registration, seeking
from subscribers_app.models import Subscription
from tests.integration.admin.filled import filled
from tests.integration.subscriptions.conftest import at, give, key, moment, orders, store, subscribe, wait

__all__ = ["orders", "store"]

pytestmark = pytest.mark.django_db

LIST = reverse("admin:subscribers_app_subscription_changelist")
ADD = reverse("admin:subscribers_app_subscription_add")


def _page(row: Subscription) -> str:
    return reverse("admin:subscribers_app_subscription_change", args=[row.pk])


def _act(browser: Client, action: str, *rows: Subscription, **more: Any) -> str:
    data = {"action": action, "_selected_action": [row.pk for row in rows], **more}
    return browser.post(LIST, data, follow=True).content.decode()


def test_the_list_says_how_far_each_is_behind(browser: Client, orders: Any, store: Any) -> None:
    store(1, 2, 3)
    subscribe(), subscribe("audit", "cursor", "latest")
    html = browser.get(LIST).content.decode()
    assert '<td class="field-behind">3</td>' in html
    assert '<td class="field-behind">0</td>' in html
    assert "never" in html
    assert "audit" not in browser.get(LIST, {"q": "bill"}).content.decode().split("result_list")[1]


def test_one_is_made(browser: Client, orders: Any) -> None:
    said = filled(browser.get(ADD).content.decode(), name="billing", channel=orders.pk, mode="lease")
    html = browser.post(ADD, {**said, "max_deliveries": 5}, follow=True).content.decode()
    row = Subscription.objects.get()
    assert "was added successfully" in html
    assert (row.position, row.max_deliveries, row.filter) == (START, 5, None)
    entry = AuditEntry.objects.get(action="subscription created")
    assert (entry.actor, entry.via) == ("operator", "session")


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        ({"mode": "cursor", "max_deliveries": 5}, "Only in the mode"),
        ({"filter": '{"kind": "new"}'}, "is not a list"),
        ({"start_0": "time", "start_1": "noon"}, "A time is one such as"),
        ({"start_0": "position", "start_1": "7"}, "A position is one that"),
        ({"name": "with a space"}, "A name has 1 to 100 letters"),
        ({"order": "field"}, "A field to order by has 1 to 100"),
        ({"order_field": "customer"}, "A field to order by goes with the order"),
    ],
)
def test_what_cannot_be_meant_is_said_in_the_form(browser: Client, orders: Any, wrong: Any, why: str) -> None:
    said = filled(browser.get(ADD).content.decode(), name="billing", channel=orders.pk, mode="lease")
    html = browser.post(ADD, {**said, **wrong}).content.decode()
    assert why in html
    assert not Subscription.objects.exists()


def test_the_page_of_one_says_where_it_stands(browser: Client, orders: Any, store: Any) -> None:
    store(1, 2, 3, 4)
    row = subscribe()
    give(row, [1, 2], State.DEAD, why="given <back>")
    give(row, [3, 5])
    dead.skip(row, key(2))
    html = browser.get(_page(row)).content.decode()
    for said in (key(1).hex(), key(3).hex(), at(5), "given &lt;back&gt;", "somebody skipped it", "leased"):
        assert said in html
    assert key(2).hex() not in html
    assert "wait for their turn" not in html
    wait(row, 5, 9, 12)
    assert "; 12 wait for their turn" in browser.get(_page(row)).content.decode()
    cursor = browser.get(_page(subscribe("audit", "cursor"))).content.decode()
    assert "before the first message" in cursor
    assert "Dead letters" not in cursor
    assert "max_deliveries" not in cursor


def test_of_many_dead_letters_the_lowest_are_shown(browser: Client, orders: Any) -> None:
    row = subscribe()
    for number in range(25, 0, -1):
        give(row, [number], State.DEAD)
    html = browser.get(_page(row)).content.decode()
    assert "25; the lowest 20 are shown" in html
    assert [number for number in range(1, 26) if key(number).hex() in html] == list(range(1, 21))


def test_no_filter_is_shown_as_nothing(browser: Client, orders: Any) -> None:
    row = subscribe()
    html = browser.get(_page(row)).content.decode()
    (shown,) = re.findall(r'<textarea name="filter"[^>]*>(.*?)</textarea>', html, re.DOTALL)
    assert not shown.strip()
    browser.post(_page(row), filled(html), follow=True)
    row.refresh_from_db()
    assert row.filter is None
    assert not AuditEntry.objects.filter(action="subscription changed").exists()


def test_an_order_by_a_field_is_for_good(browser: Client, orders: Any) -> None:
    said = filled(browser.get(ADD).content.decode(), name="billing", channel=orders.pk, mode="lease")
    browser.post(ADD, {**said, "order": "field", "order_field": "customer"}, follow=True)
    row = Subscription.objects.get()
    assert row.order_as_json == {"field": "customer"}
    html = browser.get(_page(row)).content.decode()
    assert 'name="order' not in html
    assert "customer" in html
    browser.post(_page(row), filled(html, delay_seconds="7"))
    row.refresh_from_db()
    assert (row.order_as_json, row.delay_seconds) == ({"field": "customer"}, 7)

    other = browser.get(_page(subscribe("shipping"))).content.decode()
    assert 'name="order"' in other
    assert 'value="field"' not in other
    assert 'name="order_field"' not in other


def test_only_what_was_changed_is_changed(browser: Client, orders: Any) -> None:
    row = subscribe(filter={"kind": ["new"]})
    said = filled(browser.get(_page(row)).content.decode(), delay_seconds="7", filter='{"kind":["new"]}')
    browser.post(_page(row), said)
    row.refresh_from_db()
    assert (row.delay_seconds, row.filter) == (7, {"kind": ["new"]})
    assert AuditEntry.objects.get(action="subscription changed").details == {
        "from_position": START,
        "delay_seconds": 7,
    }


def test_what_somebody_else_has_changed_is_not_overwritten(browser: Client, orders: Any) -> None:
    row = subscribe()
    said = filled(browser.get(_page(row)).content.decode(), delay_seconds="7")
    registration.change("billing", max_deliveries=3)
    assert "has been changed meanwhile" in browser.post(_page(row), said, follow=True).content.decode()
    row.refresh_from_db()
    assert (row.delay_seconds, row.max_deliveries) == (0, 3)


def test_pausing_and_resuming(browser: Client, orders: Any) -> None:
    row, other = subscribe(), subscribe("audit", "cursor")
    assert "2 subscriptions paused." in _act(browser, "pause", row, other)
    assert set(Subscription.objects.values_list("state", flat=True)) == {"paused"}
    assert "1 subscription resumed." in _act(browser, "resume", row)
    row.refresh_from_db()
    assert row.state == "active"


def test_a_seek_is_shown_before_it_is_done(browser: Client, orders: Any, store: Any) -> None:
    store(1, 2, 3)
    row = subscribe()
    asked = _act(browser, "seek", row)
    assert "Move the cursor" not in asked

    to = {"to_0": "time", "to_1": moment(3).isoformat()}
    tried = _act(browser, "seek", row, **to, _try="1")
    assert "2 are not handed out, and go on record as undelivered" in tried
    assert "Move the cursor" in tried
    row.refresh_from_db()
    assert (row.position, row.generation) == (START, 1)

    assert "1 subscription moved." in _act(browser, "seek", row, **to, _do="1")
    row.refresh_from_db()
    assert at(2) < row.position < at(3)
    assert "A time is one such as" in _act(browser, "seek", row, to_0="time", to_1="noon", _do="1")


def test_while_redis_is_away_nothing_moves(browser: Client, orders: Any, redis_away: Any) -> None:
    row = subscribe()
    for button in ("_try", "_do"):
        assert "Redis does not answer" in _act(browser, "seek", row, to_0="latest", **{button: "1"})
    row.refresh_from_db()
    assert row.generation == 1
    said = filled(browser.get(ADD).content.decode(), name="x", channel=orders.pk, mode="lease")
    html = browser.post(ADD, {**said, "start_0": "latest"}, follow=True).content.decode()
    assert "Redis does not answer" in html
    assert Subscription.objects.count() == 1


def test_deleting_is_on_record(browser: Client, orders: Any, store: Any) -> None:
    row, other = subscribe(), subscribe("audit", "cursor")
    give(row, [1], State.DEAD)
    seeking.seek("billing", beginning.parse("latest"))
    browser.post(reverse("admin:subscribers_app_subscription_delete", args=[row.pk]), {"post": "yes"})
    assert list(Subscription.objects.all()) == [other]
    _act(browser, "delete_selected", other, post="yes")
    deleted = AuditEntry.objects.filter(action="subscription deleted").values_list("target", flat=True)
    assert sorted(deleted) == ["audit", "billing"]


def test_who_may_only_look_changes_nothing(django_user_model: Any, orders: Any) -> None:
    row = subscribe()
    user = django_user_model.objects.create_user("looker", is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename="view_subscription"))
    browser = Client()
    browser.force_login(user)
    assert browser.get(LIST).status_code == browser.get(_page(row)).status_code == 200
    assert browser.get(ADD).status_code == 403
    for action in ("pause", "seek", "delete_selected"):
        _act(browser, action, row, post="yes", to_0="latest", _do="1")
    row.refresh_from_db()
    assert (row.state, row.generation) == ("active", 1)
