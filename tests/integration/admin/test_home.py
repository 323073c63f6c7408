"""The home page: what is heard, what is not and why, how much comes, and what went wrong."""

import json
import re
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pymongo
import pytest
from django.contrib.auth.models import Permission
from django.contrib.staticfiles import finders
from django.db import OperationalError, ProgrammingError, connection
from django.db.migrations.recorder import MigrationRecorder
from django.test import Client
from django.urls import reverse
from django_celery_beat.models import IntervalSchedule, PeriodicTask

from channels_app.listening.recording import unheard
from channels_app.models import Channel, Gap
from channels_app.registration import start
from leases_app import partitioning
from leases_app.leasing import Condition, Contender
from leases_app.models import Lease, Partitioning
from messages_app.publishing.usage import Usage
from messages_app.writing.stream import Stream
from relaybase import keys
from relaybase.connections import mongo_collection, shared_redis
from relaybase.queues import PROPOSE
from relaycore.channels import partition_of
from relayproject.dashboard import facts
from tests.integration.listening.world import full

pytestmark = pytest.mark.django_db

HOME = reverse("admin:index")
STATE = reverse("admin:state")
HOSTILE = "<script>alert(1)</script>"


@pytest.fixture(autouse=True)
def _quarantine_is_empty(messages_database: str) -> Iterator[None]:
    mongo_collection("quarantine").delete_many({})
    yield
    mongo_collection("quarantine").delete_many({})


@pytest.fixture(autouse=True)
def _one_listener_is_enough(settings: Any) -> None:
    settings.RELAY_LISTENERS_PER_PARTITION = 1


@pytest.fixture
def writer(db: None, settings: Any) -> None:
    settings.RELAY_LEASE_TTL_SECONDS = 60.0
    assert Contender(task_id="task-2").claim(Lease.Role.WRITER, 0)
    assert Contender(task_id="task-2").claim(Lease.Role.SENDER, 0)
    assert Contender(task_id="task-2").claim(Lease.Role.PROCESSOR, 0)


@pytest.fixture
def scheduled(db: None) -> PeriodicTask:
    """Beat's own entry."""
    partitioning.require()
    every = IntervalSchedule.objects.create(every=5, period=IntervalSchedule.SECONDS)
    return PeriodicTask.objects.create(name="propose", task=PROPOSE, interval=every)


def parts(browser: Client, **query: str) -> dict[str, str]:
    answer = browser.get(STATE, query)
    assert answer.status_code == 200
    return {name: " ".join(html.split()) for name, html in answer.json()["parts"].items()}


def hear(*names: str) -> None:
    for name in names:
        start(name)
    Channel.objects.filter(channel__in=names).update(subscription_status="ACTIVE")


def test_the_first_start_shows_what_to_do(browser: Client, relay_keys: Any) -> None:
    html = browser.get(HOME).content.decode()

    assert "Nothing is relayed yet" in html
    assert re.search(r'<section id="relay-empty" class="card welcome">', html)
    assert 'curl -X POST "http://testserver/api/v1/start-listening?wait=5"' in html
    assert reverse("admin:channels_app_channel_add") in html


def test_with_a_channel_the_first_steps_are_gone(browser: Client, relay_keys: Any) -> None:
    start("orders")

    assert re.search(r'id="relay-empty" class="card welcome" hidden>', browser.get(HOME).content.decode())
    assert browser.get(STATE).json()["is_empty"] is False


def test_all_is_well(browser: Client, relay_keys: Any, listener: Any, writer: None) -> None:
    hear("orders", "audit")

    found = parts(browser)

    assert "Everything listed is heard." in found["banner"]
    assert "<b>2<i> / 2</i></b>" in found["tiles"]
    assert "Every channel is heard." in found["silent"]
    assert "<b>leading listener</b> of partition 0" in found["loops"]
    assert "<b>writer</b> of partition 0" in found["loops"]
    assert "<b>sender</b> of shard 0" in found["loops"]


