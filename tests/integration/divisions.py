"""Channels that are divided into partitions, and divided anew."""

import io
from collections.abc import Sequence
from typing import Any

from django.core.management import call_command

from channels_app.registration import start
from leases_app import partitioning
from relaybase.redis import appending
from relaycore.channels import partition_of
from relaycore.layout import Layout
from tests.integration.writing.world import document, fields_of

NAMES = [f"channel {n}" for n in range(20)]


def divide(settings: Any, partitions: int, names: Sequence[str] = NAMES) -> None:
    """Everything is divided into so many from the beginning, and these channels are listed."""
    settings.RELAY_PARTITIONS = partitions
    partitioning.require()
    for name in names:
        start(name)


def repartition(settings: Any, partitions: int) -> str:
    """Divide everything into so many; what the command says."""
    settings.RELAY_PARTITIONS = partitions
    out = io.StringIO()
    call_command("repartition", stdout=out)
    return out.getvalue()


def append(redis: Any, name: str, text: str, own: Layout) -> str:
    """Append a message of a channel under this layout; the id of its entry."""
    fields = [part for pair in fields_of([document(text, name)]).items() for part in pair]
    return appending.append(redis, partition_of(name, own.partitions), 1, fields, layout=str(own))
