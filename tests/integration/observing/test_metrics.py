"""/metrics, and the meters of the loops."""

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone
from prometheus_client.parser import text_string_to_metric_families

from channels_app.listening.recording import unheard
from channels_app.models import Channel
from channels_app.registration import start
from leases_app import partitioning
from leases_app.leasing import Condition, Term
from leases_app.models import Lease
from messages_app.searching.watermark import is_drained
from messages_app.writing.writer import write
from relaybase import keys, meters
from relaybase.connections import mongo_collection, shared_redis
from relaybase.meters import Meters
from tests.integration.listening.world import full
from tests.integration.writing.world import document, fields_of

# Threads open connections of their own: Django asks that both databases are named.
pytestmark = pytest.mark.django_db(transaction=True, databases=["default", "messages"])

Samples = dict[tuple[str, tuple[tuple[str, str], ...]], float]


def _samples(answer: Any) -> Samples:
    assert answer.status_code == 200
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(answer.content.decode())
        for sample in family.samples
    }


def _of_partition(samples: Samples, name: str) -> float:
    return samples[f"relay_{name}", (("partition", "0"),)]


@pytest.fixture
def written(relay_keys: Any, archive: Any) -> None:
    """A writer has stored three messages, known one, and put one into quarantine."""
    mongo_collection("quarantine").delete_many({})
    stream = keys.stream(0)
    relay_keys.xadd(stream, fields_of([document("a"), document("b"), document("a")]))
    relay_keys.xadd(stream, fields_of([document("c")]))
    relay_keys.xadd(stream, {"not": "in the format"})
    assert write(0, lambda: is_drained(0))


def test_what_a_writer_did_is_counted_after_it_has_gone(api: Any, written: None) -> None:
    samples = _samples(api.get("/metrics"))

    assert _of_partition(samples, "messages_relayed_total") == 4
    assert _of_partition(samples, "messages_stored_total") == 3
    assert _of_partition(samples, "messages_duplicates_total") == 1
    assert _of_partition(samples, "messages_quarantined_total") == 1
    assert _of_partition(samples, "batch_messages_sum") == 4
    assert _of_partition(samples, "insert_seconds_count") >= 1
    assert 0 < _of_partition(samples, "insert_seconds_sum") < 10
    assert _of_partition(samples, "stream_unstored_entries") == 0
    assert _of_partition(samples, "watermark_lag_seconds") == 0
    assert samples["relay_quarantine_messages", ()] == 1


def test_counts_go_on_over_the_lives_of_writers(api: Any, written: None, relay_keys: Any) -> None:
    relay_keys.xadd(keys.stream(0), fields_of([document("d")]))
    assert write(0, lambda: is_drained(0))

    samples = _samples(api.get("/metrics"))
    assert _of_partition(samples, "messages_stored_total") == 4
    assert samples["relay_lease_terms_total", (("partition", "0"), ("role", "writer"))] == 2


def test_what_waits_is_shown_with_its_age(api: Any, relay_keys: Any, archive: Any) -> None:
    seconds, _ = relay_keys.time()
    relay_keys.xadd(keys.stream(0), {"a": "b"}, id=f"{(seconds - 30) * 1000}-0")

    samples = _samples(api.get("/metrics"))

    assert _of_partition(samples, "stream_unstored_entries") == 1
    assert 29 < _of_partition(samples, "watermark_lag_seconds") < 40


def test_leases_channels_and_servers_are_shown(api: Any, listener: Term, archive: Any) -> None:
    start("orders")
    listener.renew(given_up=7)

    samples = _samples(api.get("/metrics"))

    of_listener = (("partition", "0"), ("role", "listener"))
    assert samples["relay_lease_live", of_listener] == 1
    assert samples["relay_lease_live", (("partition", "0"), ("role", "writer"))] == 0
    assert samples["relay_lease_heartbeat_age_seconds", of_listener] < 30
    assert _of_partition(samples, "messages_dropped_total") == 7
    assert samples["relay_channels", (("status", "INACTIVE"),)] == 1
    for server in ("postgresql", "redis", "mongodb"):
        assert samples["relay_server_up", (("server", server),)] == 1