def test_channels_that_are_fed_by_http_alone_are_channels(
    browser: Client, relay_keys: Any, writer: None
) -> None:
    start("orders", listen=False)

    found = parts(browser)

    assert 'class="banner good"' in found["banner"]
    assert "No channel is to be heard: all are fed by HTTP alone." in found["banner"]
    assert "<b>0<i> / 0</i></b>" in found["tiles"]
    assert "No channel is to be heard." in found["silent"]
    assert "listener" not in found["loops"].removeprefix("<header><h2>Listeners, writers, senders</h2>")
    assert browser.get(STATE).json()["is_empty"] is False
    assert 'class="card welcome" hidden>' in browser.get(HOME).content.decode()


def test_a_writer_is_missed_where_all_comes_by_http(browser: Client, relay_keys: Any) -> None:
    start("orders", listen=False)

    banner = parts(browser)["banner"]

    assert 'class="banner warn"' in banner
    assert "No writer for partition 0." in banner


def test_a_sender_is_missed_and_its_trouble_is_named(
    browser: Client, relay_keys: Any, listener: Any, writer: None, settings: Any
) -> None:
    hear("orders")
    settings.RELAY_SENDER_SHARDS = 2
    banner = parts(browser)["banner"]
    assert 'class="banner warn"' in banner
    assert "No sender for shard 1." in banner
    term = Contender().claim(Lease.Role.SENDER, 1)
    assert term
    term.renew(0, Condition(trouble="MongoDB refuses everything."))

    assert "Shard 1: MongoDB refuses everything." in parts(browser)["banner"]


def test_a_partition_that_is_fed_by_http_alone_is_looked_at_as_well(
    browser: Client, relay_keys: Any, listener: Any, writer: None, settings: Any
) -> None:
    settings.RELAY_PARTITIONS = 2
    names = [f"channel {number}" for number in range(20)]
    first = next(name for name in names if partition_of(name, 2) == 0)
    second = next(name for name in names if partition_of(name, 2) == 1)
    hear(first)
    start(second, listen=False)
    assert "No writer for partition 1." in parts(browser)["banner"]
    term = Contender(task_id="task-3").claim(Lease.Role.WRITER, 1)
    assert term
    term.renew(0, Condition(trouble="MongoDB refuses everything."))
    relay_keys.xadd(keys.stream(1), {"a": "b"})

    found = parts(browser)

    assert "Partition 1: MongoDB refuses everything." in found["banner"]
    assert "listener" not in found["banner"]
    assert "<b>writer</b> of partition 1" in found["loops"]
    assert "<span>Stream backlog</span><b>1</b>" in found["tiles"]
    assert "<b>1<i> / 1</i></b>" in found["tiles"]


def test_what_is_not_heard_is_named_with_the_reason(browser: Client, relay_keys: Any, listener: Any) -> None:
    hear("orders")
    start("deaf")

    found = parts(browser)

    assert 'class="banner warn"' in found["banner"]
    assert "1 of 2 channels is not heard." in found["banner"]
    assert "No writer for partition 0" in found["banner"]
    assert "is subscribing." in found["silent"]
    assert ">deaf</a>" in found["silent"]
    assert ">orders</a>" not in found["silent"]


def test_a_channel_with_a_gap_that_lasts_is_not_well(
    browser: Client, relay_keys: Any, listener: Any, writer: None
) -> None:
    hear("orders", "audit")
    began_at = datetime.now(UTC) - timedelta(minutes=1)
    Gap.objects.create(partition=0, channel="orders", cause=Gap.Cause.LATE, began_at=began_at)

    banner = parts(browser)["banner"]

    assert 'class="banner warn"' in banner
    assert "1 channel with an open gap." in banner


