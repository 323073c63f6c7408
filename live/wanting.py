"""Which messages a client wants: asked once of each message for all who have the same filter."""

import asyncio
import json
from collections.abc import Sequence
from typing import Any, Final

from relaycore.filtering.policy import ATTRIBUTES, parse
from relaycore.live.ring import Entry

_INLINE_BYTES: Final = 64 << 10
"""More than that is looked at in a thread: a filter may take seconds for a hostile body."""

_MOST_FORMS: Final = 20
"""Filters of which a message remembers whether they take it; others are asked again by each client."""


class Wants:
    """One filter (`relaycore.filtering`), the same one whichever door it came by. `policy`: decoded JSON.

    Raises:
        BadFilter: it is none.
    """

    def __init__(self, policy: Any, scope: str) -> None:
        self._filter = parse(policy, scope)
        self._is_of_attributes = scope == ATTRIBUTES
        self._key = "wants", scope, json.dumps(policy, sort_keys=True, separators=(",", ":"))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Wants) and self._key == other._key

    def __hash__(self) -> int:
        return hash(self._key)

    async def of(self, entries: Sequence[Entry]) -> list[bool]:
        """Whether each of them is wanted."""
        unasked = [entry for entry in entries if self._key not in entry.forms]
        if sum(len(entry.document["message"]) for entry in unasked) > _INLINE_BYTES:
            return await asyncio.to_thread(self._all, entries)
        return self._all(entries)

    def _all(self, entries: Sequence[Entry]) -> list[bool]:
        return [self._wants(entry) for entry in entries]

    def _wants(self, entry: Entry) -> bool:
        found = entry.forms.get(self._key)
        if found is None:
            found = self._matches(entry)
            if len(entry.forms) < _MOST_FORMS:
                entry.forms[self._key] = found
        return bool(found)

    def _matches(self, entry: Entry) -> bool:
        if self._is_of_attributes:
            return self._filter.matches_attributes(entry.document.get("attributes"))
        return self._filter.matches_body(entry.document["message"])
