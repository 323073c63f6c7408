"""What operators see of subscriptions: metrics, the home page, `manage.py status`."""

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from io import StringIO
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connection, transaction
from django.urls import reverse
from prometheus_client.parser import text_string_to_metric_families
from pymongo.errors import ExecutionTimeout, NetworkTimeout

from channels_app import registration as channels
from messages_app.searching import counting
from relaycore.delivering.beginning import parse
from relaycore.delivering.leasing import State
from relayproject.observing import readers
from subscribers_app import lag, measuring, registration, watching
from subscribers_app.models import (
    Delivery,
    Subscription,
    SubscriptionCounts,
    SubscriptionMinute,
    Undelivered,
)
from subscribers_app.pulling import sums
from subscribers_app.pulling.sums import Sums
from tests.integration.subscriptions.conftest import EPOCH, at, give, subscribe, wait

# Threads open connections of their own: Django asks that both databases are named.
pytestmark = pytest.mark.django_db(transaction=True, databases=["default", "messages"])

STATE = reverse("admin:state")


@pytest.fixture(autouse=True)
def _nothing_is_remembered() -> Iterator[None]:
    measuring.measuring().forget()
    yield
    measuring.measuring().forget()


def metrics(api: Any) -> dict[str, dict[tuple[str, ...], float]]:
    """By name, without what all begin with; by the values of the labels."""
    answer = api.get("/metrics")
    assert answer.status_code == 200
    found: dict[str, dict[tuple[str, ...], float]] = {}
    for family in text_string_to_metric_families(answer.content.decode()):
        for sample in family.samples:
            if sample.name.startswith("relay_subscription"):
                name = sample.name.removeprefix("relay_subscription").removeprefix("_")
                labels = (
                    sample.labels[label]
                    for label in ("subscription", "state", "cause")
                    if label in sample.labels
                )
                found.setdefault(name, {})[tuple(labels)] = sample.value
    return found


def test_each_subscription_says_what_is_not_done(api: Any, orders: Any, store: Any) -> None:
    store(1, 2, 3, 4, 5)
    billing = subscribe("billing")
    give(billing, [1, 2])
    give(billing, [3], State.DEAD)
    subscribe("audit", "cursor", "latest")
    registration.pause("audit")

    found = metrics(api)

    assert found["s"] == {("active",): 1, ("paused",): 1}
    assert found["lag_messages"] == {("billing",): 4, ("audit",): 0}
    assert found["lag_known"] == {("billing",): 1, ("audit",): 1}
    assert found["on_their_way_messages"] == {("billing",): 2, ("audit",): 0}
    assert found["dead_messages"] == {("billing",): 1, ("audit",): 0}
    assert found["active"] == {("billing",): 1, ("audit",): 0}
    age = time.time() - EPOCH / 1000 - 1
    assert found["lag_age_seconds"][("billing",)] == pytest.approx(age, abs=30)
    assert found["lag_age_seconds"][("audit",)] == 0
    assert found["idle_seconds"][("billing",)] < 30


def test_what_waits_for_its_turn_is_not_done_either(api: Any, orders: Any, store: Any) -> None:
    store(1, 2, 3, 4, 5, 6)
    row = subscribe(order="field", order_field="customer")
    give(row, [2])
    wait(row, 2, 5, 3)

    found = metrics(api)

    assert found["lag_messages"] == {("billing",): 5}
    assert found["on_their_way_messages"] == {("billing",): 1}
    seen = lag.of(row)
    assert (seen.messages, seen.is_exact) == (5, False)
    assert lag.of_all([row])[row.pk] == replace(seen, age_seconds=pytest.approx(seen.age_seconds, abs=5))
    age = time.time() - EPOCH / 1000 - 2
    assert found["lag_age_seconds"][("billing",)] == pytest.approx(age, abs=30)


def test_a_delay_is_no_fault_of_the_reader(api: Any, orders: Any, store: Any) -> None:
    store(1)
    subscribe(delay_seconds=3600)

    found = metrics(api)

    age = found["lag_age_seconds"][("billing",)]
    assert found["overdue_seconds"][("billing",)] == pytest.approx(age - 3600, abs=1)


