"""All endpoints at a glance, by PostgreSQL alone: for metrics. Three queries, however many there are."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from django.db import connection
from django.db.models import Count

from relaybase.postgres.clock import NOW_MS
from webhooks_app.models import Endpoint, Webhook

MOST: Final = 5_000
"""So many endpoints are looked at by name, those that were made first."""

_WATCH: Final = f"""
SELECT name, state = 'active' AND breaker <> 'closed', is_given_up,
       CASE WHEN state = 'active' THEN greatest(0, {NOW_MS} - failing_since) / 1000.0 END::float8
FROM endpoints ORDER BY id LIMIT {MOST}
"""  # noqa: S608 -- constants


@dataclass(frozen=True, slots=True)
class Watched:
    """An endpoint.

    is_open:         it is active, and its breaker is open or half-open
    is_given_up:     a sender has disabled it
    failing_seconds: since its first failure after the last success; None: it is not failing, or not active
    """

    name: str
    is_open: bool
    is_given_up: bool
    failing_seconds: float | None


@dataclass(frozen=True, slots=True)
class Endpoints:
    """Endpoints: how many, by state; of the active ones, by breaker; and each of at most `MOST`."""

    states: Mapping[str, int]
    breakers: Mapping[str, int]
    each: list[Watched]


def watch() -> Endpoints:
    """All of them.

    Raises:
        django.db.Error: PostgreSQL does not answer.
    """
    states = dict.fromkeys(Endpoint.State.values, 0)
    breakers = dict.fromkeys(Endpoint.Breaker.values, 0)
    counted = Endpoint.objects.order_by().values_list("state", "breaker").annotate(Count("id"))
    for state, breaker, count in counted:
        states[state] += count
        if state == Endpoint.State.ACTIVE:
            breakers[breaker] += count
    with connection.cursor() as sql:
        sql.execute(_WATCH)
        return Endpoints(states, breakers, [Watched(*row) for row in sql.fetchall()])


def asleep() -> set[int]:
    """The subscriptions of which nothing is sent since their endpoint is not active. It raises as `watch`."""
    found = Webhook.objects.exclude(endpoint__state=Endpoint.State.ACTIVE)
    return set(found.values_list("subscription_id", flat=True))
