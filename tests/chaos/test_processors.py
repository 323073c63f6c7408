"""Processors: what `tests/integration/processing` does to them, short and long."""

import os
import signal
import time
from pathlib import Path
from typing import Any

import pytest

from tests.integration.conftest import writer
from tests.integration.processing.alerts import Alerts
from tests.integration.processing.conftest import _kept, alerts
from tests.integration.processing.processors import Processor
from tests.integration.processing.rain import Rain, all_told
from tests.integration.processing.test_frozen_processor import edit
from tests.integration.processing.test_killed_processors import kill_again_and_again
from tests.integration.pulling.traffic import Threads

__all__ = ["_kept", "alerts", "writer"]

pytestmark = [
    pytest.mark.django_db(transaction=True, databases=["default", "messages"]),
    pytest.mark.timeout(600),
]

KILLS = 20


def test_three_kills(alerts: Alerts, writer: Any, tmp_path: Path, wait_until: Any) -> None:
    kill_again_and_again(alerts, tmp_path / "log", 3, wait_until)


@pytest.mark.long
def test_twenty_kills(alerts: Alerts, writer: Any, tmp_path: Path, wait_until: Any) -> None:
    kill_again_and_again(alerts, tmp_path / "log", KILLS, wait_until)


@pytest.mark.long
def test_twenty_kills_and_freezes_of_two_while_the_rule_is_edited(
    alerts: Alerts, writer: Any, tmp_path: Path, wait_until: Any
) -> None:
    """One is killed, or stands still for longer than its lease; the other one goes on, or it comes back."""
    rain = Rain(alerts)
    with Processor(tmp_path / "one") as one, Processor(tmp_path / "other") as other:
        with Threads([rain.run]):
            for number in range(KILLS):
                before = len(alerts.events())
                wait_until(
                    lambda before=before: len(alerts.events()) > before + 20, seconds=30, what="one goes on"
                )
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