def test_a_standby_that_has_proved_nothing_is_none(
    browser: Client, relay_keys: Any, listener: Any, writer: None, settings: Any
) -> None:
    hear("orders")
    settings.RELAY_LISTENERS_PER_PARTITION = 2
    for slot in range(2):
        assert Contender().claim(Lease.Role.SEAT, 0, slot)
    Lease.objects.update(claimed_at=datetime.now(UTC) - timedelta(minutes=1))
    assert 'class="banner good"' in parts(browser)["banner"]

    listener.renew(0, Condition(0.0, is_protected=False))

    banner = parts(browser)["banner"]
    assert 'class="banner warn"' in banner
    assert "Nobody has proved that it would take over partition 0." in banner


def test_without_a_listener_nothing_is_heard(browser: Client, relay_keys: Any, listener: Any) -> None:
    hear("orders")
    listener.release()

    found = parts(browser)

    assert 'class="banner bad"' in found["banner"]
    assert "Nothing is heard (1 of 1 channel)." in found["banner"]
    assert "Nobody listens to partition 0" in found["silent"]
    assert "No leading listener for partition 0" in found["loops"]


def test_a_listener_that_lives_and_hears_nothing_is_as_bad_as_none(
    browser: Client, relay_keys: Any, listener: Any, writer: None
) -> None:
    hear("orders", "audit")
    Lease.objects.filter(role=Lease.Role.LISTENER).update(heard_at=datetime(2026, 11, 21, 12, tzinfo=UTC))

    found = parts(browser)

    assert 'class="banner bad"' in found["banner"]
    assert "Nothing is heard (2 of 2 channels)." in found["banner"]
    assert 'class="tile bad"' in found["tiles"]
    assert found["silent"].count("has not proved since 2026-11-21T12:00:00Z that it hears anything") == 1
    assert re.search(">audit</a>, <a [^>]*>orders</a><p>|>orders</a>, <a [^>]*>audit</a><p>", found["silent"])
    assert "hears nothing since Nov 21 12:00:00 UTC" in found["loops"]
    assert '<span class="dot bad"></span><b>leading listener</b>' in found["loops"]


def test_a_few_that_are_not_heard_are_less_than_a_partition_of_which_nothing_is(
    browser: Client, relay_keys: Any, listener: Any, writer: None, settings: Any
) -> None:
    settings.RELAY_PARTITIONS = 2
    names = [f"channel {number}" for number in range(20)]
    hear(*names)
    of_0 = list(Channel.objects.filter(partition=0).values_list("channel", flat=True))
    unheard.refuse(listener, {Channel.objects.get(channel=of_0[0]).life: "NOPERM"}, None)
    Channel.objects.filter(channel=of_0[0]).update(subscription_status="INACTIVE")
    for role in (Lease.Role.LISTENER, Lease.Role.WRITER):
        other = Contender().claim(role, 1)
        assert other is not None
        other.renew(0, Condition(heard_seconds_ago=0.0))

    few = parts(browser)
    Lease.objects.filter(partition=1).update(heard_at=None)
    many = parts(browser)

    assert 'class="banner warn"' in few["banner"]
    assert "1 of 20 channels is not heard." in few["banner"]
    assert "may not subscribe to it: NOPERM" in few["silent"]
    assert 'class="tile warn"' in few["tiles"]
    assert 'class="banner bad"' in many["banner"]
    assert f"{21 - len(of_0)} of 20 channels are not heard." in many["banner"]
    assert "Of partition 1 nothing is heard." in many["banner"]
    assert 'class="tile bad"' in many["tiles"]


def test_what_a_loop_cannot_do_is_said_at_the_top(
    browser: Client, relay_keys: Any, listener: Any, writer: None
) -> None:
    hear("orders")
    listener.renew(0, Condition(0.0, waiting=1234, trouble=f"Redis takes nothing ({HOSTILE}): not stored."))

    found = parts(browser)

    assert 'class="banner bad"' in found["banner"]
    assert "Partition 0: Redis takes nothing (&lt;script&gt;" in found["banner"]
    assert "1 234 messages not stored yet" in found["loops"]
    assert "1 234 messages in listeners" in found["tiles"]


