"""Where somebody begins who was here before."""

import pytest

from relaycore.live.ids import EventId
from relaycore.live.owed import begin
from relaycore.live.ring import Ring
from relaycore.live.walk import now_of
from relaycore.position import first_of

NOW = first_of("1764150000000-0")
AHEAD = first_of("1764153600000-0")


@pytest.mark.parametrize(
    ("epoch", "generation", "is_held"),
    [("e", 1, False), ("other", 1, True), ("e", 2, True)],
    ids=["the same archive", "another archive", "divided otherwise"],
)
def test_an_id_of_another_clock_hides_nothing_that_comes(epoch: str, generation: int, is_held: bool) -> None:
    """Of the same archive it may be ahead: another process has shown that already."""
    rings = {0: {"orders": Ring("orders", NOW, 1 << 20)}}
    owed = begin(EventId(epoch, generation, 0, {0: AHEAD}), rings, "e", 1, 0)
    (walk,) = owed.walks
    assert (walk.position <= now_of(rings[0])) is is_held
