"""What /metrics says of subscriptions.

What is not known has no sample, and never the value 0: `relay_subscription_lag_known` says of which. What
ended undelivered is of the last hour, and so goes back to nothing by itself.
"""

from collections.abc import Iterator
from typing import Final

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from relayproject.observing.readers import Readers
from subscribers_app.models import Undelivered

_LABELS: Final = ["subscription"]


def of_readers(readers: Readers) -> Iterator[Metric]:
    """All families."""
    states = GaugeMetricFamily("relay_subscriptions", "Subscriptions by state.", labels=["state"])
    for state, count in readers.states.items():
        states.add_metric([state], count)
    yield states
    yield from _lag(readers)
    yield from _each(readers)
    yield from _ended(readers)


def _lag(readers: Readers) -> Iterator[Metric]:
    known = GaugeMetricFamily(
        "relay_subscription_lag_known", "Whether how far it is behind is known.", labels=_LABELS
    )
    messages = GaugeMetricFamily(
        "relay_subscription_lag_messages",
        "Messages that are not done; with a filter, at most. Above the cursor 10000 are counted.",
        labels=_LABELS,
    )
    age = GaugeMetricFamily(
        "relay_subscription_lag_age_seconds",
        "Since the oldest message that is not done was put on the stream; 0: everything is done.",
        labels=_LABELS,
    )
    overdue = GaugeMetricFamily(
        "relay_subscription_overdue_seconds", "The same, without the delay that it is set to.", labels=_LABELS
    )
    for reader in readers.readers:
        known.add_metric([reader.name], float(reader.lag is not None))
        if reader.lag is not None:
            messages.add_metric([reader.name], reader.lag.messages)
            age.add_metric([reader.name], reader.lag.age_seconds or 0.0)
            overdue.add_metric([reader.name], reader.overdue_seconds or 0.0)
    yield from (known, messages, age, overdue)


def _each(readers: Readers) -> Iterator[Metric]:
    active = GaugeMetricFamily(
        "relay_subscription_active",
        "Whether it is handed anything; 0: it is paused, or its endpoint is not active.",
        labels=_LABELS,
    )
    outstanding = GaugeMetricFamily(
        "relay_subscription_on_their_way_messages",
        "Messages that are leased, or wait for another attempt. At most 10000 are counted.",
        labels=_LABELS,
    )
    dead = GaugeMetricFamily(
        "relay_subscription_dead_messages", "Dead letters. At most 10000 are counted.", labels=_LABELS
    )
    parked = GaugeMetricFamily(
        "relay_subscription_parked_keys",
        "Values of the field that it is in order by whose message fails: what comes behind that waits.",
        labels=_LABELS,
    )
    idle = GaugeMetricFamily(
        "relay_subscription_idle_seconds",
        "Since somebody asked for messages, or else since it was made. Nothing for those that are pushed.",
        labels=_LABELS,
    )
    handed_out = CounterMetricFamily(
        "relay_subscription_handed_out_messages",
        "Messages that went out, each time that they did.",
        labels=_LABELS,
    )
    settled = CounterMetricFamily(
        "relay_subscription_settled_messages",
        "Messages that were confirmed, by ack or by commit.",
        labels=_LABELS,
    )
    nacked = CounterMetricFamily(
        "relay_subscription_nacked_messages", "Messages that were given back, by nack.", labels=_LABELS
    )
    answered = GaugeMetricFamily(
        "relay_subscription_answer_age_seconds",
        "Since a reader confirmed a message, or gave one back.",
        labels=_LABELS,
    )
    uncounted = CounterMetricFamily(
        "relay_subscription_uncounted_commits",
        "Commits of which nobody knows how many messages they were: another process handed them out.",
        labels=_LABELS,
    )
    for reader in readers.readers:
        at = [reader.name]
        active.add_metric(at, float(reader.is_active))
        outstanding.add_metric(at, reader.outstanding)
        dead.add_metric(at, reader.dead)
        parked.add_metric(at, reader.parked)
        if reader.idle_seconds is not None:
            idle.add_metric(at, reader.idle_seconds)
        handed_out.add_metric(at, reader.handed_out)
        settled.add_metric(at, reader.done)
        nacked.add_metric(at, reader.nacked)
        uncounted.add_metric(at, reader.uncounted)
        if reader.answered_seconds is not None:
            answered.add_metric(at, reader.answered_seconds)
    yield from (active, outstanding, dead, parked, idle, handed_out, settled, nacked, uncounted, answered)


def _ended(readers: Readers) -> Iterator[Metric]:
    labels = [*_LABELS, "cause"]
    records = GaugeMetricFamily(
        "relay_subscription_undelivered_records",
        "How often something ended undelivered within the last hour, by cause.",
        labels=labels,
    )
    messages = GaugeMetricFamily(
        "relay_subscription_undelivered_messages",
        "How many messages that were, at most. Nothing where it is not known.",
        labels=labels,
    )
    for reader in readers.readers:
        for cause in Undelivered.Cause.values:
            ended = reader.ended.get(cause)
            records.add_metric([reader.name, cause], 0 if ended is None else ended.records)
            if (number := 0 if ended is None else ended.messages) is not None:
                messages.add_metric([reader.name, cause], number)
    yield from (records, messages)
