"""Waiting for whatever comes in first."""

import select
from collections.abc import Mapping
from typing import Protocol

from relaybase.redis.wire import Wire


class Source(Protocol):
    """Something that becomes readable."""

    def fileno(self) -> int:
        """Of its socket or pipe."""


def poll(seconds: float, sources: Mapping[str, Source | None]) -> set[str]:
    """The names of those that can be read, or written if that is what they wait for; none after `seconds`."""
    waiting = select.poll()
    names = {}
    for name, source in sources.items():
        if source is not None:
            writes = isinstance(source, Wire) and source.wants_to_write
            names[source.fileno()] = name
            waiting.register(source.fileno(), select.POLLIN | (select.POLLOUT if writes else 0))
    return {names[number] for number, _ in waiting.poll(seconds * 1000)}