def test_a_redis_that_takes_nothing_is_said_at_the_top(
    browser: Client, relay_keys: Any, listener: Any, writer: None
) -> None:
    hear("orders")
    with full(relay_keys):
        banner = parts(browser)["banner"]

    assert 'class="banner bad"' in banner
    assert "Redis takes nothing, since its memory is full: what is heard now is not stored." in banner
    assert "Everything listed is heard." in parts(browser)["banner"]


def test_a_redis_that_may_evict_is_said_before_any_channel_is_listed(
    browser: Client, sound_redis: Any, archive: Any
) -> None:
    assert 'class="banner idle"' in parts(browser)["banner"]
    sound_redis.config_set("maxmemory-policy", "allkeys-lru")
    sound_redis.config_set("maxmemory", 1 << 30)

    banner = parts(browser)["banner"]

    assert 'class="banner bad"' in banner
    assert "Redis has maxmemory-policy allkeys-lru" in banner
    assert "Set maxmemory-policy to noeviction." in banner


@pytest.mark.parametrize("how", ["stopped", "disabled"])
def test_nobody_proposes(
    browser: Client, relay_keys: Any, listener: Any, writer: None, scheduled: PeriodicTask, how: str
) -> None:
    hear("orders")
    partitioning.proposed()
    assert "Everything listed is heard." in parts(browser)["banner"]
    if how == "stopped":
        Partitioning.objects.update(proposed_at=datetime.now(UTC) - timedelta(seconds=100))
    else:
        PeriodicTask.objects.filter(pk=scheduled.pk).update(enabled=False)

    found = parts(browser)

    assert 'class="banner warn"' in found["banner"]
    said = {
        "stopped": "Nobody has proposed listeners, writers, senders and processors for 100 s",
        "disabled": "Proposals are disabled",
    }[how]
    assert f"{said}: " in found["banner"]
    assert f'<li><span class="dot bad"></span>{said}' in found["loops"]


def test_a_partition_without_a_standby_is_named(
    browser: Client, relay_keys: Any, listener: Any, writer: None, settings: Any
) -> None:
    settings.RELAY_LISTENERS_PER_PARTITION = 2
    hear("orders")
    assert Contender(task_id="task-1").claim(Lease.Role.SEAT, 0, 0)

    found = parts(browser)

    assert "Fewer than 2 listeners for partition 0." in found["banner"]
    assert found["loops"].count("<b>") == 4  # Who leads is not shown twice.


def test_gaps_are_shown_with_what_may_be_missing(browser: Client, relay_keys: Any) -> None:
    start("orders")
    at = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
    Gap.objects.create(
        partition=0, cause="no listener", began_at=at, ended_at=at + timedelta(seconds=3), missed_at_most=42
    )
    Gap.objects.create(partition=0, channel=HOSTILE, cause="connection lost", began_at=at)

    found = parts(browser)["gaps"]
    page = browser.get(reverse("admin:channels_app_gap_changelist")).content.decode()

    assert "every channel of partition 0: no listener" in found
    assert "Nov 21 12:00:00 UTC to 12:00:03; at most 42 messages missed" in found
    assert "not ended" in found
    assert "nobody knows" not in found
    for html in (found, page):
        assert "&lt;script&gt;alert(1)" in html
        assert "<script>alert" not in html
    assert "2026-11-21 12:00:03.000" in page


def test_gaps_that_go_on_stand_before_those_that_are_over(browser: Client, relay_keys: Any) -> None:
    start("orders")
    at = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
    Gap.objects.create(partition=0, channel="open", cause="refused", began_at=at)
    for number in range(1, 12):
        later = at + timedelta(hours=number)
        Gap.objects.create(partition=0, channel="over", cause="refused", began_at=later, ended_at=later)

    found = parts(browser)["gaps"]

    assert found.index("open of partition 0") < found.index("over of partition 0")
    assert "Nov 21 23:00:00 UTC to 23:00:00; nobody knows how much was missed" in found


