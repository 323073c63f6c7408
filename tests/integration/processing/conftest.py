"""A rule, a writer and a processor in threads."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from alerts_app.processing.processor import process
from tests.integration.processing.alerts import Alerts
from tests.loops import Loop


@pytest.fixture(autouse=True)
def _kept(relay_keys: Any, archive: Any) -> None:
    """Nothing is kept from the test before."""
    for name in ("rule_frontiers", "rule_states", "rule_processors"):
        archive.database[name].delete_many({})


@pytest.fixture
def alerts(db: None, relay_keys: Any, archive: Any) -> Alerts:
    """A rule by location, and its channels."""
    return Alerts.make(relay_keys, archive)


@pytest.fixture
def processor(db: None, quick: None) -> Iterator[Loop]:
    """One, of shard 0."""
    loop = Loop(lambda stopping: process(0, stopping))
    yield loop
    loop.stop()


@pytest.fixture
def run(db: None, quick: None) -> Iterator[Callable[..., Loop]]:
    """Runs processors; the last one may have been stopped by then."""
    loops: list[Loop] = []

    def start(shard: int = 0) -> Loop:
        loops.append(Loop(lambda stopping: process(shard, stopping)))
        return loops[-1]

    yield start
    for loop in loops:
        loop.stop()
