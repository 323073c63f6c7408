"""Subscriptions in the admin: made, looked at, paused, and sought after a look at what that means."""

import re
import time
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission
from django.db import connection, transaction
from django.test import Client
from django.urls import reverse

from access_app.models import AuditEntry
from relaycore.delivering import beginning
from relaycore.delivering.cursor import first_generation
from relaycore.delivering.leasing import State
from relaycore.position import START
from subscribers_app import dead, ended, registration, seeking
from subscribers_app.admin.decisions import DECISIONS
from subscribers_app.models import Subscription
from subscribers_app.pulling import sums
from subscribers_app.pulling.sums import Sums
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
    assert '<td class="field-rate">0</td>' in html
    assert '<td class="field-answered_last">never</td>' in html
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
        ({"start": "time", "start_time": "noon"}, "A time is one such as"),
        ({"start": "position", "start_position": "7"}, "A position is one that"),
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
    assert "parked" not in html
    row.deliveries.filter(position=at(5)).update(key="c" * 24, attempt=2)
    Subscription.objects.filter(pk=row.pk).update(order="field", order_field="custo<mer")
    assert "; 1 value of custo&lt;mer parked" in browser.get(_page(row)).content.decode()
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

    to = {"to": "time", "to_time": moment(3).isoformat()}
    tried = _act(browser, "seek", row, **to, _try="1")
    assert "2 messages are not handed out any more. That goes on record as undelivered." in tried
    assert "Move the cursor" in tried
    row.refresh_from_db()
    assert (row.position, row.generation) == (START, first_generation(row.pk))

    assert "1 subscription moved." in _act(browser, "seek", row, **to, _do="1")
    row.refresh_from_db()
    assert at(2) < row.position < at(3)
    assert "A time is one such as" in _act(browser, "seek", row, to="time", to_time="noon", _do="1")


def test_while_redis_is_away_nothing_moves(browser: Client, orders: Any, redis_away: Any) -> None:
    row = subscribe()
    for button in ("_try", "_do"):
        assert "Redis does not answer" in _act(browser, "seek", row, to="latest", **{button: "1"})
    row.refresh_from_db()
    assert row.generation == first_generation(row.pk)
    said = filled(browser.get(ADD).content.decode(), name="x", channel=orders.pk, mode="lease")
    html = browser.post(ADD, {**said, "start": "latest"}, follow=True).content.decode()
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
        _act(browser, action, row, post="yes", to="latest", _do="1")
    give(row, [1], State.DEAD)
    assert not [
        verb for verb in DECISIONS if _decision(row, verb) in browser.get(_page(row)).content.decode()
    ]
    for verb in DECISIONS:
        assert browser.get(_decision(row, verb)).status_code == 403
        said = {"to": "position", "to_position": at(1), "id": key(1).hex()}
        assert browser.post(_decision(row, verb), said).status_code == 403
    row.refresh_from_db()
    assert (row.state, row.generation) == ("active", first_generation(row.pk))
    assert dead.letters(row).count() == 1
    assert set(AuditEntry.objects.filter(target="billing").values_list("action", flat=True)) == {
        "subscription created"
    }


# --- decided on the page of one ----------------------------------------------------------------


def _decision(row: Subscription, verb: str) -> str:
    return reverse("admin:subscribers_app_subscription_decide", args=[row.pk, verb])


def _look(browser: Client, row: Subscription, verb: str, **asked: Any) -> tuple[str, dict[str, Any]]:
    """What the page says, and what its button sends."""
    html = browser.get(_decision(row, verb), {"look": "1", **asked}).content.decode()
    _, _, meant = html.partition("What that would mean</h2>")
    ids = re.findall(r'name="id" value="([0-9a-f]+)"', meant)
    return html, {**filled(meant), **({"id": ids} if ids else {})}


def _done(browser: Client, row: Subscription, verb: str, said: dict[str, Any]) -> str:
    answer = browser.post(_decision(row, verb), said)
    assert answer.status_code == 302, answer.content.decode()
    assert answer["location"] == _page(row)
    return browser.get(answer["location"]).content.decode()


