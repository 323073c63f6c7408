"""Which messages a client wants: asked once of each message for all who have the same filter."""

import asyncio
from collections.abc import Sequence
from typing import Any, Final

from relaycore.filtering.policy import ATTRIBUTES, parse
from relaycore.live.ring import Entry

_INLINE_BYTES: Final = 64 << 10
"""More than that is looked at in a thread: a filter may take seconds for a hostile body."""


class Wants:
    """One filter (`relaycore.filtering`). `text` tells it from others.

    Raises:
        BadFilter: it is none.
    """

    def __init__(self, text: str, policy: Any, scope: str) -> None:
        self._filter = parse(policy, scope)
        self._is_of_attributes = scope == ATTRIBUTES
        self._key = "wants", scope, text

    async def of(self, entries: Sequence[Entry]) -> list[bool]:
        """Whether each of them is wanted."""
        unasked = [entry for entry in entries if self._key not in entry.forms]
        if sum(len(entry.document["message"]) for entry in unasked) > _INLINE_BYTES:
            await asyncio.to_thread(self._ask, unasked)
        else:
            self._ask(unasked)
        return [entry.forms[self._key] for entry in entries]

    def _ask(self, entries: Sequence[Entry]) -> None:
        for entry in entries:
            entry.forms[self._key] = self._matches(entry)

    def _matches(self, entry: Entry) -> bool:
        if self._is_of_attributes:
            return self._filter.matches_attributes(entry.document.get("attributes"))
        return self._filter.matches_body(entry.document["message"])
