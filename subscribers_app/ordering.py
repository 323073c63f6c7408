"""Order by a field (`relaycore.delivering.holding`): what it may be, and what is kept of filters of before.

What waits for its turn was chosen by the filter that there was when the cursor passed it.
"""

from collections.abc import Sequence
from typing import Any, Final

from relaycore.delivering.holding import MOST_EARLIER, Earlier, Held, require_field, still_needed
from relaycore.errors import BadSubscription
from subscribers_app.models import Subscription

Filter = tuple[Any, str]
"""With its scope."""


_FOR_GOOD: Final = (
    "An order by a field is for good. Make another subscription, and let it begin where this one stands: "
    "what is on its way here, or waits, has to be done here."
)


def check(row: Subscription) -> None:
    """Nothing, if a subscription may have this order.

    Raises:
        BadSubscription: it may not.
    """
    if row.order == Subscription.Order.FIELD:
        require_field(row.order_field)
    elif row.order_field:
        raise BadSubscription(f'A field to order by goes with the order "field", and not with "{row.order}".')


def require_for_good(row: Subscription, order: str | None, field: str | None) -> None:
    """Nothing, if a subscription may be given this order, by this field. None: it is not given another one.

    Raises:
        BadSubscription: it has an order by a field, or is to get one.
    """
    order = row.order if order is None else order
    field = row.order_field if field is None else field
    if Subscription.Order.FIELD in {row.order, order} and (order, field) != (row.order, row.order_field):
        raise BadSubscription(_FOR_GOOD)


def of(column: Any) -> list[Earlier[Filter]]:
    """As the column of a subscription has them."""
    return [
        Earlier(one["generation"], one["upto"], (one["filter"], one["filter_scope"])) for one in column or ()
    ]


def keep(row: Subscription, before: Filter, held: Sequence[Held]) -> None:
    """Another filter is set, and above the cursor it holds: keep this one as long as something waits by it.

    Raises:
        BadSubscription: too many are kept already.
    """
    earlier = [*of(row.earlier_filters), Earlier(row.generation, row.position, before)]
    needed = still_needed(row.generation, earlier, held)
    if len(needed) > MOST_EARLIER:
        raise BadSubscription(
            f"Messages wait for their turn that were chosen by {MOST_EARLIER} filters before this one. "
            "More are not kept: settle or skip the messages that hold them back, or seek."
        )
    row.earlier_filters = [_member(one) for one in needed] or None


def _member(one: Earlier[Filter]) -> dict[str, Any]:
    filter, scope = one.chosen
    return {"generation": one.generation, "upto": one.upto, "filter": filter, "filter_scope": scope}