def _audited(action: str) -> dict[str, Any]:
    entry = AuditEntry.objects.get(action=action)
    assert (entry.actor, entry.via, entry.target) == ("operator", "session", "billing")
    details: dict[str, Any] = entry.details
    return details


def test_the_page_says_how_fast_messages_go_out_and_what_was_answered(browser: Client, orders: Any) -> None:
    row = subscribe()
    assert "<dt>Last answer</dt><dd>never</dd>" in browser.get(_page(row)).content.decode()
    with transaction.atomic(), connection.cursor() as sql:
        counts = Sums(12000, 6000, 3000, handed_out_at=time.monotonic(), nacked_at=time.monotonic() - 7)
        sums.add(sql, {row.pk: counts})
    html = browser.get(_page(row)).content.decode()
    (given, done, nacked) = re.search(
        r"<dt>Per second</dt><dd>(\d+) handed out, (\S+) done, (\S+) given back", html
    ).groups()  # type: ignore[union-attr]
    assert float(given) == pytest.approx(2 * float(done), abs=2) == pytest.approx(4 * float(nacked), abs=4)
    assert 95 <= float(given) <= 201
    assert re.search(r"<dt>Last answer</dt><dd>given back \(nack\) [78] s ago</dd>", html)


def test_one_is_paused_and_goes_on_on_its_page(browser: Client, orders: Any, store: Any) -> None:
    store(1, 2)
    row = subscribe()
    assert _decision(row, "resume") not in browser.get(_page(row)).content.decode()
    html = _done(browser, row, "pause", {"reason": "the <warehouse> moves"})
    assert "hands out nothing: the &lt;warehouse&gt; moves." in html
    assert _audited("subscription paused") == {"reason": "the <warehouse> moves"}

    html, said = _look(browser, row, "resume", to="latest")
    assert "2 messages are not handed out any more" in html
    row.refresh_from_db()
    assert (row.state, row.position) == ("paused", START)
    # What comes after the look was not shown, and is handed out.
    store(3)
    _done(browser, row, "resume", said)
    row.refresh_from_db()
    assert (row.state, row.position) == ("active", at(2))
    assert _audited("subscription resumed") == {"position": at(2)}


def test_one_goes_on_from_where_it_stands(browser: Client, orders: Any, store: Any) -> None:
    store(1)
    row = subscribe()
    registration.pause("billing")
    html, said = _look(browser, row, "resume", to="here")
    assert "from where the cursor stands" in html
    _done(browser, row, "resume", said)
    row.refresh_from_db()
    assert (row.state, row.position, row.generation) == ("active", START, first_generation(row.pk))


def test_one_is_sought_on_its_page(browser: Client, orders: Any, store: Any) -> None:
    store(1, 2, 3, 4)
    row = subscribe()
    give(row, [1, 2])
    asked = browser.get(_decision(row, "seek")).content.decode()
    assert "What that would mean</h2>" not in asked
    assert re.search(r'value="latest" checked', asked)

    html, said = _look(browser, row, "seek", to="time", to_time=f"{moment(4):%Y-%m-%dT%H:%M:%S}")
    assert "3 messages are not handed out any more. That goes on record as undelivered." in html
    row.refresh_from_db()
    assert (row.position, row.generation) == (at(2), first_generation(row.pk))
    assert not AuditEntry.objects.filter(action="subscription sought").exists()
    html = _done(browser, row, "seek", said)
    row.refresh_from_db()
    assert at(3) < row.position < at(4)
    assert _audited("subscription sought") == {"origin": at(2), "to": row.position, "messages": 3}
    assert "the cursor was moved past it" in html


def test_a_seek_back_says_what_is_let_go(browser: Client, orders: Any, store: Any) -> None:
    store(1, 2, 3)
    row = subscribe()
    give(row, [1, 2, 3])
    html, said = _look(browser, row, "seek", to="position", to_position=at(1))
    assert "2 messages between the two are handed out again, done or not." in html
    assert "1 message on their way before that place is let go. That goes on record as undelivered." in html
    _done(browser, row, "seek", said)
    assert [one.cause for one in ended.read(row, 10)] == ["seek"]


