"""/metrics: what all processes have counted, in Prometheus' text format.

What is of the whole system (leases, streams, what the loops have counted) each web process
answers alike: with several of them, take `max`. `relay_http_*` and `relay_live_*`
are of the one process asked.
"""

import hmac
from collections.abc import Iterator

from django.conf import settings
from django.http import HttpResponse
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from prometheus_client.registry import Collector
from rest_framework.exceptions import NotAuthenticated
from rest_framework.request import Request
from rest_framework.views import APIView

from access_app.permissions import Need, require_everywhere
from leases_app.models import Lease
from relaybase import meters
from relaycore.rights import READ
from relayproject.observing.endpoints import of_endpoints
from relayproject.observing.http import REGISTRY
from relayproject.observing.live import Watching
from relayproject.observing.looking import look
from relayproject.observing.overview import Listed, Overview, Streams, Table
from relayproject.observing.rules import of_rules
from relayproject.observing.subscriptions import of_readers

SEE = Need(READ, "channels_app.view_channel")

COUNTERS = {
    "relayed": "Messages that a writer took from the stream.",
    "stored": "Messages stored in MongoDB, durably.",
    "duplicates": "Messages that were stored before, and so not again.",
    "vanished": "Messages that have left the stream, or MongoDB, without being stored; on record as gaps.",
    "quarantined": "Messages and unreadable entries that went into quarantine.",
}
PUBLISHED = {
    "messages": "Messages that were published by HTTP. Both labels are empty for what is counted together.",
    "bytes": "Bytes of their payloads.",
    "refused": "Requests to publish that were refused, or not answered.",
}
HISTOGRAMS = {
    "batch_messages": "Messages in one insert.",
    "insert_seconds": "How long one insert took until it was durable, with its retries.",
    "rule_timer_late_seconds": "From when a timer of a rule was due until what it says stood on the stream.",
}


class Whole(Collector):
    """The overview of the whole system, looked at when it is asked for."""

    def __init__(self, overview: Overview) -> None:
        self._overview = overview

    def collect(self) -> Iterator[Metric]:
        """All families."""
        overview = self._overview
        up = GaugeMetricFamily("relay_server_up", "Whether a server answers.", labels=["server"])
        for server in ("PostgreSQL", "Redis", "MongoDB"):
            up.add_metric([server.lower()], float(server not in overview.faults))
        yield up
        finding = GaugeMetricFamily(
            "relay_server_finding",
            "1 for each thing that speaks against a server that answers; serious: it loses messages.",
            labels=["server", "finding", "severity"],
        )
        for server, findings in overview.findings.items():
            for one in findings:
                finding.add_metric([server.lower(), one.id, "serious" if one.serious else "warning"], 1.0)
        yield finding
        if overview.table is not None:
            yield from _of_table(overview.table)
        if overview.streams is not None:
            yield from _of_streams(overview.streams)
        yield GaugeMetricFamily(
            "relay_subscriptions_known",
            "Whether subscriptions and endpoints could be looked at; 0: nothing is said of any.",
            float(overview.readers is not None),
        )
        if overview.readers is not None:
            yield from of_readers(overview.readers)
            yield from of_endpoints(overview.readers.endpoints)
        if overview.rules is not None:
            yield from of_rules(overview.rules)
        if overview.archive is not None:
            yield GaugeMetricFamily(
                "relay_archive_messages", "Messages in MongoDB, about.", overview.archive.messages
            )
            yield GaugeMetricFamily(
                "relay_quarantine_messages", "What is in quarantine, about.", overview.archive.quarantined
            )


def _of_table(table: Table) -> Iterator[Metric]:
    channels = GaugeMetricFamily("relay_channels", "Channels by live status.", labels=["status"])
    for status, count in table.channels.items():
        channels.add_metric([status], count)
    yield from _of_hearing(table)
    labels = ["role", "partition"]
    live = GaugeMetricFamily("relay_lease_live", "Whether a loop holds its lease.", labels=labels)
    terms = CounterMetricFamily("relay_lease_terms", "Terms that began.", labels=labels)
    age = GaugeMetricFamily(
        "relay_lease_heartbeat_age_seconds", "Since the last heartbeat, or since its end.", labels=labels
    )
    waiting = GaugeMetricFamily(
        "relay_loop_waiting_messages",
        "Messages in its memory that are not on the stream, or not stored. A processor's from 1000 on: at "
        "least so many, and relay_rule_behind_seconds says how far its rules are behind.",
        labels=labels,
    )
    trouble = GaugeMetricFamily(
        "relay_loop_trouble", "Whether it cannot do what it must; /readyz says what.", labels=labels
    )
    dropped = CounterMetricFamily(
        "relay_messages_dropped", "Messages that were heard and had to be given up.", labels=["partition"]
    )
    for loop in table.loops:
        at = [loop.role, str(loop.partition)]
        live.add_metric(at, float(loop.is_live))
        terms.add_metric(at, loop.epoch)
        waiting.add_metric(at, loop.waiting)
        trouble.add_metric(at, float(bool(loop.trouble)))
        if loop.age_seconds is not None:
            age.add_metric(at, loop.age_seconds)
    listeners = GaugeMetricFamily(
        "relay_listeners", "Listeners that live, the leader and its standbys.", labels=["partition"]
    )
    alone = GaugeMetricFamily(
        "relay_partition_alone",
        "Whether nobody has proved that it would take over from its leader.",
        labels=["partition"],
    )
    for loop in table.loops:
        if loop.role == Lease.Role.LISTENER:
            alone.add_metric([str(loop.partition)], float(loop.is_alone))
    for partition, count in table.listeners.items():
        listeners.add_metric([str(partition)], count)
        dropped.add_metric([str(partition)], table.dropped[partition])
    yield from (channels, live, terms, age, waiting, trouble, dropped, listeners, alone)
    yield GaugeMetricFamily(
        "relay_listeners_wanted",
        "How many each partition should have.",
        settings.RELAY_LISTENERS_PER_PARTITION,
    )
    yield GaugeMetricFamily("relay_open_gaps", "Windows without a listener that last.", table.open_gaps)
    yield GaugeMetricFamily("relay_channels_refused", "Channels that Redis refuses.", table.refused)
    yield GaugeMetricFamily(
        "relay_proposals_enabled", "Whether beat may propose.", float(table.proposals.are_enabled)
    )
    if table.proposals.seconds_ago is not None:
        yield GaugeMetricFamily(
            "relay_proposals_age_seconds",
            "Since listeners, writers, senders and processors were last proposed.",
            table.proposals.seconds_ago,
        )


