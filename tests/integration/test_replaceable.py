"""`manage.py replaceable`: what Kubernetes asks before it goes on."""

import io
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db.models import Value

from channels_app.registration import start
from leases_app.models import Lease
from relaybase.postgres.clock import ClockTimestamp

pytestmark = pytest.mark.django_db


def _hold(role: Lease.Role, host: str, slot: int = 0, **more: object) -> None:
    Lease.objects.update_or_create(
        role=role,
        partition=0,
        slot=slot,
        defaults={
            "holder": f"{host} {slot}",
            "host": host,
            "heartbeat_at": ClockTimestamp(),
            "heard_at": ClockTimestamp(),
            "claimed_at": ClockTimestamp(),
            "trouble": Value(""),
            **more,
        },
    )


def _say(kind: str) -> str:
    out = io.StringIO()
    try:
        call_command("replaceable", kind, stdout=out)
    except CommandError as exc:
        return str(exc)
    return out.getvalue()


def test_listeners() -> None:
    assert _say("listeners") == "Not now: nobody holds the lease of the leading listener of partition 0."
    _hold(Lease.Role.LISTENER, "a")
    _hold(Lease.Role.SEAT, "a")
    assert _say("listeners") == "Not now: partition 0 has 1 of 2 listeners."
    _hold(Lease.Role.SEAT, "a", 1)
    assert _say("listeners") == "Not now: all listeners of partition 0 are on a."
    _hold(Lease.Role.SEAT, "b", 1)
    assert _say("listeners") == "One may be replaced.\n"


def test_a_leader_that_hears_nothing_is_only_at_fault_where_there_is_something_to_hear() -> None:
    _hold(Lease.Role.LISTENER, "a", heard_at=None)
    _hold(Lease.Role.SEAT, "a")
    _hold(Lease.Role.SEAT, "b", 1)
    assert _say("listeners") == "One may be replaced.\n"
    start("receipts", listen=False)
    assert _say("listeners") == "One may be replaced.\n"
    start("orders")
    assert "leading listener of partition 0: hears nothing" in _say("listeners")


def test_senders(settings: Any) -> None:
    settings.RELAY_SENDER_SHARDS = 1
    assert _say("senders") == "Not now: nobody holds the lease of the sender of shard 0."
    _hold(Lease.Role.SENDER, "a")
    assert _say("senders") == "One may be replaced.\n"
    settings.RELAY_SENDER_SHARDS = 2
    assert _say("senders") == "Not now: nobody holds the lease of the sender of shard 1."


def test_processors(settings: Any) -> None:
    settings.RELAY_PROCESSOR_SHARDS = 2
    _hold(Lease.Role.PROCESSOR, "a")
    assert _say("processors") == "Not now: nobody holds the lease of the processor of shard 1."
    settings.RELAY_PROCESSOR_SHARDS = 1
    assert _say("processors") == "One may be replaced.\n"


def test_writers() -> None:
    assert "nobody holds the lease of the writer" in _say("writers")
    _hold(Lease.Role.WRITER, "a")
    assert _say("writers") == "One may be replaced.\n"
    _hold(Lease.Role.WRITER, "a", trouble="MongoDB refuses everything.")
    assert _say("writers") == "Not now: writer of partition 0: MongoDB refuses everything."
