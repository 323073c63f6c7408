"""What those ask who start and watch it: Alertmanager's management API, whole texts without a key.

https://prometheus.io/docs/alertmanager/latest/management_api/
"""

from collections.abc import Awaitable, Callable, Mapping
from typing import Final

from django.db import DatabaseError, InterfaceError, connection
from redis.exceptions import RedisError

from alerts_app.receiving.keeping import keeper
from compat_app.alertmanager.failures import Failure
from relaybase.connections import shared_redis

OK: Final = b"OK"

NO_POSTGRESQL: Final = "PostgreSQL does not answer: no alert is taken."
READ_ONLY: Final = "PostgreSQL takes no writes: no alert is taken."
NO_REDIS: Final = "Redis does not answer: what is posted is kept, and told later."
NOT_TOLD: Final = "What alerts have changed is kept, and told later: the log of this process says why."


async def healthy() -> bytes:
    """This process answers."""
    return OK


async def ready() -> bytes:
    """Alerts are taken and told.

    Raises:
        Failure: 503, they are not; the text says why.
    """
    try:
        is_read_only = await keeper().ask(_is_read_only)
    except (DatabaseError, InterfaceError):
        raise Failure(503, NO_POSTGRESQL) from None
    if is_read_only:
        raise Failure(503, READ_ONLY)
    try:
        await keeper().ask(shared_redis().ping)
    except RedisError:
        raise Failure(503, NO_REDIS) from None
    if keeper().is_failing:
        raise Failure(503, NOT_TOLD)
    return OK


def _is_read_only() -> bool:
    """Of PostgreSQL: a standby, or one that was told to be."""
    with connection.cursor() as cursor:
        cursor.execute("SHOW transaction_read_only")
        return bool(cursor.fetchone() == ("on",))


PAGES: Final[Mapping[str, Callable[[], Awaitable[bytes]]]] = {"/-/healthy": healthy, "/-/ready": ready}
"""By path below the prefix; each for GET and HEAD."""
