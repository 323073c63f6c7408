"""What a rule of the kind `group` is set to: Alertmanager's words, with seconds in their names."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from relaycore.alerting.labelled import inhibition, intervals, silences
from relaycore.alerting.labelled import matchers as matching
from relaycore.alerting.labelled.inhibition import Inhibition
from relaycore.alerting.labelled.intervals import Interval
from relaycore.alerting.labelled.labels import Labels
from relaycore.alerting.labelled.matchers import Matcher
from relaycore.alerting.labelled.refused import BadMatcher, BadSilence
from relaycore.alerting.labelled.silences import Silence

EVERYTHING: Final = "..."
"""In `group_by`: by all labels, so each alert is told by itself."""

ALL: Final = "all"
CHANGES: Final = "changes"

MOST_LABELS: Final = 50
_MOST_SECONDS: Final = 366 * 86_400
_DEFAULTS: Final = {
    "group_wait_seconds": 30,
    "group_interval_seconds": 300,
    "repeat_interval_seconds": 14_400,
}


@dataclass(frozen=True, slots=True)
class Grouping:
    """Milliseconds are whole numbers.

    matchers: which alerts are this rule's
    group_by: labels; None: all
    wait:     from the first alert of a group to its first notice
    interval: from there on a group is looked at so often
    repeat:   so long nothing is said while nothing changes
    resolve:  so long after an alert has ended; None: when the group is looked at
    mute, active: when nothing is said, and the only times when something is
    """

    matchers: tuple[Matcher, ...]
    group_by: tuple[str, ...] | None
    wait: int
    interval: int
    repeat: int
    resolve: int | None
    sends_resolved: bool
    says: str
    receiver: str
    external_url: str
    most_alerts: int
    is_drill: bool
    inhibitions: tuple[Inhibition, ...]
    mute: tuple[Interval, ...]
    active: tuple[Interval, ...] | None
    silences: tuple[Silence, ...]

    def group_of(self, labels: Labels) -> dict[str, str]:
        """The labels of the group that this alert belongs to."""
        if self.group_by is None:
            return dict(labels)
        return {name: labels[name] for name in self.group_by if name in labels}

    def is_quiet(self, at: int) -> bool:
        """Whether nothing is said at this time, whatever happens."""
        return intervals.is_quiet(self.mute, self.active, at)


def parse(settings: object) -> Grouping:
    """The settings of a rule, as its operator writes them, and `silences` beside them.

    Raises:
        BadMatcher: one of them cannot be meant; the text says which, and what to write.
    """
    if not isinstance(settings, Mapping):
        raise BadMatcher("The settings of a group rule must be an object.")
    given = _Given(settings)
    found = Grouping(
        matching.several(given.take("matchers", [])),
        _group_by(given.take("group_by", [])),
        given.seconds("group_wait_seconds", least=0),
        given.seconds("group_interval_seconds", least=1),
        given.seconds("repeat_interval_seconds", least=1),
        _resolve(given),
        given.is_so("send_resolved", default=True),
        given.one_of("notify", (ALL, CHANGES)),
        given.text("receiver", "relay", 200),
        given.text("external_url", "", 2_000),
        given.whole("max_alerts", 0, 10_000),
        given.is_so("drill", default=False),
        _several(given.take("inhibit", []), "inhibit", inhibition.of, inhibition.MOST),
        intervals.several(given.take("mute_time_intervals", [])),
        _active(given.take("active_time_intervals", None)),
        _silences(given.take("silences", [])),
    )
    given.require_nothing_left()
    return found


class _Given:
    """Settings, of which each is taken once."""

    def __init__(self, settings: Mapping[str, Any]) -> None:
        self._left = dict(settings)

    def take(self, name: str, default: Any) -> Any:
        return self._left.pop(name, default)

    def seconds(self, name: str, *, least: int) -> int:
        """In milliseconds."""
        return milliseconds(self.take(name, _DEFAULTS.get(name)), name, least=least)

    def is_so(self, name: str, *, default: bool) -> bool:
        found = self.take(name, default)
        if not isinstance(found, bool):
            raise BadMatcher(f"{name} must be true or false.")
        return found

    def one_of(self, name: str, values: tuple[str, ...]) -> str:
        found = self.take(name, values[0])
        if found not in values:
            raise BadMatcher(f"{name} must be one of {', '.join(values)}.")
        return str(found)

    def text(self, name: str, default: str, most: int) -> str:
        found = self.take(name, default)
        if not isinstance(found, str) or len(found) > most or "\x00" in found:
            raise BadMatcher(f"{name} must be a text of up to {most} characters.")
        return found

    def whole(self, name: str, default: int, most: int) -> int:
        found = self.take(name, default)
        if type(found) is not int or not 0 <= found <= most:
            raise BadMatcher(f"{name} must be a whole number from 0 to {most}.")
        return found

    def require_nothing_left(self) -> None:
        if self._left:
            raise BadMatcher(f'A group rule has no setting "{min(self._left, key=str)}".')


def milliseconds(given: Any, name: str, *, least: int = 0) -> int:
    """Seconds, a fraction of them too, as whole milliseconds.

    Raises:
        BadMatcher: it is no such number.
    """
    is_number = isinstance(given, int | float) and not isinstance(given, bool)
    if not is_number or not least <= given <= _MOST_SECONDS:
        raise BadMatcher(f"{name} must be a number of seconds from {least} to {_MOST_SECONDS}.")
    rounded: int = round(given * 1000)
    return rounded


def _group_by(given: object) -> tuple[str, ...] | None:
    if not isinstance(given, list | tuple) or not all(isinstance(name, str) and name for name in given):
        raise BadMatcher('group_by must be a list of names of labels, or ["..."] for all of them.')
    if len(given) > MOST_LABELS:
        raise BadMatcher(f"group_by may have {MOST_LABELS} names.")
    if EVERYTHING not in given:
        return tuple(sorted(set(given)))
    if len(given) > 1:
        raise BadMatcher('group_by is either ["..."] or names of labels, and not both.')
    return None


def _resolve(given: _Given) -> int | None:
    found = given.take("resolve_wait_seconds", 0)
    return None if found is None else milliseconds(found, "resolve_wait_seconds")


def _active(given: object) -> tuple[Interval, ...] | None:
    return None if given is None else intervals.several(given)


def _several(given: object, name: str, read: Any, most: int) -> Any:
    if not isinstance(given, list | tuple) or len(given) > most:
        raise BadMatcher(f"{name} must be a list of up to {most}.")
    return tuple(map(read, given))


def _silences(given: object) -> tuple[Silence, ...]:
    if not isinstance(given, list | tuple):
        raise BadMatcher("silences must be a list.")
    try:
        return tuple(map(silences.of, given))
    except BadSilence as exc:
        raise BadMatcher(str(exc)) from exc
