"""How many messages go together in a request, as a subscription is set to it."""

from typing import Final

from relaycore.delivering.settings import BY_FIELD
from relaycore.errors import BadSubscription
from relaycore.sending.formats.format import Format

BATCH_MESSAGES: Final = 100
"""That go together, where nobody has said how many."""

LARGEST_BATCH_MESSAGES: Final = 1000
"""As many as a sender that dies may repeat (`relaycore.sending.window`)."""

_FOR_BATCHES: Final = frozenset(one.value for one in Format if one.is_batch)


def is_for_batches(format: str) -> bool:
    """Whether a request in this format may have many messages. There may be no such format."""
    return format in _FOR_BATCHES


def check(format: str, order: str, batch_messages: int | None) -> None:
    """Nothing, if a webhook may be set so. `batch_messages`: None: nobody says how many.

    Raises:
        BadSubscription: it cannot be meant; what it says begins with the name of the member.
    """
    if not is_for_batches(format):
        if batch_messages is not None:
            raise BadSubscription(
                'batch_messages: Only in the formats "cloudevents-batch" and "ndjson". In any other one a '
                "request has one message: leave it out."
            )
    elif order == BY_FIELD:
        raise BadSubscription(
            f'format: "{format}" goes with the orders "none" and "channel". In an order by a field each '
            "message waits for the one before it, so a request has one: choose a format with one."
        )
