"""Rules are divided otherwise: each key has one processor, and what was open stays so."""

from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.integration.processing.alerts import Alerts
from tests.integration.processing.processors import Processor
from tests.integration.processing.rain import Rain, all_told
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
