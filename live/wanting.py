"""Which messages a client wants: asked once of each message for all who have the same filter.

A filter is whatever somebody with a token has written, and a message whatever somebody else has: together
they may take half a second for 64 KiB (`relaycore.filtering`). So the event loop looks at small messages
alone, and at those for a share of its time. Everything else is looked at in a few threads, a little at a
time, and for one holder of a token one after another: whoever has costly filters waits for them himself.
"""

import asyncio
import json
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, Final
from weakref import WeakValueDictionary

from relaybase.connections import one_per_loop
from relaycore.filtering.policy import ATTRIBUTES, parse
from relaycore.live.ring import Entry

INLINE_BYTES: Final = 4 << 10
"""A message that has more is not looked at in the event loop: it may take milliseconds. Less, for a filter
that may take longer than to read one."""

_OF_READING: Final = 20
"""So many points of a filter take as long as to read a message, at worst."""

SHARE: Final = 0.2
BURST_SECONDS: Final = 0.01
"""Of its time an event loop looks at messages for so much, and for so long at once."""

PORTION_BYTES: Final = 16 << 10
"""What a thread looks at before it is somebody else's turn, if one message is not more."""

THREADS: Final = 2

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
        self._most_bytes = INLINE_BYTES * _OF_READING // (_OF_READING + self._filter.points)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Wants) and self._key == other._key

    def __hash__(self) -> int:
        return hash(self._key)

    async def of(self, entries: Sequence[Entry], who: str) -> list[bool]:
        """Whether each of them is wanted. `who`: whose filter it is, as `live.viewer.Wanted`."""
        found = self._here(entries)
        while len(found) < len(entries):
            async with _threads().turn(who):
                # Meanwhile somebody else may have looked at all of them.
                found += self._known(entries[len(found) :])
                if rest := self._portion(entries[len(found) :]):
                    found += await _threads().run(self._all, rest)
            found += self._here(entries[len(found) :])
        return found

    # --- inside --------------------------------------------------------------------------

    def _here(self, entries: Sequence[Entry]) -> list[bool]:
        """Of the first ones: as many as are looked at in this thread."""
        found: list[bool] = []
        allowance = _allowance()
        for entry in entries:
            known = entry.forms.get(self._key)
            if known is None:
                if self._size(entry) > self._most_bytes or not allowance.is_left():
                    break
                with allowance.spending():
                    known = self._wants(entry)
            found.append(bool(known))
        return found

    def _known(self, entries: Sequence[Entry]) -> list[bool]:
        found: list[bool] = []
        for entry in entries:
            if (known := entry.forms.get(self._key)) is None:
                break
            found.append(bool(known))
        return found

    def _portion(self, entries: Sequence[Entry]) -> Sequence[Entry]:
        size = 0
        for count, entry in enumerate(entries):
            size += self._size(entry)
            if count and size > PORTION_BYTES:
                return entries[:count]
        return entries

    def _size(self, entry: Entry) -> int:
        """Bytes that a filter may have to look at, about."""
        if self._is_of_attributes:
            attributes = entry.document.get("attributes") or {}
            return sum(len(name) + len(text) for name, text in attributes.items())
        return len(entry.document["message"])

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


class _Allowance:
    """Seconds for which an event loop may look at messages: they come back at `SHARE`."""

    def __init__(self) -> None:
        self._left = BURST_SECONDS
        self._at = time.monotonic()

    def is_left(self) -> bool:
        now = time.monotonic()
        self._left = min(BURST_SECONDS, self._left + SHARE * (now - self._at))
        self._at = now
        return self._left > 0

    @contextmanager
    def spending(self) -> Iterator[None]:
        began = time.monotonic()
        yield
        self._left -= time.monotonic() - began


class _Threads:
    """Those in which an event loop has messages looked at. Others than for questions to servers."""

    def __init__(self) -> None:
        self._executor = ThreadPoolExecutor(THREADS, "filters")
        self._turns: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    def turn(self, who: str) -> asyncio.Lock:
        """Held while something is looked at for him. Those who wait come one after another."""
        return self._turns.setdefault(who, asyncio.Lock())

    async def run(self, work: Any, entries: Sequence[Entry]) -> list[bool]:
        found: list[bool] = await asyncio.get_running_loop().run_in_executor(self._executor, work, entries)
        return found


_allowance = one_per_loop(_Allowance)
_threads = one_per_loop(_Threads)
