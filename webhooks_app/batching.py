"""How many messages go together in a request, as a webhook is set to it."""

from typing import Final

from relaycore.errors import BadSubscription
from relaycore.sending.formats.format import Format
from subscribers_app.models import Subscription

_FOR_BATCHES: Final = frozenset(one.value for one in Format if one.is_batch)


def is_for_batches(format: str) -> bool:
    """Whether a request in this format may have many messages. There may be no such format."""
    return format in _FOR_BATCHES


def check(format: str, order: str, batch_messages: int | None) -> None:
    """Nothing, if a webhook may be set so. `batch_messages`: None: nobody says how many.

    Raises:
        BadSubscription: it cannot be meant.
    """
    if not is_for_batches(format):
        if batch_messages is not None:
            raise BadSubscription(
                'batch_messages: Only in the formats "cloudevents-batch" and "ndjson". In any other one a '
                "request has one message: leave it out."
            )
    elif order == Subscription.Order.FIELD:
        raise BadSubscription(
            f'format: "{format}" goes with the orders "none" and "channel". In an order by a field each '
            "message waits for the one before it, so a request has one: choose a format with one."
        )
