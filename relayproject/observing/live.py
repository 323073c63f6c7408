"""Those who watch in this web process, counted (`live.counting`)."""

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
            "Whether something keeps clients that watch here from being shown what is stored.",
            float(COUNTS.is_failing),
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
