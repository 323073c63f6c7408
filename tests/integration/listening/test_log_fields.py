"""What the lines of a listener and a writer say beside their text, in all their threads."""

import functools
import io
import json
import logging
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from channels_app.listening.listener import listen
from messages_app.writing.writer import write
from relaybase.logs import AsJSON, WithContext
from tests.loops import Loop
from tests.proxy import Proxy

from .world import Wait

pytestmark = pytest.mark.django_db(transaction=True)

Lines = Callable[[], list[dict[str, Any]]]


@pytest.fixture
def lines() -> Iterator[Lines]:
    """Every line from now on, as RELAY_LOG_FORMAT=json writes it."""
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(AsJSON())
    handler.addFilter(WithContext())
    root = logging.getLogger()
    root.addHandler(handler)
    yield lambda: [json.loads(line) for line in stream.getvalue().splitlines()]
    root.removeHandler(handler)


def loggers(lines: list[dict[str, Any]]) -> set[str]:
    return {line["logger"] for line in lines}


def test_the_lines_of_a_listener_name_its_partition_and_task_in_every_thread(
    settings: Any,
    relay_keys: Any,
    archive: Any,
    postgres_proxy: Proxy,
    lines: Lines,
    wait_until: Wait,
) -> None:
    settings.RELAY_LEASE_HEARTBEAT_SECONDS = settings.RELAY_LISTENER_REFRESH_SECONDS = 0.1
    settings.RELAY_PARTITIONS = 4
    loop = Loop(functools.partial(listen, 3, task_id="task-3"))
    try:
        wait_until(lambda: any("leads, epoch" in line["text"] for line in lines()), what="leads")
        threads = {"leases_app.heartbeat", "channels_app.listening.recording.roster"}
        with postgres_proxy.refusing() as refusal:
            assert postgres_proxy.reset_all()
            wait_until(lambda: refusal.refused and threads <= loggers(lines()), what="both miss PostgreSQL")
    finally:
        loop.stop()

    written = [line for line in lines() if line["logger"].startswith(("channels_app", "leases_app"))]
    assert {(line.get("partition"), line.get("task_id")) for line in written} == {(3, "task-3")}, written


def test_the_lines_of_a_writer_name_its_partition_and_task_and_the_position(
    settings: Any, relay_keys: Any, archive: Any, lines: Lines, wait_until: Wait
) -> None:
    loop = Loop(functools.partial(write, 0, task_id="task-0"))
    try:
        relay_keys.xadd("orchestrator_channel:{0}", {"nonsense": "1"})
        wait_until(lambda: {"messages_app.writing.quarantine"} <= loggers(lines()))
    finally:
        loop.stop()

    written = [line for line in lines() if line["logger"].startswith("messages_app")]
    assert {(line.get("partition"), line.get("task_id")) for line in written} == {(0, "task-0")}, written
    aside = [line for line in written if line["logger"] == "messages_app.writing.quarantine"]
    assert all(line["position"] for line in aside)
