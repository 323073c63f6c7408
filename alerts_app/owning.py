"""Whose a state is that is kept: one that a frozen processor adds when it wakes is nobody's.

`relaycore.alerting.dividing` says when. Whoever takes over next deletes it; until then it counts for nothing
and is shown to nobody, since what it says is open may have ended long ago.

Who has begun is read *before* the states are. A share stands only once all states of its keys were claimed
for it, so whoever reads it later may take for left over what was claimed since.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from relaycore.alerting import dividing
from relaycore.alerting.dividing import Share, Written

WHOLE: Final = "[]"
"""Instead of a key, where all keys of a rule are one state: so one shard has it."""

OF_FRONTIER: Final = {"rule": 1, "division": 1, "shard": 1, "of": 1, "begun": 1}
OF_STATE: Final = {"rule": 1, "key": 1, "by_key": 1, "division": 1, "shard": 1, "term": 1}
"""Of the documents in MongoDB, so much is asked here."""


class Owners:
    """Which shards have begun with which rules, in any division. frontiers: as they are kept."""

    def __init__(self, frontiers: Iterable[Mapping[str, Any]]) -> None:
        self._shares: dict[str, list[Share]] = {}
        for one in frontiers:
            share = Share(one["division"], one["shard"], one["of"], one.get("begun", 0))
            self._shares.setdefault(one["rule"], []).append(share)

    def is_left_over(self, state: Mapping[str, Any]) -> bool:
        """Whether this state, as it is kept, is nobody's."""
        rule = state["rule"]
        by = Written(state["division"], state["shard"], state["term"])
        return dividing.is_left_over(rule, key_of(state), by, self._shares.get(rule, ()))

    def suspects(self) -> list[dict[str, Any]]:
        """Filters of MongoDB: all that is nobody's is among what one of them finds."""
        return [
            {
                "rule": rule,
                "$or": [
                    {"division": {"$lt": max(one.division for one in shares)}},
                    {"term": {"$lt": max(one.term for one in shares)}},
                ],
            }
            for rule, shares in self._shares.items()
        ]


def key_of(state: Mapping[str, Any]) -> str:
    """The key by which a shard has this state."""
    return str(state["key"]) if state["by_key"] else WHOLE
