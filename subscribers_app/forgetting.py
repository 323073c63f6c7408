"""Deleting what ended undelivered, and why, once the messages that it speaks of are long gone.

How long it stays on record is decided by `relaycore.delivering.forgetting`. A row that somebody else deletes
just now, with its subscription, is left to him: nobody waits for the other.
"""

from typing import Final

from django.db import connection

from relaycore.delivering.forgetting import kept_seconds

_BATCH: Final = 5_000

_FORGET: Final = f"""
DELETE FROM undelivered WHERE id IN (
    SELECT u.id FROM undelivered AS u
    WHERE u.subscription_id IN (
        SELECT s.id FROM subscriptions AS s JOIN channels AS c ON c.id = s.channel_id WHERE c.channel = %s
    ) AND u.at < clock_timestamp() - make_interval(secs => %s)
    LIMIT {_BATCH} FOR UPDATE OF u SKIP LOCKED
)
"""  # noqa: S608 -- a constant


def forget(channel: str, retention_seconds: int | None) -> int:
    """Delete it of those who read this channel, which keeps messages for so long; how many rows there were.

    Raises:
        django.db.Error: PostgreSQL does not answer.
    """
    kept, total = kept_seconds(retention_seconds), 0
    if kept is None:
        return 0
    while True:
        with connection.cursor() as sql:
            sql.execute(_FORGET, [channel, float(kept)])
            deleted: int = sql.rowcount
        total += deleted
        if deleted < _BATCH:
            return total
