"""Groups beside a naive model, which looks at every second and keeps everything it has ever said."""

from dataclasses import dataclass, field
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.relaycore.alerting.labelled.telling import START, Driver, Notice

_WAIT, _INTERVAL, _REPEAT, _UNTIL = 3, 5, 12, 120
_NAMES = "abc"
# In seconds from START on, which is 22:13:20 UTC.
_QUIET: dict[str, tuple[int, int]] = {"22:13": (0, 40), "22:14": (40, 100), "": (0, 0)}


Happens = dict[int, list[tuple[str, bool]]]
Silences = list[tuple[str, int, int]]


@dataclass
class _Model:
    """All alerts are one group; `c` is held back while `a` fires.

    quiet:    from when until when nothing is said
    tick:     when it is looked at next; None: there is no group
    believed: what its receiver takes to fire
    hidden:   what was held back at the last look
    """

    silences: Silences
    quiet: tuple[int, int] = (0, 0)
    firing: set[str] = field(default_factory=set)
    ended: set[str] = field(default_factory=set)
    tick: int | None = None
    told_at: float | None = None
    believed: set[str] = field(default_factory=set)
    hidden: set[str] = field(default_factory=set)
    notices: list[Notice] = field(default_factory=list)

    def run(self, happens: Happens) -> list[Notice]:
        for second in range(_UNTIL):
            if self.tick == second:
                self._look(second)
            if self._take(second, happens.get(second, [])):
                self._look(second + 0.001)
        return self.notices

    def _take(self, second: int, happens: list[tuple[str, bool]]) -> bool:
        """Whether something has ended of which was told."""
        hurries = False
        for name, is_firing in happens:
            if is_firing:
                self.firing.add(name)
                self.ended.discard(name)
                self.tick = self.tick or second + _WAIT
            elif name in self.firing | self.ended:
                self.firing.discard(name)
                self.ended.add(name)
                hurries = hurries or name in self.believed
        return hurries

    def _look(self, at: float) -> None:
        hidden = {name for name in self.firing | self.ended if self._is_hidden(name, at)}
        seen = self.firing - hidden
        over = {name for name in self.ended if name in self.believed or name not in hidden}
        is_quiet = self.quiet[0] <= at < self.quiet[1]
        reason = None if is_quiet else self._reason(at, seen, over)
        if reason is not None:
            names = [*seen, *(f"({name})" for name in over)]
            self.notices.append(Notice(at, reason, " ".join(sorted(names))))
            self.told_at = at
        # What has ended when nothing could be said is told when something can.
        self.ended = self.ended & self.believed if is_quiet else set()
        self.believed = (self.believed | seen) & (self.firing | self.ended)
        self.hidden = hidden & self.firing
        while self.tick is not None and self.tick <= at:
            self.tick += _INTERVAL
        if not self.firing | self.ended:
            self.tick = self.told_at = None

    def _reason(self, at: float, seen: set[str], over: set[str]) -> str | None:
        news = {name for name in seen if name not in self.believed or name in self.hidden}
        if not self.firing:
            return "all alerts resolved" if self.believed else None
        if news and news <= self.hidden:
            return "some alerts unmuted"
        if news:
            return "new alerts added" if self.believed else "first notification"
        if over:
            return "some alerts resolved"
        is_late = self.told_at is not None and at >= self.told_at + _REPEAT
        return "repeat interval elapsed" if seen and is_late else None

    def _is_hidden(self, name: str, at: float) -> bool:
        if self.quiet[0] <= at < self.quiet[1] or (name == "c" and "a" in self.firing):
            return True
        return any(name == whose and starts <= at < ends for whose, starts, ends in self.silences)


_HAPPENS = st.lists(
    st.tuples(st.integers(0, _UNTIL - 20), st.sampled_from(_NAMES), st.booleans()), max_size=14
)
_SILENCES = st.lists(st.tuples(st.sampled_from(_NAMES), st.integers(0, 40), st.integers(0, 60)), max_size=3)


def _muted(minute: str) -> list[dict[str, Any]]:
    if not minute:
        return []
    end = f"{minute[:3]}{int(minute[3:]) + 1}"
    return [{"times": [{"start_time": minute, "end_time": end}]}]


@settings(max_examples=400)
@given(_HAPPENS, _SILENCES, st.sampled_from(sorted(_QUIET)))
def test_tells_what_the_model_tells(
    happens: list[tuple[int, str, bool]], silences: Silences, quiet: str
) -> None:
    kept: list[dict[str, Any]] = [
        {
            "id": str(n),
            "matchers": [{"name": "alertname", "value": name}],
            "starts": START + starts * 1000,
            "ends": START + ends * 1000,
        }
        for n, (name, starts, ends) in enumerate(silences)
    ]
    rule = Driver(
        group_wait_seconds=_WAIT,
        group_interval_seconds=_INTERVAL,
        repeat_interval_seconds=_REPEAT,
        inhibit=[{"source_matchers": ["alertname=a"], "target_matchers": ["alertname=c"]}],
        silences=kept,
        mute_time_intervals=_muted(quiet),
    )
    by_second: Happens = {}
    for second, name, is_firing in sorted(happens, key=lambda one: one[0]):
        by_second.setdefault(second, []).append((name, is_firing))
        (rule.fire if is_firing else rule.resolve)(second, name)
    rule.reach(_UNTIL - 0.5)
    assert rule.notices == _Model(silences, _QUIET[quiet]).run(by_second)


@settings(max_examples=100)
@given(_HAPPENS, st.sampled_from(sorted(_QUIET)))
def test_leaves_nobody_believing_that_something_fires(
    happens: list[tuple[int, str, bool]], quiet: str
) -> None:
    muted = _muted(quiet)
    rule = Driver(group_wait_seconds=_WAIT, group_interval_seconds=_INTERVAL, mute_time_intervals=muted)
    for second, name, is_firing in sorted(happens, key=lambda one: one[0]):
        (rule.fire if is_firing else rule.resolve)(second, name)
    for name in _NAMES:
        rule.resolve(_UNTIL, name)
    rule.reach(_UNTIL + 1_000)
    believed: set[str] = set()
    for notice in rule.notices:
        for name in notice.alerts.split():
            believed = believed - {name.strip("()")} if name.startswith("(") else believed | {name}
    assert believed == set()
    assert rule.state is None