def _store(messages: int) -> None:
    """Have it counted that so many were stored, now."""
    redis = shared_redis()
    redis.xgroup_create(keys.stream(0), keys.GROUP, id="0", mkstream=True)
    entry: Any = redis.xadd(keys.stream(0), {"a": "b"})
    redis.xreadgroup(keys.GROUP, keys.CONSUMER, {keys.stream(0): ">"})
    Stream(redis, 0).acknowledge([(entry.decode(), {b"orders": messages})])
    Stream(redis, 0).add_up()


@pytest.mark.parametrize(
    ("name", "slots", "width"), [("minutes", 120, 5), ("hours", 180, 60), ("day", 1440, 60)]
)
def test_the_chart_has_what_was_stored(
    browser: Client, relay_keys: Any, name: str, slots: int, width: int
) -> None:
    start("orders")
    _store(500)
    prefix = f"{keys.rates(0)}:all:{width}:"
    (key,) = relay_keys.scan_iter(prefix + "*")
    ((slot, count),) = relay_keys.hgetall(key).items()
    relay_keys.delete(key)
    span = {5: 300, 60: 3600}[width]
    earlier = int(slot) - 1  # As if it had been one slot ago: the one that runs is not shown.
    relay_keys.hset(f"{prefix}{earlier * width // span}", str(earlier), count)

    chart = browser.get(STATE, {"range": name}).json()["chart"]

    assert len(chart["rates"]) == slots - 1
    assert chart["width"] == width
    assert sum(chart["rates"][-2:]) == pytest.approx(500 / width, abs=0.01)


def test_the_hour_is_counted_in_the_tile(browser: Client, relay_keys: Any) -> None:
    start("orders")
    _store(12_345)

    assert "12 345 in the last hour" in parts(browser)["tiles"]


def test_a_range_that_is_not_known_is_refused(browser: Client) -> None:
    answer = browser.get(STATE, {"range": "years"})

    assert answer.status_code == 400
    assert "minutes, hours, day" in answer.json()["detail"]


def test_the_backlog_and_its_age_are_shown(browser: Client, relay_keys: Any) -> None:
    start("orders")
    now = int(relay_keys.time()[0]) * 1000
    for n in range(3):
        relay_keys.xadd(keys.stream(0), {"a": "b"}, id=f"{now - 90_000 + n}-0")
    relay_keys.xgroup_create(keys.stream(0), keys.GROUP, id="0")
    relay_keys.xreadgroup(keys.GROUP, keys.CONSUMER, {keys.stream(0): ">"}, count=2)

    tiles = parts(browser)["tiles"]

    assert "<span>Stream backlog</span><b>3</b>" in tiles
    assert "<span>Watermark lag</span><b>1 min</b>" in tiles
    assert "is the writer keeping up?" in tiles


def count(relay_keys: Any, pair: tuple[str, str], **counts: int) -> None:
    counted = Usage()
    counted.add(pair, **counts)
    relay_keys.execute_command(*counted.command())


def test_who_publishes_by_http_and_where(browser: Client, relay_keys: Any) -> None:
    assert "Nothing yet." in parts(browser)["published"]
    count(relay_keys, ("billing", "invoices"), messages=1, size=2048)
    count(relay_keys, ("shop", "orders"), messages=12_000, size=100, refused=2)

    found = parts(browser)["published"]

    assert found.index("orders") < found.index("invoices")
    assert "orders<p>by shop · 12 000 messages, 100 bytes · 2 requests refused</p>" in found
    assert "invoices<p>by billing · 1 message, 2.0 KB</p>" in found


