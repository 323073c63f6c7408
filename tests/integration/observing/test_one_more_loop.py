"""A kind of endless task that is one more line in `relayproject.processes.ENDLESS` is seen everywhere."""

from typing import Any

import pytest
from django.db.models import TextChoices
from django.test import Client

from leases_app.leasing import Condition, Contender
from leases_app.models import Lease
from relayproject.dashboard import facts
from relayproject.observing import overview
from relayproject.processes import ENDLESS, Endless

# Threads open connections of their own: Django asks that both databases are named.
pytestmark = pytest.mark.django_db(transaction=True, databases=["default", "messages"])


class Role(TextChoices):
    """As if there were polishers, in more shards than there are partitions."""

    LISTENER = "listener", "leading listener"
    SEAT = "seat", "listener"
    WRITER = "writer", "writer"
    SENDER = "sender", "sender"
    PROCESSOR = "processor", "processor"
    POLISHER = "polisher", "polisher"


@pytest.fixture(autouse=True)
def _polishers(settings: Any, monkeypatch: pytest.MonkeyPatch, archive: Any) -> None:
    settings.RELAY_LEASE_TTL_SECONDS = 60.0
    settings.RELAY_POLISHER_SHARDS = 3
    monkeypatch.setattr(Lease, "Role", Role)
    polisher = Endless("polisher", "polishers", "polish_app.tasks.polish", shards="RELAY_POLISHER_SHARDS")
    for place in (overview, facts):
        monkeypatch.setattr(place, "ENDLESS", (*ENDLESS, polisher))
    for shard in (0, 2):
        term = Contender().claim(Role.POLISHER, shard)
        assert term is not None
        term.renew(0, Condition(None, 7, "" if shard == 0 else "PostgreSQL does not answer."))


def test_readiness_names_each_of_its_shards(client: Client) -> None:
    checks = {check["name"]: check for check in client.get("/readyz").json()["checks"]}

    assert checks["polisher of partition 0"] == {
        "name": "polisher of partition 0",
        "ok": True,
        "waiting": 7,
    }
    assert checks["polisher of partition 1"]["detail"] == "nobody has held its lease yet"
    assert checks["polisher of partition 2"]["detail"] == "PostgreSQL does not answer."


def test_metrics_have_each_of_its_shards(api: Any) -> None:
    lines = api.get("/metrics").content.decode().splitlines()

    live = [line for line in lines if line.startswith('relay_lease_live{partition="') and "polisher" in line]
    assert live == [
        f'relay_lease_live{{partition="{n}",role="polisher"}} {up}' for n, up in enumerate((1.0, 0.0, 1.0))
    ]


def test_the_home_page_says_which_are_missing_and_in_trouble() -> None:
    found = facts.read()

    assert "No polisher for partition 1" in found.unled
    assert "Partition 2: PostgreSQL does not answer" in found.troubles
    assert "polisher" in {lease.role for lease in found.leases}
