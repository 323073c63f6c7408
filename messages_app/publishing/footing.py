"""What one has to know of a partition to append to it."""

from dataclasses import dataclass

from django.db import connection

from leases_app import deployment, partitioning


@dataclass(frozen=True, slots=True)
class Footing:
    """A partition, and the layout by which it is one. `control`, `seal_key`: of its notices."""

    partition: int
    layout: str
    control: str
    seal_key: bytes


def footing_of(partition: int) -> Footing:
    """Look it up, and that all of it is this deployment's.

    Raises:
        Disconnected: Redis does not answer, so nobody knows whose it is.
        UnfitServer: the partitions, the secret or the Redis database are not this deployment's.
        django.db.Error: PostgreSQL does not answer.
    """
    try:
        deployment.require()
        return Footing(
            partition,
            str(partitioning.layout()),
            deployment.control_channel(partition),
            deployment.seal_key(partition),
        )
    finally:
        connection.close()
