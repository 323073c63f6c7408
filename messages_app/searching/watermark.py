"""Up to where everything of a partition is in MongoDB.

Inserts run several at a time, so a message may be visible while an older one is still
on its way. A reader that goes by position and has seen the newer one would look for
the next ones above it, and never see the older one. So every reader stops below the
first message that may still be missing. That bound is the watermark.

It is not stored anywhere, it follows from the stream. The writer acknowledges an entry
only after MongoDB has said that all its messages are durable (or in quarantine), and
it gets entries in the order of their ids. So what may be missing is, at any instant:

* an entry that was delivered and not acknowledged: not below the smallest pending id;
* an entry that was not delivered: not below the first one after the group's last
  delivered id. (Without a group all of them: it is created at the stream's beginning.)

Pending entries were delivered, so they are below the others, and the smallest pending
id decides where there is one. Where there is neither, all that the stream ever had is
stored, and only entries to come may be missing. XADD gives them ids that are not below
Redis' clock, nor below the last id that it generated plus one.

What was deleted, cut off or evicted before it was stored is neither. The running numbers
show it (`relaycore.storing.known`): until the writer has put it on record, everybody stops behind
what is stored, and nobody is sure of anything.

All of this is read at one instant (`messages_app.beside`). MongoDB is asked after it, never
before. What is below the watermark stays complete: after a loss of Redis's data the writer
has ids go on above everything that was stored. Until what it appended anew is all stored, nobody reads of it:
some of it may be there, or arrive, under the position that it had before.
"""

import logging

import redis

from messages_app import beside
from relaybase.connections import shared_redis
from relaycore.errors import Disconnected
from relaycore.storing import known
from relaycore.storing.known import Beside

log = logging.getLogger(__name__)


def look(partition: int) -> tuple[str | None, bool]:
    """The position below which everything of a partition is stored; None while Redis is away.

    And whether everything that was appended below it is stored, or on record as missing.
    """
    found = ask(partition)
    return (None, False) if found is None else (known.watermark(found), not known.lacks(found))


def ask(partition: int) -> Beside | None:
    """What the watermark follows from; None while Redis is away."""
    try:
        return beside.look(shared_redis(), partition)
    except (redis.ConnectionError, redis.TimeoutError) as exc:
        log.warning("Redis does not answer, so the watermark is unknown: %s", exc)
        return None


def require(partition: int) -> Beside:
    """The same, for who must not go on without.

    Raises:
        Disconnected: Redis is away.
    """
    if (found := ask(partition)) is None:
        raise unknown()
    return found


def unknown() -> Disconnected:
    """The error where nobody knows up to where everything is stored: whoever went on might pass a hole."""
    return Disconnected("Redis does not answer, so nobody knows up to where everything is stored. Try again.")


def is_drained(partition: int) -> bool:
    """Whether everything that was ever on the stream of a partition is stored, or on record.

    Raises:
        redis.RedisError: Redis does not answer.
    """
    found = beside.look(shared_redis(), partition)
    return not found.waiting and not known.lacks(found)
