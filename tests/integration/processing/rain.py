"""Alerts that come in on and on."""

import random
import time
from collections.abc import Callable
from typing import Any, Final

from django.db import connection

from tests.integration.processing.alerts import Alerts, alert, now

LONGEST: Final = 1.5


class Rain:
    """200 alerts a second of 50 places, on and on: some begin later, some are over, some overlap."""

    def __init__(self, alerts: Alerts, places: int = 50, at_once: int = 5, per_second: float = 200.0) -> None:
        self.alerts = alerts
        self.sent = 0
        self._chance = random.Random(places)
        self._places = places
        self._at_once = at_once
        self._pause = at_once / per_second

    def run(self, is_over: Callable[[], bool]) -> None:
        chance, due = self._chance, time.monotonic()
        try:
            while not is_over():
                due += self._pause
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
                time.sleep(max(0.0, due - time.monotonic()))
        finally:
            connection.close()


def go_on(
    alerts: Alerts, wait_until: Any, more: int = 20, seconds: float = 30.0, what: str = "it goes on"
) -> None:
    """Wait until more than so many further events are told."""
    before = len(alerts.events())
    wait_until(lambda: len(alerts.events()) > before + more, seconds=seconds, what=what)


def all_told(
    alerts: Alerts, rain: Rain, wait_until: Any, *, edited: bool = False, lost: bool = False
) -> None:
    """Wait until every window has ended, and compare.

    edited: as `Alerts.require_once`
    lost:   Redis has lost some of what was sent, before it was stored
    """
    if lost:
        wait_until(lambda: _stands_still(alerts), seconds=30, what="all is stored that is left")
        assert len(alerts.inputs()) <= rain.sent
    else:
        wait_until(lambda: len(alerts.inputs()) == rain.sent, seconds=30, what="all is stored")
    time.sleep(2 * LONGEST)
    until = now()
    wanted = alerts.wanted(until)
    wait_until(lambda: len(alerts.events()) >= len(wanted), seconds=30, what="all is told")
    time.sleep(0.5)
    (alerts.require_once if edited else alerts.require_said)(until)


def _stands_still(alerts: Alerts) -> bool:
    before = len(alerts.inputs())
    time.sleep(1.0)
    return len(alerts.inputs()) == before
