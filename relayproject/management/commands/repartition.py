"""`manage.py repartition`: bring the data after RELAY_PARTITIONS."""

from functools import partial
from typing import Any

import redis
from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.db import transaction

from channels_app import placement
from channels_app.listening import changeover
from leases_app import deployment, partitioning
from leases_app.models import Partitioning
from messages_app.searching.watermark import is_drained
from messages_app.writing.writer import write
from relaycore.errors import RelayError
from relayproject import keys
from relayproject.connections import shared_redis
from relayproject.management.silence import require_silence


class Command(BaseCommand):
    """Stores what is left on the streams, moves the channels, and records the new number."""

    help = "Divide the data into RELAY_PARTITIONS partitions, while everything else is stopped."

    def handle(self, *args: Any, **options: Any) -> None:
        """Run."""
        before, after = partitioning.recorded(), settings.RELAY_PARTITIONS
        if before == after:
            self.stdout.write(f"The data are divided into {after} already.")
            return
        try:
            deployment.require_own_servers()
            self._drain(before)
            _account(before, after)
            with transaction.atomic():
                Partitioning.objects.select_for_update().get()
                require_silence()
                moved = placement.moves()
                _move_keys(moved, before, after)
                placement.settle(moved)
                Partitioning.objects.update(partitions=after)
        except redis.RedisError as exc:
            raise CommandError(f"Redis does not answer, nothing was moved: {exc}") from exc
        except RelayError as exc:
            raise CommandError(str(exc)) from exc
        self.stdout.write(
            f"Divided into {after} instead of {before}; {len(moved)} channels moved. Start everything."
        )

    def _drain(self, partitions: int) -> None:
        require_silence()
        for partition in range(partitions):
            if not is_drained(partition):
                self.stdout.write(f"Storing what is left on the stream of partition {partition}.")
                write(partition, partial(is_drained, partition))


def _account(before: int, after: int) -> None:
    """What nobody has heard until now is on record, in the partitions as they were."""
    client = shared_redis()
    instant = changeover.look(client, range(max(before, after)))
    with transaction.atomic():
        require_silence()
        changeover.account(instant, before, after)
    changeover.begin(client, instant)


def _move_keys(moved: list[placement.Move], before: int, after: int) -> None:
    """Take what Redis knows of a channel along. It may be done twice."""
    client = shared_redis()
    for name, old, new in moved:
        if (last_at := client.hget(keys.last_at(old), name)) is not None:
            client.hset(keys.last_at(new), name, last_at)
    # Counts are missing then, so each writer counts what is stored when it begins.
    for partition in range(max(before, after)):
        client.delete(keys.stored(partition), keys.tallies(partition))
    for partition in range(after, before):
        # Not the ticks: should the partition come back, they must not begin again.
        client.delete(keys.stream(partition), keys.last_at(partition), keys.suspect(partition))
