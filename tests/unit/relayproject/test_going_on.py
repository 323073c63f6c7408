"""A worker that its broker refuses pauses before it talks to it again."""

import random
from typing import Any

import pytest
from celery import bootsteps
from celery.worker.consumer import Connection, Consumer

from relayproject.celery import app
from relayproject.working.going_on import Pause


@pytest.mark.parametrize("seed", range(100))
def test_the_pause_stands_before_all_that_talks(seed: int) -> None:
    """Celery has its steps in sets, whose order is another one in each process."""
    blueprint: Any = Consumer.Blueprint(steps=app.steps["consumer"])
    types = sorted(blueprint.types, key=lambda step: str(bootsteps.symbol_by_name(step)))
    random.Random(seed).shuffle(types)
    blueprint.types = types
    blueprint.steps = blueprint.claim_steps()
    order = blueprint._finalize_steps(blueprint.steps)

    assert len(order) == len(Consumer.Blueprint.default_steps) + 1
    assert order[:2] == [Connection, Pause]