def test_what_is_not_known_has_no_value(
    api: Any, orders: Any, store: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    store(1)
    give(subscribe(), [1], State.DEAD)

    def away(*args: Any, **options: Any) -> None:
        raise NetworkTimeout("away")

    monkeypatch.setattr(counting, "count", away)
    found = metrics(api)

    assert found["lag_known"] == {("billing",): 0}
    assert not {"lag_messages", "lag_age_seconds", "overdue_seconds"} & found.keys()
    assert found["dead_messages"] == {("billing",): 1}


def test_that_nothing_could_be_learnt_of_any_is_said(
    api: Any, orders: Any, store: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else all would seem well."""
    subscribe("billing")
    assert metrics(api)["s_known"] == {(): 1.0}

    def fail() -> Any:
        raise RuntimeError

    monkeypatch.setattr("relayproject.observing.looking.read_readers", fail)

    assert metrics(api) == {"s_known": {(): 0.0}}
    out = StringIO()
    with pytest.raises(SystemExit):  # Nobody listens.
        call_command("status", stdout=out)
    assert "subscriptions: not known" in out.getvalue()


def test_a_look_waits_for_no_count_and_asks_no_more_often_the_more_look(
    api: Any, orders: Any, store: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    store(1)
    subscribe()
    going, count, asked = threading.Event(), counting.count, []

    def slow(*args: Any, **options: Any) -> Any:
        asked.append(args)
        going.wait(20)
        return count(*args, **options)

    monkeypatch.setattr(counting, "count", slow)
    monkeypatch.setattr(readers, "_PATIENCE_SECONDS", 0.2)
    try:
        for _ in range(3):
            assert metrics(api)["lag_known"] == {("billing",): 0}
    finally:
        going.set()
    measuring.measuring()._ended.wait(10)
    for _ in range(3):
        assert metrics(api)["lag_messages"] == {("billing",): 1}
    assert len(asked) == 1


def test_one_that_takes_too_long_leaves_its_turn_to_the_others(
    api: Any, orders: Any, store: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    registration.create("slow", channels.start("bills", listen=False).channel, "lease", parse("earliest"))
    store(1)
    subscribe()
    monkeypatch.setattr(measuring, "FRESH_SECONDS", 0.0)
    count = counting.count

    def slow(channel: str, *args: Any, **options: Any) -> Any:
        if channel == "bills":
            raise ExecutionTimeout("too long")
        return count(channel, *args, **options)

    monkeypatch.setattr(counting, "count", slow)
    assert metrics(api)["lag_known"] == {("slow",): 0, ("billing",): 0}
    for _ in range(3):
        assert metrics(api)["lag_known"] == {("slow",): 0, ("billing",): 1}


def test_after_a_seek_back_what_was_measured_is_not_known(api: Any, orders: Any, store: Any) -> None:
    store(1, 2)
    row = subscribe(start="latest")
    assert metrics(api)["lag_messages"] == {("billing",): 0}
    Subscription.objects.filter(pk=row.pk).update(position=at(0))

    found = metrics(api)

    assert found["lag_known"] == {("billing",): 0}


def test_only_so_many_have_names_and_all_others_are_counted_together(
    api: Any, orders: Any, store: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(readers, "NAMED", 1)
    store(1, 2, 3)
    for name in ("first", "second", "third"):
        row = subscribe(name)
        give(row, [1], State.DEAD)
        Undelivered.objects.create(subscription=row, cause="expired", after=at(0), upto=at(1), messages=2)
    registration.pause("third")

    found = metrics(api)

    assert found["dead_messages"] == {("first",): 1, ("",): 2}
    assert found["lag_messages"] == {("first",): 2, ("",): 2}
    assert found["undelivered_messages"][("", "expired")] == 4
    assert found["s"] == {("active",): 2, ("paused",): 1}


def test_what_ended_undelivered_lately_is_told_by_cause(api: Any, orders: Any) -> None:
    row = subscribe()
    for cause, messages in (("retention", 5), ("retention", 7), ("seek", None), ("seek", 3)):
        Undelivered.objects.create(subscription=row, cause=cause, after=at(0), upto=at(9), messages=messages)
    old = Undelivered.objects.create(subscription=row, cause="drop", after=at(0), upto=at(1), messages=1)
    with connection.cursor() as sql:
        sql.execute("UPDATE undelivered SET at = at - interval '61 minutes' WHERE id = %s", [old.pk])

    found = metrics(api)

    assert found["undelivered_records"][("billing", "retention")] == 2
    assert found["undelivered_messages"][("billing", "retention")] == 12
    assert found["undelivered_records"][("billing", "seek")] == 2
    assert ("billing", "seek") not in found["undelivered_messages"]
    assert found["undelivered_records"][("billing", "drop")] == 0


def test_counts_are_added_up_and_those_of_what_is_gone_are_left_out(api: Any, orders: Any) -> None:
    row = subscribe()

    def add(**counts: Any) -> None:
        with transaction.atomic(), connection.cursor() as sql:
            sums.add(sql, {row.pk: Sums(**counts), row.pk + 1: Sums(7, 7, 7, 7)})

    add(handed_out=3, done=2)
    assert "answer_age_seconds" not in metrics(api)
    add(handed_out=1, done=1, nacked=4, uncounted=1, nacked_at=time.monotonic() - 40)

    found = metrics(api)
    assert found["handed_out_messages_total"] == {("billing",): 4}
    assert found["settled_messages_total"] == {("billing",): 3}
    assert found["nacked_messages_total"] == {("billing",): 4}
    assert found["uncounted_commits_total"] == {("billing",): 1}
    assert found["answer_age_seconds"] == {("billing",): pytest.approx(40, abs=2)}
    registration.delete("billing")
    assert not SubscriptionCounts.objects.exists()
    assert not SubscriptionMinute.objects.exists()


def test_many_rows_are_not_counted_to_the_end(
    orders: Any, store: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    row = subscribe()
    give(row, range(1, 40), State.DEAD)
    monkeypatch.setattr(watching, "_WATCH", watching._WATCH.replace("LIMIT 10000", "LIMIT 10"))
    assert watching.watch()[0].dead == 10
    assert Delivery.objects.count() == 39


# --- for people ------------------------------------------------------------------------------


def home(browser: Any) -> dict[str, str]:
    browser.get(STATE)  # MongoDB is asked behind the page's back.
    measuring.measuring()._ended.wait(10)
    return {name: " ".join(html.split()) for name, html in browser.get(STATE).json()["parts"].items()}


def test_the_home_page_names_who_is_behind_or_has_dead_letters(browser: Any, orders: Any, store: Any) -> None:
    assert "Nobody has subscribed yet." in home(browser)["readers"]
    store(1, 2, 3)
    subscribe("late")
    give(subscribe("ill", start="latest"), [2], State.DEAD)
    subscribe("well", start="latest")
    subscribe("paused")
    registration.pause("paused")
    measuring.measuring().forget()

    found = home(browser)

    assert ">late</a>" in found["readers"]
    assert "3 messages not done, the oldest for" in found["readers"]
    assert ">ill</a><p>1 dead letter</p>" in found["readers"]
    assert not [name for name in ("well", "paused") if f">{name}</a>" in found["readers"]]
    assert "<b>4</b><small>1 behind, 1 dead</small>" in found["tiles"]


def test_the_home_page_says_that_all_keep_up_only_once_that_is_known(
    browser: Any, orders: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    subscribe()
    assert "None: each keeps up" in home(browser)["readers"]
    measuring.measuring().forget()

    def away(*args: Any, **options: Any) -> None:
        raise NetworkTimeout("away")

    monkeypatch.setattr(counting, "count", away)
    found = home(browser)

    assert "How far 1 of them is behind is not known." in found["readers"]
    assert "keeps up" not in found["readers"] + found["tiles"]
    assert "not known of 1" in found["tiles"]


def test_the_home_page_counts_those_too_that_it_does_not_look_at(
    browser: Any, orders: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("first", "second", "third", "fourth"):
        subscribe(name)
    monkeypatch.setattr(watching, "_WATCH", watching._WATCH.replace(f"LIMIT {watching.MOST}", "LIMIT 3"))
    monkeypatch.setattr(watching, "MOST", 3)

    found = home(browser)

    assert ">all 4</a>" in found["readers"]
    assert "How far 1 of them is behind is not known." in found["readers"]
    assert "<b>4</b><small>not known of 1</small>" in found["tiles"]


def test_it_takes_as_many_queries_for_many_subscriptions_as_for_one(
    browser: Any, orders: Any, store: Any, django_assert_num_queries: Callable[..., Any]
) -> None:
    store(1)
    subscribe("one")
    with django_assert_num_queries(10):
        browser.get(STATE)
    for number in range(60):
        give(subscribe(f"reader-{number}"), [1], State.DEAD)
    with django_assert_num_queries(10):
        browser.get(STATE)


def test_status_names_them(orders: Any, store: Any) -> None:
    store(1, 2)
    give(subscribe("billing"), [1], State.DEAD)
    subscribe("well", start="latest")
    out = StringIO()
    with pytest.raises(SystemExit):  # Nobody listens.
        call_command("status", stdout=out)

    said = out.getvalue()
    assert "subscriptions: 2 active, 0 paused" in said
    assert "subscription billing: 1 not done, the oldest for " in said
    assert " s, 1 dead\n" in said
    assert "subscription well" not in said
