"""The layout stands beside the streams, and nobody appends under another one."""

import time
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from redis.exceptions import ResponseError

from channels_app import placement
from channels_app.listening.listener import listen
from channels_app.models import Channel, Gap
from channels_app.registration import start
from leases_app import layout, partitioning
from leases_app.models import Lease, Partitioning
from messages_app.searching import history
from messages_app.searching.watermark import is_drained
from messages_app.writing.writer import write
from relaybase import keys
from relaycore.channels import partition_of
from relaycore.errors import UnfitServer
from relaycore.layout import Layout
from tests.integration.divisions import NAMES, append, divide, repartition
from tests.integration.listening import world
from tests.integration.listening.world import Loop
from tests.integration.writing.world import document, fields_of

pytestmark = [
    pytest.mark.django_db(transaction=True, databases=["default", "messages"]),
    pytest.mark.usefixtures("quick"),
]

Wait = Callable[..., None]


# --- positions ---------------------------------------------------------------------------


@pytest.mark.parametrize("changes", [[1], [5], [1, 4], [2, 3]])
def test_no_position_of_a_channel_falls_back_although_a_clock_was_ahead(
    archive: Any, relay_keys: Any, settings: Any, changes: list[int]
) -> None:
    divide(settings, 3)
    ahead = int(time.time() * 1000) + 3_600_000
    # The stream of the partition that goes first has ids of an hour that is to come.
    for name in NAMES:
        place = partition_of(name, 3)
        entry = f"{ahead}-*" if place == 2 else "*"
        relay_keys.xadd(keys.stream(place), fields_of([document("before", name)]), id=entry)

    for partitions in changes:
        repartition(settings, partitions)

    for name in NAMES:
        append(relay_keys, name, "after", partitioning.layout())
    for partition in range(partitions):
        write(partition, partial(is_drained, partition))
    for name in NAMES:
        page = history.read(history.Search(name), limit=10)
        assert [message["message"] for message in page.messages] == ["after", "before"], name
    assert not Gap.objects.exists(), "nothing has vanished"


# --- who appends -------------------------------------------------------------------------


def test_an_append_under_another_layout_is_refused_and_nothing_stands_there(relay_keys: Any) -> None:
    old, new = Layout(3, 1), Layout(3, 2)
    layout.say(new, range(3))

    with pytest.raises(ResponseError, match=r"^LAYOUT here it is 3 2, and not 3 1"):
        append(relay_keys, "orders", "hello", old)
    layout.say_moving(range(3))
    with pytest.raises(ResponseError, match=r"^LAYOUT here it is moving"):
        append(relay_keys, "orders", "hello", new)

    assert not any(relay_keys.exists(keys.stream(partition)) for partition in range(3))


def test_a_redis_that_has_lost_its_data_has_the_layout_with_the_first_entry(relay_keys: Any) -> None:
    own = Layout(3, 2)

    append(relay_keys, "orders", "hello", own)

    assert layout.beside(3)[partition_of("orders", 3)] == "3 2"
    with pytest.raises(ResponseError, match=r"^LAYOUT"):
        append(relay_keys, "orders", "hello", Layout(3, 1))


def test_a_listener_of_another_layout_keeps_what_it_hears_and_says_so(
    relay_keys: Any, archive: Any, settings: Any, wait_until: Wait
) -> None:
    loop = Loop(listen)
    try:
        wait_until(world.is_led)
        wait_until(lambda: layout.beside(1) == ["1 1"], what="written at the start")
        world.start(relay_keys, "orders", wait_until)
        layout.say_moving(range(1))
        world.publish(relay_keys, "orders", range(10))
        wait_until(lambda: "LAYOUT here it is moving" in world.lease().trouble, what="said")
        assert world.lease().waiting == 10
        asked = relay_keys.info("commandstats")["cmdstat_eval"]["calls"]
        time.sleep(1.0)
        assert relay_keys.info("commandstats")["cmdstat_eval"]["calls"] - asked < 60, "it does not spin"
        assert not relay_keys.exists(keys.stream(0))
        layout.say(Layout(1, 1), range(1))
        wait_until(lambda: world.on_stream(relay_keys) == [str(n) for n in range(10)], what="appended")
    finally:
        loop.stop()


# --- changes that are cut short, and servers that go back ----------------------------------


