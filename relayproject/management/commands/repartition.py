"""`manage.py repartition`: bring the data after RELAY_PARTITIONS."""

from functools import partial
from typing import Any

import redis
from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.db import transaction
from pymongo.errors import PyMongoError

from channels_app import placement
from channels_app.listening.recording import changeover
from leases_app import deployment, layout, partitioning
from leases_app.models import Partitioning
from messages_app.searching.watermark import is_drained
from messages_app.writing import kept
from messages_app.writing.writer import write
from relaybase import keys
from relaybase.connections import shared_redis
from relaycore.errors import RelayError, one_line
from relaycore.layout import Layout, misfit, newest
from relayproject.management.silence import require_silence


class Command(BaseCommand):
    """Stores what is left on the streams, moves the channels, and records the new number.

    It may be run again, whatever ended it: until it is through, nobody appends.
    """

    help = "Divide the data into RELAY_PARTITIONS partitions, while everything else is stopped."

    def handle(self, *args: Any, **options: Any) -> None:
        """Run."""
        own, after = partitioning.layout(), settings.RELAY_PARTITIONS
        try:
            streams = layout.streams()
            beside = layout.beside(max(own.partitions, after, streams))
            if own.partitions == after >= streams and misfit(own, beside[:after]) is None:
                self.stdout.write(f"The data are divided into {after} already.")
                return
            deployment.require_own_servers()
            moved = self._divide(own, newest(own, beside, streams), after)
        except (redis.RedisError, PyMongoError) as exc:
            server = "Redis" if isinstance(exc, redis.RedisError) else "MongoDB"
            text = f"{server} does not answer. Run this again, nothing is heard before"
            raise CommandError(f"{text}: {one_line(exc)}") from exc
        except RelayError as exc:
            raise CommandError(str(exc)) from exc
        self.stdout.write(
            f"Divided into {after} instead of {own.partitions}; {moved} channels moved. Start everything."
        )

    def _divide(self, own: Layout, known: Layout, after: int) -> int:
        """From all partitions that are `known` into so many; how many channels moved."""
        everywhere = range(max(known.partitions, after))
        new = Layout(after, known.generation + 1)
        require_silence()
        layout.say_moving(everywhere)
        self._drain(known.partitions)
        _account(own, everywhere, went_back=known.generation > own.generation)
        layout.raise_streams(known.partitions, after, kept.marks())
        with transaction.atomic():
            Partitioning.objects.select_for_update().get()
            require_silence()
            moved = placement.moves()
            _move_keys(moved, known.partitions, after)
            placement.settle(moved)
            Partitioning.objects.update(partitions=new.partitions, generation=new.generation)
        layout.say(new, everywhere)
        return len(moved)

    def _drain(self, partitions: int) -> None:
        require_silence()
        for partition in range(partitions):
            if not is_drained(partition):
                self.stdout.write(f"Storing what is left on the stream of partition {partition}.")
                write(partition, partial(is_drained, partition))
            _require_drained(partition)  # A writer ends too if its term does, or if Redis fails it once.


def _require_drained(partition: int) -> None:
    if not is_drained(partition):
        raise CommandError(
            f"What is left on the stream of partition {partition} is not all stored, see the log for why. "
            "Run this again, nothing is heard before."
        )


def _account(own: Layout, everywhere: range, *, went_back: bool) -> None:
    """What nobody has heard until now is on record, in the partitions as they were."""
    client = shared_redis()
    instant = changeover.look(client, everywhere)
    with transaction.atomic():
        require_silence()
        changeover.account(instant, own.partitions, everywhere, went_back=went_back)
    changeover.begin(client, instant)


def _move_keys(moved: list[placement.Move], before: int, after: int) -> None:
    """Take what Redis knows of a channel along. It may be done twice."""
    client = shared_redis()
    for name, old, new in moved:
        if (last_at := client.hget(keys.last_at(old), name)) is not None:
            client.hset(keys.last_at(new), name, last_at)
    # Counts are missing then, so each writer counts what is stored when it begins.
    for partition in range(max(before, after)):
        client.delete(keys.stored(partition), keys.expired(partition), keys.tallies(partition))
    for partition in range(after, before):
        _require_drained(partition)  # Who knows no layout may have appended meanwhile.
        # Not the ticks: should the partition come back, they must not begin again.
        client.delete(keys.stream(partition), keys.last_at(partition), keys.suspect(partition))
