"""What kinds of rules say, computed from scratch at each moment: slow, and so plain that it is right."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain


@dataclass(frozen=True)
class Alert:
    """at: when it was received, ms; start, end: microseconds."""

    at: int
    key: str
    start: int
    end: int
    type: str


Said = tuple[int, str, str, int, int, str]
"""When, what, of which key, start, end, type."""


def windows(alerts: Sequence[Alert], upto: int) -> list[Said]:
    """Alerts in the order in which they came."""
    found: list[Said] = []
    alive: list[Alert] = []
    for one in alerts:
        found += _closed(alive, one.at)
        alive.append(one)
        found.append((one.at, "open", one.key, one.start, one.end, one.type))
        if _ends_at(next(group for group in _groups(alive) if one in group)) <= one.at:
            found += _close(alive, one.at)
    return [*found, *_closed(alive, upto)]


def _closed(alive: list[Alert], upto: int) -> Iterator[Said]:
    """Whatever ends until then, in the order of time. It is no longer alive."""
    while True:
        ends = [_ends_at(group) for group in _groups(alive)]
        if not ends or min(ends) > upto:
            return
        yield from _close(alive, min(ends))


def _close(alive: list[Alert], at: int) -> Iterator[Said]:
    for group in sorted(_groups(alive), key=lambda group: group[0].start):
        if _ends_at(group) <= at:
            types = {one.type for one in group}
            for one in group:
                alive.remove(one)
            start, end = min(one.start for one in group), max(one.end for one in group)
            yield at, "close", group[0].key, start, end, types.pop() if len(types) == 1 else "Mixed Threats"


def _ends_at(group: list[Alert]) -> int:
    """The first whole millisecond that is not before the end."""
    return -(-max(one.end for one in group) // 1000)


def _groups(alive: list[Alert]) -> list[list[Alert]]:
    """Those that hang together, by themselves or through others."""
    groups: list[list[Alert]] = []
    for one in alive:
        near = [group for group in groups if any(_overlap(one, other) for other in group)]
        groups = [group for group in groups if group not in near] + [[*chain(*near), one]]
    return groups


def _overlap(one: Alert, other: Alert) -> bool:
    return one.key == other.key and one.start <= other.end and other.start <= one.end
