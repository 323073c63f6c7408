"""What those ask who start and watch it: Alertmanager's management API, whole texts without a key.

https://prometheus.io/docs/alertmanager/latest/management_api/

Whoever asks takes nothing from senders: servers are asked in a thread of its own, once for all who wait.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Final

from django.db import DatabaseError, InterfaceError, connection
from redis.exceptions import RedisError

from alerts_app.receiving.keeping import keeper
from compat_app.alertmanager.failures import Failure
from relaybase.connections import one_per_loop, shared_redis
from relaybase.gathering import Gathering

OK: Final = b"OK"

NO_POSTGRESQL: Final = "PostgreSQL does not answer: no alert is taken."
READ_ONLY: Final = "PostgreSQL takes no writes: no alert is taken."
NO_REDIS: Final = "Redis does not answer: what is posted is kept, and told later."
NOT_TOLD: Final = "What alerts have changed is kept, and told later: the log of this process says why."

_SERVERS: Final = "servers"


async def healthy() -> bytes:
    """This process answers."""
    return OK


async def ready() -> bytes:
    """Alerts are taken and told.

    Raises:
        Failure: 503, they are not, or that is not known; the text says why.
    """
    if why := await _looks().find(_SERVERS):
        raise Failure(503, why)
    if not keeper().is_telling:
        raise Failure(503, NOT_TOLD)
    return OK


@one_per_loop
def _looks() -> Gathering[str, str]:
    return Gathering(_look, most=1)


async def _look(asked: Sequence[str]) -> Mapping[str, str]:
    return dict.fromkeys(asked, await asyncio.to_thread(trouble_of_servers))


def trouble_of_servers() -> str:
    """Why alerts are not taken, or not told; empty: servers do not keep them from it."""
    try:
        if _is_read_only():
            return READ_ONLY
        shared_redis().time()  # A right that a web process has anyway, other than PING.
    except (DatabaseError, InterfaceError):
        return NO_POSTGRESQL
    except RedisError:
        return NO_REDIS
    finally:
        connection.close()  # That of this thread.
    return ""


def _is_read_only() -> bool:
    """Of PostgreSQL: a standby, or one that was told to be."""
    with connection.cursor() as cursor:
        cursor.execute("SHOW transaction_read_only")
        return bool(cursor.fetchone() == ("on",))


PAGES: Final[Mapping[str, Callable[[], Awaitable[bytes]]]] = {"/-/healthy": healthy, "/-/ready": ready}
"""By path below the prefix; each for GET and HEAD."""
