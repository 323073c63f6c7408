"""What an operator decides about messages in quarantine: that he knows of them, or that they are of no use.

Putting them back is `messages_app.writing.retrying.put_back`. Each decision stands in the audit log, before
it is carried out: PostgreSQL and MongoDB have no transaction together, and a decision on record that failed
is better than a message that is gone without one.
"""

from datetime import UTC, datetime
from typing import Any

from django.db import transaction

from access_app import audit
from messages_app.models import Quarantined
from relaycore.storing.batching import batched

AT_ONCE = 500


def acknowledge(found: Any) -> int:
    """They stay, and the home page does not warn of them any more; how many did so far.

    found: a queryset of `Quarantined`

    Raises:
        django.db.Error: PostgreSQL or MongoDB does not answer.
    """
    return _decide("quarantine acknowledged", found.filter(acknowledged_at=None), _note)


def discard(found: Any) -> int:
    """They are deleted for ever; how many there were.

    Raises:
        django.db.Error: PostgreSQL or MongoDB does not answer.
    """
    return _decide("quarantine discarded", found, _delete)


def _decide(action: str, found: Any, carry_out: Any) -> int:
    done = 0
    # By hundreds: what comes meanwhile is not in what was decided on.
    ids = list(found.values_list("pk", flat=True))
    for few in batched(ids, AT_ONCE):
        some = Quarantined.objects.filter(pk__in=few)
        with transaction.atomic():
            for channel, pk in some.values_list("channel", "pk"):
                audit.record(action, [str(pk)], channel=channel)
        # Not before that is committed: else a message may be gone, and nobody knows who did it.
        done += carry_out(some)
    return done


def _note(some: Any) -> int:
    return int(some.filter(acknowledged_at=None).update(acknowledged_at=datetime.now(UTC)))


def _delete(some: Any) -> int:
    deleted, _ = some.delete()
    return int(deleted)
