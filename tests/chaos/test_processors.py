"""Processors: what `tests/integration/processing` does to them, short and long."""

import os
import signal
import time
from pathlib import Path
from typing import Any

import pytest

from messages_app.writing.writer import write
from relaybase import keys
from tests.integration.conftest import writer
from tests.integration.processing.alerts import Alerts, alert, now
from tests.integration.processing.conftest import _kept, alerts
from tests.integration.processing.processors import Processor
from tests.integration.processing.rain import LONGEST, Rain, all_told, go_on
from tests.integration.processing.test_frozen_processor import edit
from tests.integration.processing.test_killed_processors import (
    kill_again_and_again,
    see_that_one_more_or_less_is_seen,
)
from tests.integration.pulling.traffic import Threads
from tests.loops import Loop

__all__ = ["_kept", "alerts", "writer"]

pytestmark = [
    pytest.mark.django_db(transaction=True, databases=["default", "messages"]),
    pytest.mark.timeout(600),
]

KILLS = 20
LOSSES = 5
LATE_MS = 2000
AHEAD_MS = 2000


def test_three_kills(alerts: Alerts, writer: Any, tmp_path: Path, wait_until: Any) -> None:
    kill_again_and_again(alerts, tmp_path / "log", 3, wait_until)


@pytest.mark.long
def test_twenty_kills(alerts: Alerts, writer: Any, tmp_path: Path, wait_until: Any) -> None:
    kill_again_and_again(alerts, tmp_path / "log", KILLS, wait_until)
    see_that_one_more_or_less_is_seen(alerts)


@pytest.mark.long
def test_twenty_kills_and_freezes_of_two_while_the_rule_is_edited(
    alerts: Alerts, writer: Any, tmp_path: Path, wait_until: Any
) -> None:
    """One is killed, or stands still for longer than its lease; the other one goes on, or it comes back."""
    rain = Rain(alerts)
    with Processor(tmp_path / "one") as one, Processor(tmp_path / "other") as other:
        with Threads([rain.run]):
            for number in range(KILLS):
                go_on(alerts, wait_until)
                victim = (one, other)[number % 2]
                if number % 3:
                    victim.kill()
                else:
                    with victim.frozen():
                        time.sleep(3)
                if number % 5 == 0:
                    edit(alerts, f"Several {number}")
        all_told(alerts, rain, wait_until, edited=True)
        for process in (one, other):
            os.kill(process.pid, signal.SIGCONT)
            assert not process.complaints()


@pytest.mark.long
def test_redis_loses_everything_again_and_again(
    alerts: Alerts, writer: Any, tmp_path: Path, wait_until: Any
) -> None:
    """What was not stored of the alerts is gone; of what was, all is told."""
    rain = Rain(alerts)
    with Processor(tmp_path / "log") as processor:
        with Threads([rain.run]):
            for _ in range(LOSSES):
                go_on(alerts, wait_until, 50, seconds=60)
                alerts.redis.flushall()
        all_told(alerts, rain, wait_until, lost=True)
        assert not processor.complaints()


@pytest.mark.long
def test_the_clock_is_set_back_again_and_again_and_processors_are_killed(
    alerts: Alerts, writer: Any, tmp_path: Path, wait_until: Any
) -> None:
    """As if all that came before had come in the future."""
    rain = Rain(alerts)
    with Processor(tmp_path / "log") as processor:
        with Threads([rain.run]):
            for number in range(LOSSES):
                go_on(alerts, wait_until, 50, seconds=60)
                alerts.redis.execute_command("XSETID", keys.stream(0), f"{now() + AHEAD_MS}-0")
                if number % 2:
                    processor.kill()
        time.sleep(AHEAD_MS / 1000)
        all_told(alerts, rain, wait_until)
        assert not processor.complaints()


@pytest.mark.long
def test_everything_is_killed_across_the_ends_of_windows(
    alerts: Alerts, writer: Any, tmp_path: Path, wait_until: Any
) -> None:
    """Nobody stores and nobody processes while they end; what runs before and after is in time."""
    rain = Rain(alerts)
    with Processor(tmp_path / "log") as processor:
        alerts.send(alert("the first", seconds=0.1))
        rain.sent += 1
        wait_until(lambda: alerts.told("close"), seconds=30, what="it runs")
        with Threads([rain.run]):
            wait_until(lambda: len(alerts.told("close")) > 200, seconds=60, what="some are closed")
        processor.end()
        writer.stop()
        ended = now()
        time.sleep(2 * LONGEST)
        began = now()
        again = Loop(lambda stopping: write(0, stopping))
        try:
            processor.again()
            all_told(alerts, rain, wait_until)
        finally:
            again.stop()
        assert not processor.complaints()
    late = alerts.late()
    while_nobody_ran = [due for due, _ in late if ended < due < began]
    assert while_nobody_ran, "no window has ended while nobody ran"
    assert max(by for due, by in late[1:] if due < ended - LATE_MS) <= LATE_MS
