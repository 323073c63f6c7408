"""What retention leaves where it is: what a rule has not come past yet, in what it reads and what it writes.

A rule that goes on from where it was kept reads again what it has read since then, and says again what it has
said. It is to find both: else it says something else, or twice what retention has forgotten.
"""

from django.db.models import Q

from alerts_app import keeping
from alerts_app.models import Rule
from relaycore.alerting.times import may_expire


def kept_above(channel: str) -> str | None:
    """The position above which nothing of a channel may be deleted; None: no rule needs it.

    A rule that is disabled holds up nothing.

    Raises:
        django.db.Error, PyMongoError: a server does not answer.
    """
    active = Rule.objects.filter(
        Q(channel__channel=channel) | Q(to__channel=channel), state=Rule.State.ACTIVE
    )
    begun = {uuid.hex: int(position[:13]) for uuid, position in active.values_list("uuid", "position")}
    if not begun:
        return None
    return may_expire((begun | keeping.least_times(begun)).values())