@pytest.mark.parametrize(
    ("asked", "why"),
    [
        ({"to": "time"}, "A time is one such as"),
        ({"to": "position", "to_position": "7"}, "A position is one that"),
        ({"to": "nowhere"}, "Select a valid choice"),
        ({}, "This field is required"),
    ],
)
def test_what_is_no_place_is_said(browser: Client, orders: Any, asked: Any, why: str) -> None:
    row = subscribe()
    html, _ = _look(browser, row, "seek", **asked)
    assert why in html
    assert "What that would mean</h2>" not in html
    assert browser.post(_decision(row, "seek"), asked).status_code == 200
    row.refresh_from_db()
    assert row.generation == first_generation(row.pk)


def test_dead_letters_are_handed_out_again_after_a_look(browser: Client, orders: Any, store: Any) -> None:
    store(1, 2, 3)
    row = subscribe()
    give(row, [1, 2, 3, 4], State.DEAD)
    seeking.seek("billing", beginning.parse({"position": at(2)}))

    html, said = _look(browser, row, "redrive")
    assert "2 messages are handed out again" in html
    assert "1 message cannot be, and stays here" in html
    assert "1 message stays here: the cursor was moved back" in html
    assert dead.letters(row).count() == 4
    html = _done(browser, row, "redrive", said)
    assert "2 messages are handed out again" in html
    assert [one.position for one in dead.letters(row)] == [at(3), at(4)]
    assert _audited("dead letters redriven") == {"messages": 2, "expired": 1}
    assert LogEntry.objects.filter(object_id=str(row.pk)).exists()

    html, said = _look(browser, row, "redrive", id=key(4).hex())
    assert "0 messages are handed out again" in html
    assert not said


def test_only_those_are_dropped_that_were_shown(browser: Client, orders: Any, store: Any) -> None:
    store(1, 2, 3, 4)
    row = subscribe()
    give(row, [1, 2, 3], State.DEAD)
    html, said = _look(browser, row, "drop", id=[key(1).hex(), key(2).hex()])
    assert "2 messages are let go" in html
    _done(browser, row, "drop", said)
    assert [one.position for one in dead.letters(row)] == [at(3)]

    _, said = _look(browser, row, "drop")
    give(row, [4], State.DEAD)  # Nobody has seen this one.
    html = _done(browser, row, "drop", said)
    assert [one.position for one in dead.letters(row)] == [at(4)]
    assert "somebody dropped the dead letter" in html
    dropped = AuditEntry.objects.filter(action="dead letters dropped").order_by("pk")
    assert [entry.details["messages"] for entry in dropped] == [2, 1]


def test_a_message_is_skipped_after_a_look(browser: Client, orders: Any, store: Any) -> None:
    store(1)
    row = subscribe()
    give(row, [1])
    assert "Say which message." in browser.get(_decision(row, "skip"), {"look": "1"}).content.decode()
    html, said = _look(browser, row, "skip", id=key(1).hex())
    assert "A worker that has it may not confirm it any more." in html
    _done(browser, row, "skip", said)
    assert _audited("message skipped")["id"] == key(1).hex()
    # Somebody was quicker.
    again = browser.post(_decision(row, "skip"), said)
    assert "No message with this id is on its way or dead." in again.content.decode()
    assert "24 hexadecimal digits" in _look(browser, row, "skip", id="xy")[0]


def test_where_nothing_is_leased_nothing_is_dead_on_the_page_either(browser: Client, orders: Any) -> None:
    row = subscribe(mode="cursor")
    for verb in ("redrive", "drop"):
        html, said = _look(browser, row, verb)
        assert "nothing dies or is skipped" in html
        assert not said
    assert browser.get(_decision(row, "seek").replace(str(row.pk), "77777")).status_code == 404


def test_while_redis_is_away_nothing_is_sought_on_the_page(
    browser: Client, orders: Any, redis_away: Any
) -> None:
    row = subscribe()
    assert "Redis does not answer" in _look(browser, row, "seek", to="latest")[0]
    assert "Redis does not answer" in browser.post(_decision(row, "seek"), {"to": "latest"}).content.decode()
    row.refresh_from_db()
    assert row.generation == first_generation(row.pk)