def test_hostile_names_and_reasons_stay_text(browser: Client, relay_keys: Any) -> None:
    from messages_app.writing.quarantine import Quarantine

    start(HOSTILE)
    put = Quarantine(mongo_collection("quarantine"), lambda: False).put_entry
    put("1-1", {b"a": HOSTILE.encode()}, HOSTILE)
    relay_keys.lpush(
        keys.JOURNAL, json.dumps({"at": 1.0, "level": "ERROR", "where": HOSTILE, "text": HOSTILE})
    )

    count(relay_keys, (HOSTILE, HOSTILE), messages=1, size=2000)

    found = parts(browser)
    page = browser.get(HOME).content.decode()

    assert "&lt;script&gt;alert(1)" in found["silent"]
    assert "&lt;script&gt;alert(1)" in found["published"]
    assert "&lt;script&gt;alert(1)" in found["quarantine"]
    assert "&lt;script&gt;alert(1)" in found["errors"]
    for html in [page, *found.values()]:
        assert "<script>alert" not in html


def test_a_server_that_is_away_takes_away_only_what_is_its_own(
    browser: Client, listener: Any, redis_away: None
) -> None:
    start("orders")

    answer = browser.get(STATE)

    assert answer.json()["chart"] is None
    found = parts(browser)
    assert "Redis does not answer." in found["banner"]
    assert "<span>Nothing is heard.</span> <span>Redis: Error 111 connecting to " in found["banner"]
    assert "<b>0<i> / 1</i></b>" in found["tiles"]
    assert "Redis does not answer." in found["errors"]
    assert "<b>leading listener</b> of partition 0" in found["loops"]
    assert browser.get(HOME).status_code == 200


