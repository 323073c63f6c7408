"""What /metrics says of endpoints: of the first `NAMED` by name, of all others together under no name."""

from collections.abc import Iterator, Sequence
from typing import Final

from prometheus_client.core import GaugeMetricFamily, Metric

from webhooks_app.watching import Endpoints, Watched

NAMED: Final = 500
"""Those that were made first."""

_LABELS: Final = ["endpoint"]


def of_endpoints(endpoints: Endpoints) -> Iterator[Metric]:
    """All families."""
    states = GaugeMetricFamily("relay_endpoints", "Endpoints by state.", labels=["state"])
    for state, count in endpoints.states.items():
        states.add_metric([state], count)
    breakers = GaugeMetricFamily(
        "relay_endpoints_breaker", "Active endpoints by their breaker.", labels=["breaker"]
    )
    for breaker, count in endpoints.breakers.items():
        breakers.add_metric([breaker], count)
    yield from (states, breakers)
    yield from _each(endpoints.each)


def _each(endpoints: Sequence[Watched]) -> Iterator[Metric]:
    is_open = GaugeMetricFamily(
        "relay_endpoint_breaker_open",
        "Whether its breaker is open or half-open: at most one attempt at a time is made, to try it out.",
        labels=_LABELS,
    )
    failing = GaugeMetricFamily(
        "relay_endpoint_failing_seconds",
        "Since an attempt failed, if none has succeeded after it; 0: it is not failing, or not active.",
        labels=_LABELS,
    )
    given_up = GaugeMetricFamily(
        "relay_endpoint_given_up", "Whether a sender has disabled it, and no person.", labels=_LABELS
    )
    for one in [*endpoints[:NAMED], *_together(endpoints[NAMED:])]:
        is_open.add_metric([one.name], float(one.is_open))
        failing.add_metric([one.name], one.failing_seconds or 0.0)
        given_up.add_metric([one.name], float(one.is_given_up))
    yield from (is_open, failing, given_up)


def _together(endpoints: Sequence[Watched]) -> list[Watched]:
    """As one: the worst of each."""
    if not endpoints:
        return []
    return [
        Watched(
            "",
            any(one.is_open for one in endpoints),
            any(one.is_given_up for one in endpoints),
            max((one.failing_seconds for one in endpoints if one.failing_seconds is not None), default=None),
        )
    ]
