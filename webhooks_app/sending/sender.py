"""One sender in one term: it claims its shard, lives, and gives it back."""

from collections.abc import Callable

from leases_app import endless, sleepless
from leases_app.sharding import SENDERS
from relaybase import logs
from webhooks_app.sending.shard import Shard


def send(shard: int, stopping: Callable[[], bool], task_id: str = "") -> bool:
    """Send to the endpoints of a shard until `stopping()`; False at once if somebody else does.

    Raises:
        UnfitServer: senders run that divide the endpoints into another number of shards.
    """
    with logs.about(shard=shard, task_id=task_id):
        term = SENDERS.claim(shard, task_id)
        if term is None:
            return False
        working = Shard(term)
        with endless.under(term, "sending", working.condition) as heartbeat:
            heartbeat.beat_soon()  # Nothing may begin before the term is confirmed.
            working.run(
                lambda: stopping() or heartbeat.lost, lambda: heartbeat.confirmed.holds(sleepless.seconds())
            )
        return True