@pytest.mark.parametrize("cut", ["raise_streams", "say", "settle"])
def test_a_change_that_is_cut_short_is_said_and_resumed(
    relay_keys: Any, archive: Any, settings: Any, client: Any, monkeypatch: pytest.MonkeyPatch, cut: str
) -> None:
    divide(settings, 1)
    for name in NAMES:
        relay_keys.xadd(keys.stream(0), fields_of([document("before", name)]))

    def killed(*_: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(placement if cut == "settle" else layout, cut, killed)
        with pytest.raises(KeyboardInterrupt):
            repartition(settings, 3)

    if cut == "say":
        with pytest.raises(UnfitServer, match=r"cut short.*manage\.py repartition"):
            start("another")
        checks = {check["name"]: check for check in client.get("/readyz").json()["checks"]}
        assert "cut short" in checks["RELAY_PARTITIONS"]["detail"]
        with pytest.raises(UnfitServer, match="cut short"):
            layout.begin(0)
    for own in (Layout(1, 1), Layout(3, 2)):
        with pytest.raises(ResponseError, match=r"^LAYOUT"):
            append(relay_keys, NAMES[0], "too early", own)
    assert "Divided into 3" in repartition(settings, 3)
    own = partitioning.layout()
    assert layout.beside(3) == [str(own)] * 3
    for channel in Channel.objects.all():
        assert channel.partition == partition_of(channel.channel, 3)
    for name in NAMES:
        append(relay_keys, name, "after", own)
    for partition in range(3):
        write(partition, partial(is_drained, partition))
    assert archive.count_documents({}) == 2 * len(NAMES)
    assert "already" in repartition(settings, 3)


def test_a_redis_that_went_back_to_more_partitions_is_named_and_nothing_of_it_is_lost(
    relay_keys: Any, archive: Any, settings: Any, browser: Any
) -> None:
    divide(settings, 5)
    layout.say(Layout(5, 1), range(5))
    repartition(settings, 3)
    # The copy of Redis has entries that nobody has stored.
    layout.say(Layout(5, 1), range(5))
    for name in NAMES:
        relay_keys.xadd(keys.stream(partition_of(name, 5)), fields_of([document("of the copy", name)]))

    with pytest.raises(UnfitServer, match=r"divided into 5 .*Redis has gone back.*repartition"):
        layout.begin(0)
    assert "Redis has gone back" in browser.get("/admin/").content.decode()
    with pytest.raises(CommandError, match="Redis has gone back"):
        call_command("listen")

    repartition(settings, 3)

    assert archive.count_documents({"message": "of the copy"}) == len(NAMES)
    assert layout.beside(3) == [str(partitioning.layout())] * 3
    layout.require(partitioning.layout())


def test_a_redis_of_more_partitions_without_a_layout_is_refused(relay_keys: Any) -> None:
    relay_keys.xadd(keys.stream(7), {"x": "y"})

    with pytest.raises(UnfitServer, match="more than 1 partitions"):
        layout.begin(0)


def test_a_postgresql_that_went_back_is_named_and_the_next_division_is_a_new_one(
    relay_keys: Any, archive: Any, settings: Any
) -> None:
    divide(settings, 1)
    repartition(settings, 2)
    repartition(settings, 3)
    Partitioning.objects.update(partitions=1, generation=1)
    settings.RELAY_PARTITIONS = 1

    with pytest.raises(UnfitServer, match="PostgreSQL has gone back"):
        layout.begin(0)
    repartition(settings, 1)

    assert partitioning.layout() == Layout(1, 4)
    assert not Lease.objects.live().exists()


# --- what is left on the streams ------------------------------------------------------------


def test_a_stream_that_was_not_brought_to_its_end_is_not_deleted(
    archive: Any, relay_keys: Any, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    divide(settings, 3)
    for name in NAMES:
        append(relay_keys, name, "hello", Layout(3, 1))

    with monkeypatch.context() as patch:
        # As a writer does whose term is over, or whose Redis goes away for a moment.
        patch.setattr("relayproject.management.commands.repartition.write", lambda *_: True)
        with pytest.raises(CommandError, match="Run this again"):
            repartition(settings, 1)
    assert partitioning.recorded() == 3
    assert "Divided into 1 instead of 3" in repartition(settings, 1)

    assert archive.count_documents({}) == len(NAMES)


@pytest.mark.parametrize("partitions", [1, 2, 3])
def test_streams_of_partitions_that_nobody_knows_of_any_more_are_stored(
    archive: Any, relay_keys: Any, settings: Any, partitions: int
) -> None:
    divide(settings, 4)
    for name in NAMES:
        append(relay_keys, name, "hello", Layout(4, 1))
    # PostgreSQL is from before there were four, and Redis has lost its layout.
    relay_keys.delete(*map(keys.layout, range(4)))
    Partitioning.objects.update(partitions=1)
    settings.RELAY_PARTITIONS = 1
    with pytest.raises(UnfitServer, match=r"run `manage.py repartition`"):
        layout.begin(0)

    assert "Divided into" in repartition(settings, partitions)

    assert archive.count_documents({}) == len(NAMES)
    assert layout.begin(0) == partitioning.layout()
    assert "already" in repartition(settings, partitions)


def test_no_position_falls_below_what_is_stored_although_redis_has_lost_its_data(
    archive: Any, relay_keys: Any, settings: Any
) -> None:
    divide(settings, 3)
    ahead = int(time.time() * 1000) + 3_600_000
    for name in NAMES:
        place = partition_of(name, 3)
        id = f"{ahead}-*" if place == 2 else "*"
        relay_keys.xadd(keys.stream(place), fields_of([document("before", name)]), id=id)
    for partition in range(3):
        write(partition, partial(is_drained, partition))
    relay_keys.flushdb()

    repartition(settings, 1)

    for name in NAMES:
        append(relay_keys, name, "after", partitioning.layout())
    write(0, partial(is_drained, 0))
    for name in NAMES:
        page = history.read(history.Search(name), limit=10)
        assert [message["message"] for message in page.messages] == ["after", "before"], name
