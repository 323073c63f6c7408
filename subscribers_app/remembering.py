"""What a subscription is set to, from memory (`relaybase.postgres.remembering`): for the hot endpoints.

Where its cursor stands is not: that is asked of PostgreSQL each time.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from relaybase.postgres.remembering import Remembering
from relaycore.delivering.holding import Earlier
from relaycore.delivering.settings import Settings
from subscribers_app import ordering
from subscribers_app.models import Subscription, SubscriptionsMark

_COLUMNS = (
    *("id", "name", "channel__channel", "kind", "mode", "state", "filter", "filter_scope"),
    *("order", "delay_seconds", "ack_deadline_seconds", "max_deliveries", "max_outstanding"),
    *("revision", "order_field", "earlier_filters"),
)


@dataclass(frozen=True, slots=True)
class KnownSubscription:
    """A subscription as it is set.

    filter:   as it was given; None: every message
    order_field:     by the value of which messages are in order; empty: they are not
    earlier_filters: by which was chosen what waits for its turn; each with its scope
    revision: of these settings. What is remembered may be up to a second old; whoever locks the row sees it
    """

    id: int
    name: str
    channel: str
    kind: str
    mode: str
    is_active: bool
    filter: Any
    filter_scope: str
    delay_ms: int
    settings: Settings
    revision: int
    order_field: str
    earlier_filters: list[Earlier[ordering.Filter]]


class RememberedSubscriptions(Remembering[str, KnownSubscription]):
    """For one process. `known` and `find` may be called from any thread."""

    subject: ClassVar[str] = "which subscriptions there are"
    thread: ClassVar[str] = "subscriptions"

    def known(self, name: str) -> KnownSubscription | None:
        """The subscription of this name, if it is remembered.

        Raises:
            Disconnected: for too long PostgreSQL has confirmed nothing.
        """
        return self.recall(name)

    async def find(self, name: str) -> KnownSubscription | None:
        """The subscription of this name, by PostgreSQL; remembered from now on. None: there is none.

        Raises:
            Disconnected: it does not answer.
        """
        return await self.learn(name) if name.isascii() and "\0" not in name else None

    def _read_mark(self) -> object:
        return SubscriptionsMark.objects.values_list("mark", flat=True).first()

    def _read(self, keys: Sequence[str]) -> dict[str, KnownSubscription]:
        return {known.name: known for known in read(name__in=keys)}


def read(**which: Any) -> list[KnownSubscription]:
    """Subscriptions as they are set now, by conditions as a query set takes them.

    Raises:
        django.db.Error: PostgreSQL does not answer.
    """
    return [_known(row) for row in Subscription.objects.filter(**which).values(*_COLUMNS)]


def _known(row: dict[str, Any]) -> KnownSubscription:
    return KnownSubscription(
        row["id"],
        row["name"],
        row["channel__channel"],
        row["kind"],
        row["mode"],
        row["state"] == Subscription.State.ACTIVE,
        row["filter"],
        row["filter_scope"],
        row["delay_seconds"] * 1000,
        Settings(
            deadline_ms=row["ack_deadline_seconds"] * 1000,
            most_deliveries=row["max_deliveries"],
            most_outstanding=row["max_outstanding"],
            is_ordered=row["order"] == Subscription.Order.CHANNEL,
        ),
        row["revision"],
        row["order_field"],
        ordering.of(row["earlier_filters"]),
    )
