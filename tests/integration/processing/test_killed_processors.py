"""A processor is killed again and again: what is told is what the function says of the log, each once."""

import random
import time
from pathlib import Path
from typing import Any

import pytest
from bson import ObjectId

from tests.integration.processing.alerts import Alerts, alert, now
from tests.integration.processing.processors import Processor
from tests.integration.processing.rain import LONGEST, Rain, all_told, go_on
from tests.integration.pulling.traffic import Threads

pytestmark = pytest.mark.django_db(transaction=True, databases=["default", "messages"])


def kill_again_and_again(
    alerts: Alerts, log: Path, kills: int, wait_until: Any, rule: str = "careful", each: float = 1.0
) -> Rain:
    """While alerts come in, after about so many seconds each."""
    chance, rain = random.Random(kills), Rain(alerts)
    with Processor(log, rule) as processor:
        with Threads([rain.run]):
            for _ in range(kills):
                go_on(alerts, wait_until)
                time.sleep(chance.uniform(0, each))
                processor.kill()
            go_on(alerts, wait_until)
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
    see_that_one_more_or_less_is_seen(alerts)


def see_that_one_more_or_less_is_seen(alerts: Alerts) -> None:
    """The control of the comparison itself: it is red if one close is dropped, doubled, or another one."""
    until, stored = now(), alerts.messages
    close = [one for one in alerts.events() if one["attributes"]["event"] == "close"][-1]
    stored.delete_one({"_id": close["_id"]})
    with pytest.raises(AssertionError, match="lost: 1"):
        alerts.require_said(until)
    stored.insert_one(close)
    alerts.require_said(until)
    stored.insert_one({**close, "_id": ObjectId()})
    with pytest.raises(AssertionError, match="not of the log"):
        alerts.require_said(until)
    stored.delete_one({"_id": {"$ne": close["_id"]}, "position": close["position"]})
    stored.update_one({"_id": close["_id"]}, {"$set": {"message": close["message"].replace("20", "19")}})
    with pytest.raises(AssertionError):
        alerts.require_said(until)


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
