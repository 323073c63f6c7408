"""What /metrics says of rules."""

from collections.abc import Iterator, Sequence
from typing import Final

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from alerts_app.watching import WatchedRule

_LABELS: Final = ["rule"]


def of_rules(rules: Sequence[WatchedRule]) -> Iterator[Metric]:
    """All families."""
    active = GaugeMetricFamily("relay_rule_active", "Whether it reads on; 0: it is disabled.", labels=_LABELS)
    behind = GaugeMetricFamily(
        "relay_rule_behind_seconds",
        "Since the oldest message was put on the stream that it has not come past; 0: there is none.",
        labels=_LABELS,
    )
    late = GaugeMetricFamily(
        "relay_rule_late_seconds",
        "Since the earliest time was due at which it has not said what it has to; 0: none is.",
        labels=_LABELS,
    )
    outputs = CounterMetricFamily("relay_rule_outputs", "What it has said, and is stored.", labels=_LABELS)
    unusable = CounterMetricFamily(
        "relay_rule_unusable_messages", "Messages that it could do nothing with.", labels=_LABELS
    )
    alerts = GaugeMetricFamily("relay_rule_open_alerts", "Alerts that are open.", labels=_LABELS)
    for one in rules:
        at = [one.name]
        active.add_metric(at, float(one.is_active))
        behind.add_metric(at, one.behind_seconds)
        late.add_metric(at, one.late_seconds)
        outputs.add_metric(at, one.outputs)
        unusable.add_metric(at, one.unusable)
        alerts.add_metric(at, one.open)
    yield from (active, behind, late, outputs, unusable, alerts)
