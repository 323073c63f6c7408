"""Patterns of channel names mean the same to Relay, to Redis and in PostgreSQL."""

import itertools
import random
import re
from typing import Any

import pytest
from django.db.models import Q

from access_app.permissions import condition
from channels_app.models import Channel
from relaycore.globs import Glob
from tests.unit.relaycore.test_globs import CASES

LETTERS = ["a", "b", "c", "-", "]", "é", "*", ".", "\\"]
PIECES = [*LETTERS, "?", "[", "[^", "[a-c", "^", "\\*", "\\]", "*"]


@pytest.fixture
def names() -> list[str]:
    """All short ones, and some longer ones."""
    chance = random.Random(1)
    short = ["".join(some) for size in (1, 2) for some in itertools.product(LETTERS, repeat=size)]
    longer = {"".join(chance.choices(LETTERS, k=chance.randint(3, 8))) for _ in range(300)}
    listed = {name for _, matched, others in CASES for name in (*matched, *others)}
    return sorted({*short, *longer, *listed} - {"", "a\nb"})


@pytest.fixture
def patterns() -> list[str]:
    """Those of the table, and whatever chance brings."""
    chance = random.Random(2)
    made = {"".join(chance.choices(PIECES, k=chance.randint(1, 7))) for _ in range(800)}
    # What a range that ends outside ASCII means depends in Redis on the processor.
    return sorted(
        pattern for pattern in {pattern for pattern, *_ in CASES} | made if not re.search("é-|-é", pattern)
    )


def test_redis_takes_a_pattern_the_same_way(sound_redis: Any, names: list[str], patterns: list[str]) -> None:
    pubsub = sound_redis.pubsub()
    pubsub.subscribe(*names)
    for _ in names:
        assert pubsub.get_message(timeout=5)
    try:
        for pattern in patterns:
            told = {name.decode() for name in sound_redis.pubsub_channels(pattern)} & set(names)
            glob = Glob(pattern)
            assert {name for name in names if glob.matches(name)} == told, pattern
    finally:
        pubsub.close()


@pytest.mark.django_db
def test_postgresql_takes_a_pattern_the_same_way(names: list[str], patterns: list[str]) -> None:
    Channel.objects.bulk_create(Channel(channel=name, partition=0) for name in names)
    for pattern in patterns:
        glob = Glob(pattern)
        found = Channel.objects.filter(condition(glob, "channel")).values_list("channel", flat=True)
        assert set(found) == {name for name in names if glob.matches(name)}, pattern
        assert not Channel.objects.filter(Q(condition(glob, "channel")), channel="never there").exists()
