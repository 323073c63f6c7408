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

Came = tuple[int, str, int, int]
"""When, what, since when, how many messages."""


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


def thresholds(times: Sequence[int], count: int, span: int, silence: int | None, upto: int) -> list[Came]:
    """Of one key: messages that came at these times, in order. What opened and closed, and how many came."""
    found: list[Came] = []
    since, begins = None, 0
    for now in range(upto + 1):
        before = [at for at in times[begins:] if at < now]
        if since is not None:
            is_over = len([at for at in before if at > now - span]) < count
            if silence is not None:
                is_over = before[-1] <= now - silence
            if is_over:
                found.append((now, "close", since, len([at for at in before if at >= since])))
                since = None
                if silence is not None:
                    begins, before = len([at for at in times if at < now]), []
        came = [at for at in times[begins:] if at <= now]
        for upto_this in range(len(before), len(came)):
            counting = [at for at in came[: upto_this + 1] if at > now - span]
            if since is None and len(counting) >= count:
                since = counting[-count]
                found.append((now, "open", since, count))
    return found


def absences(times: Sequence[int], span: int, forgets: int | None, upto: int) -> list[Came]:
    """Of one key, the same; without counts."""
    found: list[Came] = []
    last, is_open = None, False
    for now in range(upto + 1):
        if last is not None and not is_open and now - last >= span:
            found.append((now, "open", last, 0))
            is_open = True
        if last is not None and is_open and forgets is not None and now - last >= forgets:
            found.append((now, "close", last, 0))
            last, is_open = None, False
        for at in times:
            if at == now:
                if last is not None and is_open:
                    found.append((now, "close", last, 0))
                last, is_open = now, False
    return found
