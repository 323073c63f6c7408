"""A batch that is more than MongoDB takes at once."""

import pytest

from messages_app.writing import store
from messages_app.writing.store import Store
from relaycore.envelope import place
from relaycore.position import entry_prefix

from .world import World, document

TEXTS = ("0", "1", "2", "3", "4", "5", "6", "2", "0")
"""The last two stand there before."""


@pytest.mark.parametrize(("limit", "most"), [("_MOST_DOCUMENTS", 3), ("_MOST_BYTES", 400)])
def test_a_batch_that_is_too_large_for_one_command_goes_out_in_several(
    world: World, monkeypatch: pytest.MonkeyPatch, limit: str, most: int
) -> None:
    sizes = []

    class Counted(store.Run):
        def __init__(self, documents: list[bytes]) -> None:
            sizes.append((len(documents), sum(map(len, documents))))
            super().__init__(documents)

    monkeypatch.setattr(store, "Run", Counted)
    monkeypatch.setattr(store, limit, most)
    placed = place([document(text) for text in TEXTS], entry_prefix("5-0"))
    outcome = Store(world.messages, lambda: False).insert(placed)

    assert len(sizes) > 1
    assert all(size[limit == "_MOST_BYTES"] <= most for size in sizes)
    assert (outcome.duplicates, outcome.refused) == ({7, 8}, {})
    assert sorted(found["message"] for found in world.messages.find()) == sorted(set(TEXTS))


def test_more_than_mongodb_takes_in_one_command_is_stored(world: World) -> None:
    placed = place([document("x" * 40_000 + str(number)) for number in range(1300)], entry_prefix("5-0"))
    assert sum(map(len, placed)) > 48_000_000, "MongoDB would take it at once"
    outcome = Store(world.messages, lambda: False).insert(placed)
    assert (outcome.duplicates, outcome.refused) == (set(), {})
    assert world.messages.count_documents({}) == len(placed)
