"""Those who watch in this web process, counted (`live.counting`)."""

import time
from collections.abc import Iterator

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from live.counting import COUNTS


class Watching(Collector):
    """What they were shown, and why they went."""

    def collect(self) -> Iterator[Metric]:
        """All families."""
        yield GaugeMetricFamily(
            "relay_live_connections", "Clients that watch, by this process.", float(COUNTS.connections)
        )
        yield GaugeMetricFamily(
            "relay_live_failing",
            "Whether clients that watch here are not shown what is stored, or late; /readyz says why.",
            float(bool(COUNTS.showing.trouble(time.monotonic()))),
        )
        yield CounterMetricFamily(
            "relay_live_refused", "Clients that were told to come again: there were too many.", COUNTS.refused
        )
        delivered = CounterMetricFamily(
            "relay_live_delivered", "Messages that were sent to clients that watch.", labels=["door"]
        )
        for door, count in sorted(COUNTS.delivered.items()):
            delivered.add_metric([door], count)
        left = CounterMetricFamily(
            "relay_live_left", "Clients that went (gone), or had to go.", labels=["reason"]
        )
        for reason, count in sorted(COUNTS.left.items()):
            left.add_metric([reason], count)
        yield from (delivered, left)
