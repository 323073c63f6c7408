"""Having many channels listened to at once: `registration.start`, for a list of names."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from django.db import connection, transaction

from access_app import audit
from channels_app.models import Channel
from channels_app.registration import exists, wake_after_commit
from leases_app import deployment
from relaycore.channels import check_new_name
from relaycore.errors import BadChannelName
from relaycore.policy import CONTENT, Policy
from relaycore.storing.shortening import Retention


@dataclass(frozen=True, slots=True)
class Started:
    """What became of several names. existing: they are listened to already; refused: the name, and why."""

    started: list[str]
    existing: list[str]
    refused: list[tuple[str, str]]


def start_all(
    names: Iterable[str], policy: Policy = CONTENT, retention_seconds: int | None = None
) -> Started:
    """Make a channel of each of these names and have it listened to. Who does it twice changes nothing.

    Raises:
        UnfitServer: the partitions, the secret or the Redis database are not this deployment's.
    """
    deployment.require_unless_away()
    retention = Retention().become(retention_seconds, Channel.objects.now())
    rows: dict[str, Channel] = {}
    found = Started([], [], [])
    for name in dict.fromkeys(names):
        try:
            row = Channel(channel=check_new_name(name), deduplicate=policy.as_json())
        except BadChannelName as exc:
            found.refused.append((name, str(exc)))
        else:
            row.retention, row.partition = retention, row.place
            rows[name] = row
    with transaction.atomic():
        for life, row in zip(_new_lives(len(rows)), rows.values(), strict=True):
            row.life = life
        # In one order, so that of two who do this at once one waits for the other.
        Channel.objects.bulk_create([rows[name] for name in sorted(rows)], ignore_conflicts=True)
        _sort(rows, found)
        audit.record(
            "channel started",
            found.started,
            deduplicate=policy.as_json(),
            retention_seconds=retention_seconds,
        )
    wake_after_commit([(rows[name].partition, name) for name in found.started])
    return found


def _sort(rows: Mapping[str, Channel], found: Started) -> None:
    """What has the life that it was given was not there before."""
    columns = Channel.objects.filter(channel__in=rows).values_list("channel", "life", "listen")
    there = {name: (life, listen) for name, life, listen in columns}
    for name, row in rows.items():
        life, listen = there.get(name, (row.life, True))  # Removed again, if it is not there.
        if life == row.life:
            found.started.append(name)
        elif listen:
            found.existing.append(name)
        else:
            found.refused.append((name, str(exists(name))))


def _new_lives(count: int) -> list[int]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT nextval('channels_life') FROM generate_series(1, %s)", [count])
        return [life for (life,) in cursor.fetchall()]
