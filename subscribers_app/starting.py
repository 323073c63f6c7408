"""From what somebody says to what he means: which subscription, and where a cursor stands.

What was decided by a row is done to that row: another one may have its name by then, on another channel.

"Latest" is after the last entry that the stream has, and after the last message that is stored: Redis may
have lost its data a moment ago, and its ids go on above what was stored only once a writer has seen to it.
What comes later than this question is above that position, whatever happens. If it cannot be learnt, nothing
begins: a place that is guessed would repeat or pass over messages.
"""

from django.conf import settings
from django.db.models import QuerySet

from leases_app import deployment
from messages_app.searching import counting, watermark
from relaycore.channels import partition_of
from relaycore.delivering.beginning import Start
from relaycore.errors import SubscriptionUnknown
from relaycore.position import START, last_of
from subscribers_app.models import Subscription

Which = str | Subscription
"""A subscription by its name, or this one and no other."""


def meant(which: Which) -> QuerySet[Subscription]:
    """The subscription, with its channel: one, or none."""
    found = Subscription.objects.select_related("channel")
    if isinstance(which, Subscription):
        return found.filter(pk=which.pk)
    # PostgreSQL has no text with NUL in it, so nothing can have such a name.
    return found.filter(name=which.replace("\0", "/"))


def unknown(which: Which) -> SubscriptionUnknown:
    """The error for a subscription that is not there."""
    return SubscriptionUnknown(f'There is no subscription "{which}".')


def resolve(channel: str, start: Start) -> str:
    """The position above which a cursor on this channel begins.

    Raises:
        Disconnected: Redis does not say, or MongoDB has fallen behind.
        pymongo.errors.PyMongoError: MongoDB does not answer.
        UnfitServer: the partitions, the secret or the Redis database are not this deployment's.
    """
    return START if start.is_earliest else start.resolve(_last(channel))


def _last(channel: str) -> str:
    deployment.require_unless_away()
    beside = watermark.require(partition_of(channel, settings.RELAY_PARTITIONS))
    return max(last_of(beside.last_id), counting.newest(channel, beside.operation_time) or START)
