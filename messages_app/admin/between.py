"""The rows of a list of messages, and between them the windows in which something could not be heard."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, Final

from channels_app import ranges
from channels_app.models import Gap
from messages_app.searching.history import Document
from relaycore.position import milliseconds_of
from relaycore.times import from_milliseconds

MOST: Final = 50
"""Gaps on one page: as many as it has messages. All of them stand on a page of their own."""


@dataclass(frozen=True, slots=True)
class Row:
    """A message or a gap. `more`: so many gaps are not shown."""

    message: Document | None = None
    gap: Gap | None = None
    more: int = 0


def rows(channel: str, messages: Sequence[Document], since: str | None, until: str | None) -> list[Row]:
    """The messages, newest first, each gap before the newest message that is older than its beginning.

    channel:      whose gaps, its own and those of its partition; empty: all
    since, until: positions, between which the page lies; None: no bound
    """
    gaps = ranges.newest_missed(channel, _time(since), _time(until))
    shown = list(islice(gaps, MOST))
    found = list(_merged(messages, shown))
    left = gaps.count() - len(shown) if len(shown) == MOST else 0
    return [*found, Row(more=left)] if left else found


def _merged(messages: Sequence[Document], gaps: Sequence[Gap]) -> Iterator[Row]:
    waiting = list(reversed(gaps))
    for message in messages:
        at = _time(message["position"])
        while waiting and at is not None and waiting[-1].began_at > at:
            yield Row(gap=waiting.pop())
        yield Row(message=message)
    yield from (Row(gap=gap) for gap in reversed(waiting))


def _time(position: str | None) -> Any:
    return None if position is None else from_milliseconds(milliseconds_of(position))
