"""A processor is killed again and again: what is told is what the function says of the log, each once."""

import random
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import pytest
from django.db import connection

from tests.integration.processing.alerts import Alerts, alert, now
from tests.integration.processing.processors import Processor
from tests.integration.pulling.traffic import Threads

pytestmark = pytest.mark.django_db(transaction=True, databases=["default", "messages"])

LONGEST: Final = 1.5


class Rain:
    """Alerts of some places, on and on: some begin later, some are over, some overlap."""

    def __init__(self, alerts: Alerts, places: int = 40, at_once: int = 5, pause: float = 0.02) -> None:
        self.alerts = alerts
        self.sent = 0
        self._chance = random.Random(places)
        self._places = places
        self._at_once = at_once
        self._pause = pause

    def run(self, is_over: Callable[[], bool]) -> None:
        chance = self._chance
        try:
            while not is_over():
                self.alerts.send(
                    *(
                        alert(
                            f"place {chance.randrange(self._places)}",
                            begins_in=chance.uniform(-1.0, LONGEST / 3),
                            seconds=chance.uniform(0.05, LONGEST),
                            type=chance.choice(["Rockets", "Drones"]),
                        )
                        for _ in range(self._at_once)
                    )
                )
                self.sent += self._at_once
                time.sleep(self._pause)
        finally:
            connection.close()


def all_told(alerts: Alerts, rain: Rain, wait_until: Any) -> None:
    """Wait until it has ended, and compare. Every window has ended by then."""
    wait_until(lambda: len(alerts.inputs()) == rain.sent, seconds=30, what="all is stored")
    time.sleep(2 * LONGEST)
    until = now()
    wanted = alerts.wanted(until)
    wait_until(lambda: len(alerts.events()) >= len(wanted), seconds=30, what="all is told")
    time.sleep(0.5)
    alerts.require_said(until)


def kill_again_and_again(
    alerts: Alerts, log: Path, kills: int, wait_until: Any, rule: str = "careful", each: float = 1.0
) -> Rain:
    """While alerts come in, after about so many seconds each."""
    chance, rain = random.Random(kills), Rain(alerts)
    with Processor(log, rule) as processor:
        with Threads([rain.run]):
            for _ in range(kills):
                before = len(alerts.events())
                wait_until(
                    lambda before=before: len(alerts.events()) > before + 20, seconds=30, what="it goes on"
                )
                time.sleep(chance.uniform(0, each))
                processor.kill()
            before = len(alerts.events())
            wait_until(lambda: len(alerts.events()) > before + 20, seconds=30, what="the last one goes on")
        if rule == "careful":
            all_told(alerts, rain, wait_until)
        else:
            time.sleep(4 * LONGEST)
        assert not processor.complaints()
    return rain


def test_nothing_is_lost_and_nothing_told_twice(
    alerts: Alerts, writer: Any, tmp_path: Path, wait_until: Any
) -> None:
    kill_again_and_again(alerts, tmp_path / "log", 4, wait_until)


def test_what_ended_while_nobody_ran_is_closed_at_once(
    alerts: Alerts, writer: Any, tmp_path: Path, wait_until: Any
) -> None:
    with Processor(tmp_path / "log") as processor:
        alerts.send(alert("Haifa", seconds=3.0), alert("Acre", seconds=2.0))
        wait_until(lambda: len(alerts.told("open")) == 2, seconds=20)
        processor.end()
        time.sleep(4)
        assert not alerts.told("close")
        processor.again()
        began = time.monotonic()
        wait_until(lambda: len(alerts.told("close")) == 2, seconds=10)
        assert time.monotonic() - began < 2 + 2
        alerts.require_said(now())
