"""`window`: things that last. Those of one key that overlap or touch are one window, closed once, at its end.

Each is told as `open` at once, with its own times, also one that begins later. When its window ends, one
`close` tells the whole of it: the least start and the greatest end. Windows of one key that do not overlap
are separate ones, also several that lie ahead. What comes after its end is told as open and closed at once,
unless it overlaps a window that is open: then it is a part of that.

=================  =====================================================================================
setting            meaning
=================  =====================================================================================
`key`              names of fields: those with the same values belong together. `[]`: all of them
`start`            `{"field": name}`: a time in ISO 8601, without a zone UTC; or `"receipt"`: when it came
`duration`         `{"field": name, "unit": "minutes"}` (or milliseconds, seconds, hours): a number above
                   0; or `{"seconds": number}`: the same for all. With `start` `"receipt"` that is an alert
                   which closes by itself after so much silence
`end`              `{"field": name}`: a time above the start. Instead of `duration`
`merge`            `{field: text}`: fields that are told; the text where those of one window differ. `{}`
`close_on_extend`  also tell a `close` of a window that changes its times, as it was before. `false`
...                maintenance times (`quiet`): an alert that comes then is passed over
=================  =====================================================================================

A message is `{key fields, merged fields, "eventType", "sentTime", "startTime", "duration", "endTime"}`, in
this order: `sentTime` is `startTime`, and `duration` is `endTime`, since some viewers know the one, some the
other.

The state is `{"key": {...}, "windows": [...]}`, in order of time; they neither overlap nor touch.
"""

from bisect import insort
from collections.abc import Callable, Mapping
from itertools import pairwise
from operator import itemgetter
from typing import Any, Final, NamedTuple

from relaycore.alerting.causes import at_of
from relaycore.alerting.items import Input, Output, State, Step
from relaycore.alerting.kinds import fields, quiet, texts
from relaycore.alerting.kinds.settings import MOST_KEYS, Reader
from relaycore.errors import Unusable
from relaycore.outbound import hops

MOST_WINDOWS: Final = 1000
"""Of one key. Where there would be more, the two become one between which there is the least time."""

TOLD: Final = ("eventType", "sentTime", "startTime", "duration", "endTime")

_TOLD: Final = (
    '"eventType": "{0}", "sentTime": "{1}", "startTime": "{1}", "duration": "{2}", "endTime": "{2}"'
)

Start = Callable[[Input, dict[str, Any]], int]
End = Callable[[dict[str, Any], int], int]
One = dict[str, Any]
"""A window: `start`, `end`, `opened` (its cause), `alerts` (how many), `said` (the fields that are told),
`hops` (`relaycore.outbound.hops`)."""


class Alert(NamedTuple):
    """One message: start and end in microseconds; `said`: the fields that are told.

    `hops`: how often webhooks have sent it.
    """

    key: str
    names: dict[str, fields.Value]
    start: int
    end: int
    said: dict[str, fields.Value]
    hops: int = 0


