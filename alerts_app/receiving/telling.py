"""What has changed becomes messages of the channel, each once, in the order in which it was written down."""

from collections.abc import Callable, Sequence
from typing import Final

from django.db import connection, transaction

from alerts_app.receiving.models import Transition
from alerts_app.receiving.posting import IDLE_MS

AT_ONCE: Final = 200
"""So many go onto the stream together."""

_LOCK: Final = 7_330_221_904_118_273
"""PostgreSQL's advisory lock of whoever tells."""

Publish = Callable[[Sequence[Transition]], int]
"""Appends the first of these; how many of them are stored then. What it raises leaves them waiting."""


def tell(publish: Publish) -> int:
    """Tell what waits, in one transaction; how many. More may wait then.

    Raises:
        django.db.Error: PostgreSQL does not answer.
    """
    if not Transition.objects.exists():
        return 0
    told = 0
    with transaction.atomic(), connection.cursor() as sql:
        sql.execute(f"SET LOCAL idle_in_transaction_session_timeout = {IDLE_MS}")
        sql.execute("SELECT pg_advisory_xact_lock(%s)", [_LOCK])
        waiting = list(Transition.objects.order_by("id")[:AT_ONCE])
        if waiting:
            told = publish(waiting)
            Transition.objects.filter(id__in=[one.id for one in waiting[:told]]).delete()
    return told
