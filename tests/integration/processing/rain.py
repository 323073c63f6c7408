"""Alerts that come in on and on."""

import random
import time
from collections.abc import Callable
from typing import Any, Final

from django.db import connection

from tests.integration.processing.alerts import Alerts, alert, now

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


def all_told(alerts: Alerts, rain: Rain, wait_until: Any, *, edited: bool = False) -> None:
    """Wait until every window has ended, and compare. `edited`: as `Alerts.require_once`."""
    wait_until(lambda: len(alerts.inputs()) == rain.sent, seconds=30, what="all is stored")
    time.sleep(2 * LONGEST)
    until = now()
    wanted = alerts.wanted(until)
    wait_until(lambda: len(alerts.events()) >= len(wanted), seconds=30, what="all is told")
    time.sleep(0.5)
    (alerts.require_once if edited else alerts.require_said)(until)
