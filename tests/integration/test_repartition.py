"""RELAY_PARTITIONS is changed while there are data."""

import functools
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from channels_app.models import Channel
from channels_app.registration import start
from leases_app import partitioning
from leases_app.heartbeat import Heartbeat
from leases_app.leasing import Contender
from leases_app.models import Lease
from messages_app.searching import history
from messages_app.searching.watermark import is_drained
from messages_app.writing.writer import write
from relaybase import keys
from relaycore.channels import partition_of
from relaycore.errors import UnfitServer
from relayproject.tasks import propose

from .divisions import NAMES, repartition
from .writing.world import document, fields_of

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def three(settings: Any) -> None:
    """Everything is divided into three."""
    settings.RELAY_PARTITIONS = 3
    settings.RELAY_LEASE_TTL_SECONDS = 0.5
    partitioning.require()


def _publish(redis: Any, settings: Any, name: str, text: str) -> None:
    stream = keys.stream(partition_of(name, settings.RELAY_PARTITIONS))
    redis.xadd(stream, fields_of([document(text, name)]))


@pytest.mark.parametrize("partitions", [1, 2, 5])
def test_nothing_works_under_another_number_and_the_reason_is_said(
    three: None, api: Any, archive: Any, relay_keys: Any, settings: Any, partitions: int
) -> None:
    settings.RELAY_PARTITIONS = partitions

    for refused in (propose, lambda: start("orders")):
        with pytest.raises(UnfitServer, match=r"divided into 3.*repartition"):
            refused()
    for command in ("listen", "write"):
        with pytest.raises(CommandError, match=r"divided into 3.*repartition"):
            call_command(command)
    answer = api.get("/api/v1/messages?channel=orders")
    assert (answer.status_code, "divided into 3" in answer.json()["detail"]) == (503, True)
    assert not Lease.objects.exists()


@pytest.mark.parametrize("partitions", [1, 2, 5])
def test_what_was_on_the_streams_is_stored_and_the_channels_follow(
    three: None, archive: Any, relay_keys: Any, settings: Any, partitions: int
) -> None:
    for name in NAMES:
        start(name)
        _publish(relay_keys, settings, name, "before")
    assert not all(map(is_drained, range(3)))

    said = repartition(settings, partitions)

    assert f"Divided into {partitions} instead of 3" in said
    assert all(map(is_drained, range(5)))
    for channel in Channel.objects.all():
        assert channel.partition == partition_of(channel.channel, partitions)
    for name in NAMES:
        _publish(relay_keys, settings, name, "after")
    for partition in range(partitions):
        write(partition, functools.partial(is_drained, partition))
    for name in NAMES:
        page = history.read(history.Search(name), limit=10)
        assert [message["message"] for message in page.messages] == ["after", "before"]
        stored = relay_keys.hget(keys.stored(partition_of(name, partitions)), name)
        assert stored == b"2"
    assert repartition(settings, partitions) == f"The data are divided into {partitions} already.\n"


def test_is_refused_while_somebody_listens(three: None, relay_keys: Any, settings: Any) -> None:
    start("orders")
    settings.RELAY_LEASE_HEARTBEAT_SECONDS = 0.05
    term = Contender().claim(Lease.Role.LISTENER, 0)
    assert term

    refused = pytest.raises(
        CommandError, match=r"Stop everything first. Still running: listener of partition 0"
    )
    with Heartbeat(term), refused:
        repartition(settings, 4)
    assert partitioning.recorded() == 3


def test_leases_of_the_killed_are_waited_for(three: None, relay_keys: Any, settings: Any) -> None:
    assert Contender().claim(Lease.Role.WRITER, 2)

    assert "Divided into 1" in repartition(settings, 1)


def test_the_time_of_the_last_message_goes_along(three: None, relay_keys: Any, settings: Any) -> None:
    moved = next(name for name in NAMES if partition_of(name, 3) == 2)
    start(moved)
    relay_keys.hset(keys.last_at(2), moved, 17)

    repartition(settings, 1)

    assert relay_keys.hget(keys.last_at(0), moved) == b"17"
