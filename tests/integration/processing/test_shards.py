"""Rules are divided otherwise: each key has one processor, and what was open stays so."""

import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.integration.processing.alerts import Alerts, now
from tests.integration.processing.processors import Processor
from tests.integration.processing.rain import LONGEST, Rain, all_told
from tests.integration.pulling.traffic import Threads

pytestmark = pytest.mark.django_db(transaction=True, databases=["default", "messages"])


@pytest.fixture
def divided(alerts: Alerts, tmp_path: Path, wait_until: Any) -> Callable[[int], ExitStack]:
    """So many shards, each with a processor."""

    def run(shards: int) -> ExitStack:
        stack = ExitStack()
        for shard in range(shards):
            log = tmp_path / f"{shards}-{shard}"
            stack.enter_context(Processor(log, shard=shard, RELAY_PROCESSOR_SHARDS=str(shards)))
        return stack

    return run


def test_more_shards_and_fewer(
    alerts: Alerts, writer: Any, divided: Callable[[int], ExitStack], archive: Any, wait_until: Any
) -> None:
    rain = Rain(alerts)
    states = archive.database["rule_states"]
    with Threads([rain.run]):
        for shards in (1, 3, 2):
            with divided(shards):
                before = len(alerts.events())
                wait_until(lambda before=before: len(alerts.events()) > before + 100, seconds=90)
                wait_until(lambda shards=shards: len(states.distinct("shard")) == shards, seconds=60)
    with divided(3):
        all_told(alerts, rain, wait_until)


@pytest.fixture
def come_to(archive: Any) -> Callable[..., list[int]]:
    """Up to which time the frontiers of these shards of the newest division stand, ms."""
    frontiers = archive.database["rule_frontiers"]

    def times(*shards: int) -> list[int]:
        newest = max(frontiers.distinct("division"), default=0)
        found = frontiers.find({"division": newest, "shard": {"$in": shards}}).sort("shard")
        return [one["time"] for one in found]

    return times


def test_what_a_shard_has_not_begun_with_is_told_by_whoever_has_its_keys_then(
    alerts: Alerts,
    writer: Any,
    divided: Callable[[int], ExitStack],
    come_to: Callable[..., list[int]],
    tmp_path: Path,
    wait_until: Any,
) -> None:
    rain, began_at = Rain(alerts), now()
    with Threads([rain.run]), Processor(tmp_path / "alone", shard=1, RELAY_PROCESSOR_SHARDS="2"):
        wait_until(lambda: come_to(1) > [began_at + 3000], seconds=60)
    with divided(1):
        all_told(alerts, rain, wait_until)


def test_shards_that_are_divided_again_before_they_have_come_anywhere(
    alerts: Alerts,
    writer: Any,
    divided: Callable[[int], ExitStack],
    come_to: Callable[..., list[int]],
    tmp_path: Path,
    wait_until: Any,
) -> None:
    """One of three is far behind the others: who follows begins there, and is divided again at once."""
    rain, of_three = Rain(alerts), {"RELAY_PROCESSOR_SHARDS": "3"}
    with Threads([rain.run]):
        with divided(3):
            wait_until(lambda: len([at for at in come_to(0, 1, 2) if at]) == 3, seconds=60)
        began_at = now()
        time.sleep(1.0)
    with Processor(tmp_path / "0", shard=0, **of_three), Processor(tmp_path / "1", shard=1, **of_three):
        # What was open is kept by nobody any more.
        wait_until(lambda: min(come_to(0, 1)) > began_at + 3000 * LONGEST, seconds=60)
    assert max(come_to(2)) < began_at
    for shard in range(2):
        log = tmp_path / f"between-{shard}"
        with Processor(log, "idle", shard=shard, RELAY_PROCESSOR_SHARDS="2"):
            wait_until(lambda shard=shard: not come_to(2) and len(come_to(0, 1)) == shard + 1, seconds=60)
    with divided(3):
        all_told(alerts, rain, wait_until)