class Window:
    """The kind. `settings`: as above.

    Raises:
        BadRule: they cannot be meant.
    """

    is_by_key: Final = True

    def __init__(self, settings: object) -> None:
        read = Reader(settings, example='{"key": ["location"], ...}')
        self._key = read.names("key", 0, but=TOLD)
        self._start = _start(read)
        self._end = _end(read)
        self._merge = _merge(read, self._key)
        self._closes_on_extend = read.truth("close_on_extend", False)
        self._quiet = quiet.read(read)
        read.end()

    def read(self, input: Input) -> tuple[Alert]:
        """The alert that a message is."""
        members = fields.body(input)
        names = fields.key(input, members, self._key)
        said = fields.values(members, self._merge)
        start = self._start(input, members)
        end = self._end(members, start)
        if end > fields.LAST:
            raise Unusable("It ends after the year 2286.")
        return (Alert(fields.key_of(names), names, start, end, said, hops.of(input.attributes)),)

    def take(self, state: State | None, event: Alert, cause: str) -> Step:
        """Told as open; and closed at once if it has ended."""
        if self._quiet is not None and self._quiet.at(at_of(cause)):
            return Step(state)
        alone: One = {
            "start": event.start,
            "end": event.end,
            "opened": cause,
            "alerts": 1,
            "said": event.said,
            **hops.kept(event.hops),
        }
        windows, joined, merged = [], [], alone
        start, end = event.start, event.end
        for one in state["windows"] if state is not None else ():
            if one["start"] <= end and start <= one["end"]:
                joined.append(one)
                merged = self._union(merged, one)
            else:
                windows.append(one)
        outputs = []
        if self._closes_on_extend:
            changed = [one for one in joined if not _lasts_as(one, merged)]
            outputs = [self._close(event.names, one, merged["opened"]) for one in changed]
        gone = tuple(one["opened"] for one in joined if one["opened"] != merged["opened"])
        outputs.append(Output("open", _message(event.names, alone, "open"), merged["opened"], gone))
        if texts.due(merged["end"]) <= at_of(cause):
            outputs.append(self._close(event.names, merged, merged["opened"]))
        else:
            insort(windows, merged, key=_by_start)  # The others are in order.
            if len(windows) > MOST_WINDOWS:
                windows = self._fewer(windows)
        return Step({"key": event.names, "windows": windows} if windows else None, outputs)

    def due(self, state: State) -> int | None:
        """When the first window ends: they are in order, and apart."""
        return texts.due(state["windows"][0]["end"])

    def fire(self, state: State, due: int) -> Step:
        """What has ended is closed."""
        over = [one for one in state["windows"] if texts.due(one["end"]) <= due]
        left = state["windows"][len(over) :]
        outputs = [self._close(state["key"], one, one["opened"]) for one in over]
        return Step({**state, "windows": left} if left else None, outputs)

    def shown(self, state: State) -> list[dict[str, Any]]:
        """Each window."""
        return [
            {
                "key": state["key"],
                "opened": one["opened"],
                "starts_at": texts.show_time(one["start"]),
                "ends_at": texts.show_time(one["end"]),
                "alerts": one["alerts"],
                "said": one["said"],
            }
            for one in state["windows"]
        ]

    def _union(self, one: One, other: One) -> One:
        mine, others = one["said"], other["said"]
        said = {
            name: value if others.get(name) == value else self._merge.get(name, value)
            for name, value in mine.items()
        }
        return {
            "start": min(one["start"], other["start"]),
            "end": max(one["end"], other["end"]),
            "opened": min(one["opened"], other["opened"]),
            "alerts": one["alerts"] + other["alerts"],
            "said": said,
            **hops.kept(min(hops.known(one), hops.known(other))),
        }

    def _fewer(self, windows: list[One]) -> list[One]:
        gaps = [(after["start"] - before["end"], at) for at, (before, after) in enumerate(pairwise(windows))]
        _, at = min(gaps)
        return [*windows[:at], self._union(windows[at], windows[at + 1]), *windows[at + 2 :]]

    @staticmethod
    def _close(names: Mapping[str, fields.Value], one: One, opened: str) -> Output:
        sent = hops.counted({}, hops.known(one))
        return Output("close", _message(names, one, "close"), opened, attributes=sent)


def _message(names: Mapping[str, fields.Value], one: One, event: str) -> str:
    start, end = texts.show_time(one["start"]), texts.show_time(one["end"])
    told = _TOLD.format(event, start, end)
    return f"{{{texts.members(names, one['said'])}{told}}}"


_by_start: Final = itemgetter("start")


def _lasts_as(one: One, other: One) -> bool:
    return bool(one["start"] == other["start"] and one["end"] == other["end"])


def _start(read: Reader) -> Start:
    found = read.take("start")
    if found == "receipt":
        return lambda input, members: input.at * 1000
    inner = read.inner("start", found, '{"field": "timestamp"}, or "receipt"')
    field = inner.name("field")
    inner.end()
    return lambda input, members: fields.moment(members, field)


def _end(read: Reader) -> End:
    duration, end = read.take("duration", None), read.take("end", None)
    if (duration is None) == (end is None):
        raise read.bad("duration", "Give either duration or end.")
    if end is not None:
        inner = read.inner("end", end, '{"field": "ends_at"}')
        field = inner.name("field")
        inner.end()
        return lambda members, start: _above(fields.moment(members, field), start)
    inner = read.inner("duration", duration, '{"field": "duration", "unit": "minutes"}, or {"seconds": 300}')
    if (ms := inner.seconds_if_given("seconds")) is not None:
        inner.end()
        return lambda members, start: start + ms * 1000
    field, unit = inner.name("field"), inner.word("unit", fields.UNITS)
    inner.end()
    return lambda members, start: start + fields.length(members, field, unit)


def _above(end: int, start: int) -> int:
    if end <= start:
        raise Unusable("Its end is not above its start.")
    return end


def _merge(read: Reader, key: tuple[str, ...]) -> dict[str, str]:
    found = read.take("merge", {})
    if not isinstance(found, Mapping) or len(found) > MOST_KEYS:
        raise read.bad("merge", f'Not an object of at most {MOST_KEYS}, such as {{"type": "Mixed"}}.')
    for name, text in found.items():
        read.check_name("merge", name)
        if name in key or name in TOLD:
            raise read.bad("merge", f"Has {name}, which is told anyway. Leave it out.")
        if not isinstance(text, str) or not fields.is_text(text):
            raise read.bad(f"merge.{name}", f"Not a text of 1 to {fields.MOST_CHARS} characters.")
    return dict(found)