def test_hearing_is_shown_by_partition_with_what_waits(
    api: Any, listener: Term, archive: Any, relay_keys: Any
) -> None:
    for name in ("orders", "bills", "secret"):
        start(name)
    Channel.objects.filter(channel="orders").update(subscription_status="ACTIVE")
    unheard.refuse(listener, {Channel.objects.get(channel="secret").life: "NOPERM"}, None)
    partitioning.proposed()
    listener.renew(0, Condition(1.0, waiting=7, trouble="It cannot."))

    samples = _samples(api.get("/metrics"))

    of_listener = (("partition", "0"), ("role", "listener"))
    assert _of_partition(samples, "partition_heard") == 1
    assert _of_partition(samples, "partition_heard_age_seconds") < 5
    assert _of_partition(samples, "partition_channels") == 3
    assert _of_partition(samples, "partition_channels_unheard") == 2
    assert samples["relay_loop_waiting_messages", of_listener] == 7
    assert samples["relay_loop_trouble", of_listener] == 1
    assert samples["relay_channels_refused", ()] == 1
    assert samples["relay_open_gaps", ()] == 1
    assert samples["relay_redis_refuses_writes", ()] == 0
    assert samples["relay_proposals_enabled", ()] == 1
    assert 0 <= samples["relay_proposals_age_seconds", ()] < 5

    Lease.objects.update(heard_at=timezone.now() - timedelta(hours=1))
    with full(relay_keys):
        samples = _samples(api.get("/metrics"))

    assert _of_partition(samples, "partition_heard") == 0
    assert _of_partition(samples, "partition_heard_age_seconds") > 3000
    assert _of_partition(samples, "partition_channels_unheard") == 3
    assert samples["relay_redis_refuses_writes", ()] == 1


def test_a_server_that_is_away_takes_only_its_own_metrics_along(
    api: Any, archive: Any, redis_away: None
) -> None:
    samples = _samples(api.get("/metrics"))

    assert samples["relay_server_up", (("server", "redis"),)] == 0
    assert ("relay_channels", (("status", "ACTIVE"),)) in samples
    assert not any(name.startswith("relay_stream") for name, _ in samples)


def test_requests_are_counted_by_route_and_not_by_path(api: Any, archive: Any) -> None:
    def asked() -> float:
        labels = (("method", "GET"), ("route", "channel"), ("status", "404"))
        return _samples(api.get("/metrics")).get(("relay_http_requests_total", labels), 0)

    before = asked()
    for number in range(3):
        api.get(f"/api/v1/channels/nothing {number}")

    assert asked() == before + 3


def test_metrics_are_for_those_with_a_token(client: Any, api: Any, settings: Any, archive: Any) -> None:
    assert client.get("/metrics").status_code == 401
    assert client.get("/metrics", headers={"authorization": "Bearer x"}).status_code == 401
    settings.RELAY_METRICS_TOKEN = "only for Prometheus"
    assert client.get("/metrics", headers={"authorization": "Bearer only for Prometheus"}).status_code == 200
    assert client.get("/metrics", headers={"authorization": "Bearer "}).status_code == 401
    settings.RELAY_METRICS_TOKEN = ""
    assert client.get("/metrics", headers={"authorization": "Bearer "}).status_code == 401


def test_a_histogram_counts_each_value_in_one_bucket(relay_keys: Any) -> None:
    loop = Meters(shared_redis(), 0)
    for value in (0, 1, 2, 100, 20_000):
        loop.observe("batch_messages", value)
    loop.flush()
    loop.flush()  # Nothing is brought twice.

    buckets, total = meters.read(shared_redis(), [0])[0].buckets("batch_messages")
    assert total == 20_103
    assert dict(buckets) == {
        "1": 2,
        "10": 3,
        "100": 4,
        "500": 4,
        "1000": 4,
        "2000": 4,
        "5000": 4,
        "10000": 4,
        "+Inf": 5,
    }