def _of_hearing(table: Table) -> Iterator[Metric]:
    labels = ["partition"]
    heard = GaugeMetricFamily(
        "relay_partition_heard", "Whether its leader proves that it hears.", labels=labels
    )
    age = GaugeMetricFamily("relay_partition_heard_age_seconds", "Since the last proof.", labels=labels)
    listed = GaugeMetricFamily("relay_partition_channels", "Channels that are listed.", labels=labels)
    unheard = GaugeMetricFamily(
        "relay_partition_channels_unheard", "Those of them that are not heard.", labels=labels
    )
    for loop in table.loops:
        if loop.role == Lease.Role.LISTENER:
            at, channels = [str(loop.partition)], table.listed.get(loop.partition, Listed())
            heard.add_metric(at, float(loop.hears))
            listed.add_metric(at, channels.channels)
            unheard.add_metric(at, channels.unheard)
            if loop.heard_age_seconds is not None:
                age.add_metric(at, loop.heard_age_seconds)
    yield from (heard, age, listed, unheard)


def _of_streams(streams: Streams) -> Iterator[Metric]:
    labels = ["partition"]
    for name, text in COUNTERS.items():
        counter = CounterMetricFamily(f"relay_messages_{name}", text, labels=labels)
        for partition, reading in streams.readings.items():
            counter.add_metric([str(partition)], reading.count(name))
        yield counter
    for name, text in HISTOGRAMS.items():
        histogram = HistogramMetricFamily(f"relay_{name}", text, labels=labels)
        for partition, reading in streams.readings.items():
            buckets, total = reading.buckets(name)
            histogram.add_metric([str(partition)], buckets, total)
        yield histogram
    unstored = GaugeMetricFamily(
        "relay_stream_unstored_entries", "Entries that are not stored yet.", labels=labels
    )
    lag = GaugeMetricFamily(
        "relay_watermark_lag_seconds", "Age of the oldest message that is not stored.", labels=labels
    )
    for partition, backlog in streams.backlogs.items():
        unstored.add_metric([str(partition)], backlog.entries)
        lag.add_metric([str(partition)], backlog.lag_seconds)
    yield from (unstored, lag)
    for name, text in PUBLISHED.items():
        counter = CounterMetricFamily(f"relay_published_{name}", text, labels=["channel", "producer"])
        for used in streams.used:
            counter.add_metric([used.channel, used.producer], getattr(used, name))
        yield counter
    yield GaugeMetricFamily(
        "relay_redis_refuses_writes",
        "Whether Redis takes nothing: what is heard now is not stored.",
        float(streams.refuses is not None),
    )
    yield GaugeMetricFamily("relay_redis_memory_bytes", "Memory that Redis uses.", streams.memory)
    yield GaugeMetricFamily("relay_redis_memory_limit_bytes", "Its limit; 0: none.", streams.most_memory)


class Metrics(APIView):
    """For Prometheus: with a token that may read every channel, or with RELAY_METRICS_TOKEN."""

    permission_classes = ()
    schema = None

    def initial(self, request: Request, *args: object, **kwargs: object) -> None:
        """Let in who has the one token or the other."""
        sent = request.META.get("HTTP_AUTHORIZATION", "").removeprefix("Bearer ").encode()
        own = settings.RELAY_METRICS_TOKEN.encode()
        if own and hmac.compare_digest(sent, own):
            return
        super().initial(request, *args, **kwargs)
        if not request.user or not request.user.is_authenticated:
            raise NotAuthenticated
        # What is counted is counted over all channels.
        require_everywhere(request, SEE)

    def get(self, request: Request) -> HttpResponse:
        """All metrics."""
        whole = CollectorRegistry()
        whole.register(Whole(look(at_readers=True)))
        whole.register(Watching())
        text = generate_latest(whole) + generate_latest(REGISTRY)
        return HttpResponse(text, content_type=CONTENT_TYPE_LATEST)


assert set(HISTOGRAMS) == set(meters.BUCKETS)  # noqa: S101
