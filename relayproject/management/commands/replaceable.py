"""`manage.py replaceable`: whether one more worker may be replaced."""

from typing import Any, Final

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import DatabaseError

from leases_app.models import Lease
from relayproject.observing.overview import read_listed
from relayproject.observing.rolling import (
    LISTENERS,
    PROCESSORS,
    SENDERS,
    WRITERS,
    Holder,
    Wanted,
    listeners_fault,
    processors_fault,
    senders_fault,
    writers_fault,
)


class Command(BaseCommand):
    """One look at the leases."""

    requires_system_checks = ()
    help = "Say whether one more worker of a kind may be replaced. Exit code 1 if none may."

    def add_arguments(self, parser: CommandParser) -> None:
        """Which."""
        parser.add_argument("kind", choices=[*_FAULTS])

    def handle(self, *args: Any, kind: str, **options: Any) -> None:
        """Run."""
        try:
            fault = _FAULTS[kind]()
        except DatabaseError as exc:
            raise CommandError("PostgreSQL does not answer.") from exc
        if fault is not None:
            raise CommandError(f"Not now: {fault}.")
        self.stdout.write("One may be replaced.")


def _listeners() -> str | None:
    wanted = Wanted(settings.RELAY_PARTITIONS, settings.RELAY_LISTENERS_PER_PARTITION)
    return listeners_fault(_holders(Lease.Role.LISTENER), _holders(Lease.Role.SEAT), wanted)


def _writers() -> str | None:
    return writers_fault(_holders(Lease.Role.WRITER), settings.RELAY_PARTITIONS)


def _senders() -> str | None:
    return senders_fault(_holders(Lease.Role.SENDER), settings.RELAY_SENDER_SHARDS)


def _processors() -> str | None:
    return processors_fault(_holders(Lease.Role.PROCESSOR), settings.RELAY_PROCESSOR_SHARDS)


_FAULTS: Final = {LISTENERS: _listeners, WRITERS: _writers, SENDERS: _senders, PROCESSORS: _processors}


def _holders(role: Lease.Role) -> list[Holder]:
    listed = read_listed()
    return [
        Holder(lease.partition, lease.host, _fault(lease, lease.partition in listed))
        for lease in Lease.objects.live().described().filter(role=role)
    ]


def _fault(lease: Lease, is_listed: bool) -> str:
    """Where no channel is listened to nothing is to be heard, and no standby can prove anything."""
    if lease.trouble:
        return lease.trouble.rstrip(".")
    if lease.role != Lease.Role.LISTENER or not is_listed:
        return ""
    if not lease.hears:
        return "hears nothing"
    return "nobody has proved that it would take over" if lease.is_alone else ""
