"""Which settings a subscription may have, by its mode and its kind."""

from collections.abc import Mapping
from typing import Any, Final

from django.core.exceptions import ValidationError

from relaycore.errors import BadSubscription
from subscribers_app import filters, ordering
from subscribers_app.models import Subscription

LEASE_ONLY: Final = ("ack_deadline_seconds", "max_deliveries", "max_outstanding", "order", "order_field")
"""What has no meaning where nothing is leased."""

NOT_PUSHED: Final = ("ack_deadline_seconds", "max_deliveries")
"""What has no meaning where a schedule says when an attempt is made again, and how often."""


def set_to(row: Subscription, wanted: Mapping[str, Any]) -> None:
    """Set what is wanted; it has to be something that can be meant.

    Raises:
        BadSubscription, BadFilter: it cannot.
    """
    if row.kind == Subscription.Kind.WEBHOOK:
        _require_of_a_webhook(row, wanted)
    elif row.mode == Subscription.Mode.CURSOR:
        _require_of_a_cursor(wanted)
    for column, value in wanted.items():
        setattr(row, column, value)
    try:
        row.clean_fields(exclude=["channel"])
    except ValidationError as exc:
        said = [f"{column}: {' '.join(texts)}" for column, texts in exc.message_dict.items()]
        raise BadSubscription(" ".join(said)) from exc
    ordering.check(row)
    filters.check(row.filter, row.filter_scope)


def _require_of_a_webhook(row: Subscription, wanted: Mapping[str, Any]) -> None:
    if row.mode != Subscription.Mode.LEASE:
        raise BadSubscription('mode: A webhook has the mode "lease": leave it out.')
    if given := [column for column in NOT_PUSHED if column in wanted]:
        raise BadSubscription(
            f"{', '.join(given)}: Not for webhooks. `schedule_seconds` says when a message is sent again, "
            "and how often; `timeout_seconds` of the endpoint, how long an attempt may take."
        )


def _require_of_a_cursor(wanted: Mapping[str, Any]) -> None:
    given = {column: value for column, value in wanted.items() if column in LEASE_ONLY}
    if given.get("order") == Subscription.Order.NONE:
        del given["order"]
    if not given.get("order_field", ""):
        given.pop("order_field", None)
    if given:
        raise BadSubscription(
            f'{", ".join(given)}: Only a subscription of the mode "lease" has that. In the mode "cursor" '
            "nothing is leased: one reader gets everything in order, until it commits."
        )
