"""Into how many partitions everything is divided, and that all processes agree on it.

`RELAY_PARTITIONS` says where a channel belongs. If it changed under data that are there,
streams would be left with messages that no writer stores, and readers would look at the
watermark of the wrong stream. So the number is recorded, and while the setting is another
one nothing is heard, written or read: `manage.py repartition` brings the data after it.
"""

from django.conf import settings

from leases_app.models import Lease, Partitioning
from relaybase.postgres.clock import ClockTimestamp
from relaycore.errors import UnfitServer
from relaycore.layout import Layout


def layout() -> Layout:
    """What the data are divided into; the setting, if they are new."""
    row, _ = Partitioning.objects.get_or_create(defaults={"partitions": settings.RELAY_PARTITIONS})
    return Layout(row.partitions, row.generation)


def recorded() -> int:
    """Into how many partitions that is."""
    return layout().partitions


def require() -> Layout:
    """See that the setting is what the data are divided into, and what that is.

    Raises:
        UnfitServer: it is not.
    """
    own = layout()
    if (why := misfit(own)) is not None:
        raise UnfitServer(why)
    return own


def has(partition: int) -> bool:
    """Whether it is one of today's partitions. A proposal may be older than they are."""
    return partition < int(settings.RELAY_PARTITIONS)


def misfit(own: Layout) -> str | None:
    """Why the setting cannot be worked under, by what is recorded; None if it can."""
    wanted, found = settings.RELAY_PARTITIONS, own.partitions
    if wanted == found:
        return None
    return (
        f"RELAY_PARTITIONS is {wanted}, but the data are divided into {found}. Set it to {found} again, "
        "or stop everything and run `manage.py repartition`."
    )


def proposed() -> None:
    """Note that loops were proposed just now."""
    Partitioning.objects.update(proposed_at=ClockTimestamp())


def running() -> list[str]:
    """The loops that are alive, for a reader."""
    return [f"{lease} ({lease.host}, pid {lease.pid})" for lease in Lease.objects.live()]