def test_a_banner_of_servers_that_are_away_has_one_clause_for_each(
    browser: Client, redis_away: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unreachable() -> None:
        with pymongo.MongoClient[Any]("mongodb://127.0.0.1:1/?serverSelectionTimeoutMS=10") as client:
            client.admin.command("ping")

    def away(*args: Any) -> None:
        raise OperationalError(
            'connection to server at "localhost" (::1), port 1 failed: Connection refused\n'
            "\tIs the server running on that host and accepting TCP/IP connections?"
        )

    monkeypatch.setattr("messages_app.searching.history.collection", unreachable)
    monkeypatch.setattr(facts, "_channels", away)

    banner = parts(browser)["banner"]

    assert re.sub("</?span>", "", banner) == (
        '<div class="banner bad"><strong>PostgreSQL and Redis and MongoDB do not answer.</strong> '
        "Without Redis nothing is heard. PostgreSQL: connection to server at &quot;localhost&quot; (::1), "
        "port 1 failed: Connection refused. Redis: Error 111 connecting to 127.0.0.1:1. Connection refused. "
        "MongoDB: 127.0.0.1:1: [Errno 111] Connection refused. </div>"
    )


@pytest.mark.parametrize("channels", [0, 1])
def test_a_mongodb_that_lacks_a_migration_is_said_first_and_nothing_is_ready(
    browser: Client, relay_keys: Any, messages_database: str, channels: int
) -> None:
    if channels:
        start("orders")
    recorded = mongo_collection("django_migrations")
    row = recorded.find_one_and_delete({"app": "messages_app", "name": "0003_what_publishers_say"})
    assert row
    try:
        banner = parts(browser)["banner"]
    finally:
        recorded.insert_one(row)

    assert "MongoDB lacks a migration, messages_app.0003_what_publishers_say first" in banner
    assert "Ready" not in banner
    assert "banner bad" in banner


def test_a_postgresql_that_lacks_a_migration_says_what_to_run(
    browser: Client, relay_keys: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing(*args: Any) -> None:
        raise ProgrammingError('column "generation" does not exist')

    MigrationRecorder(connection).record_unapplied("leases_app", "0007_is_protected")
    monkeypatch.setattr(facts, "_channels", missing)

    banner = parts(browser)["banner"]

    assert (
        "PostgreSQL: lacks a migration, leases_app.0007_is_protected first. Run `manage.py migrate`."
        in banner
    )


def test_a_mongodb_that_hangs_is_given_as_long_as_the_web_gives_it(
    browser: Client, relay_keys: Any, settings: Any
) -> None:
    """And not as long as a writer gives it."""
    slow = {"failCommands": ["count"], "blockConnection": True, "blockTimeMS": 5000}
    admin = mongo_collection("quarantine").database.client.admin
    admin.command("configureFailPoint", "failCommand", mode={"times": 1}, data=slow)
    begun = time.monotonic()
    try:
        tiles = parts(browser)["tiles"]
        took = time.monotonic() - begun
    finally:
        admin.command("configureFailPoint", "failCommand", mode="off")

    assert "MongoDB does not answer" in tiles
    assert took < settings.RELAY_WEB_MONGO_TIMEOUT_SECONDS + 2


def test_nobody_else_sees_it(client: Client, django_user_model: Any) -> None:
    assert client.get(STATE).status_code == 302
    client.force_login(django_user_model.objects.create_user("somebody"))
    assert client.get(STATE).status_code == 302


def test_who_may_see_less_sees_less(client: Client, relay_keys: Any, django_user_model: Any) -> None:
    start("orders")
    clerk = django_user_model.objects.create_user("clerk", is_staff=True)
    clerk.user_permissions.add(Permission.objects.get(codename="view_gap"))
    client.force_login(clerk)

    found = parts(client)

    assert [name for name, html in found.items() if html] == ["banner", "tiles", "gaps"]
    assert "orders" not in "".join(found.values())
    assert client.get(HOME).status_code == 200


def test_it_takes_as_many_queries_for_many_channels_as_for_one(
    browser: Client, relay_keys: Any, django_assert_num_queries: Callable[..., Any]
) -> None:
    start("one")
    with django_assert_num_queries(12):
        browser.get(STATE)
    for number in range(60):
        start(f"channel {number}")
    with django_assert_num_queries(12):
        browser.get(STATE)


PAGES = [
    HOME,
    reverse("admin:login"),
    reverse("admin:channels_app_channel_changelist"),
    reverse("admin:channels_app_channel_add"),
    reverse("admin:messages_app_message_changelist"),
    reverse("admin:messages_app_quarantined_changelist"),
    reverse("admin:leases_app_lease_changelist"),
    reverse("admin:django_celery_beat_periodictask_changelist"),
    reverse("admin:django_celery_beat_periodictask_add"),
]


@pytest.mark.parametrize("address", PAGES)
def test_pages_bring_no_code_or_style_of_their_own_and_nothing_from_elsewhere(
    browser: Client, client: Client, relay_keys: Any, archive: Any, address: str
) -> None:
    """So a content security policy of `default-src 'self'` holds; but for images in stylesheets."""
    html = (client if "login" in address else browser).get(address).content.decode()

    for attributes, body in re.findall(r"<script([^>]*)>(.*?)</script>", html, re.DOTALL):
        assert not body.strip() or "application/json" in attributes, body
    assert not re.findall(r"<style|\sstyle=|\son[a-z]+=|javascript:", html)
    loaded = re.findall(r'<(?:script|link|img)[^>]*\s(?:src|href)="([^"]+)"', html)
    assert loaded
    for source in loaded:
        if source == reverse("admin:jsi18n"):
            continue
        assert source.startswith("/static/"), source
        assert finders.find(source.removeprefix("/static/")), source


def test_the_page_reads_postgres_without_a_scan_of_messages(browser: Client, relay_keys: Any) -> None:
    assert connection.vendor == "postgresql"
    database = mongo_collection("messages").database
    database.command("profile", 2)
    try:
        browser.get(STATE)
    finally:
        database.command("profile", 0)
    found = [row["op"] for row in database["system.profile"].find({"ns": f"{database.name}.messages"})]
    database.drop_collection("system.profile")
    assert found == []


def test_the_page_of_an_app_lists_what_it_has_and_is_not_the_home_page(admin_client: Client) -> None:
    """Each breadcrumb leads there."""
    answer = admin_client.get(reverse("admin:app_list", args=["webhooks_app"]))

    page = answer.content.decode()
    assert reverse("admin:webhooks_app_endpoint_changelist") in page
    assert "relay-home" not in page
    assert "dashboard.js" not in page
