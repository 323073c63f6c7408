"""Silences: whose notices are held back, from when until when. Times are milliseconds since 1970."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from relaycore.alerting.labelled import matchers as matching
from relaycore.alerting.labelled.labels import Labels
from relaycore.alerting.labelled.matchers import Matcher
from relaycore.alerting.labelled.refused import BadSilence

PENDING: Final = "pending"
ACTIVE: Final = "active"
EXPIRED: Final = "expired"
STATES: Final = (PENDING, ACTIVE, EXPIRED)


@dataclass(frozen=True, slots=True)
class Silence:
    """It holds from `starts` on, and no longer at `ends`."""

    id: str
    matchers: tuple[Matcher, ...]
    starts: int
    ends: int

    def state(self, at: int) -> str:
        """`pending`, `active` or `expired`."""
        if at >= self.ends:
            return EXPIRED
        return PENDING if at < self.starts else ACTIVE

    def mutes(self, labels: Labels, at: int) -> bool:
        """Whether it holds back an alert with these labels now."""
        return self.starts <= at < self.ends and matching.match_all(self.matchers, labels)

    def kept(self) -> dict[str, Any]:
        """As it stands among the settings of a rule."""
        shown = [matcher.shown() for matcher in self.matchers]
        return {"id": self.id, "matchers": shown, "starts": self.starts, "ends": self.ends}


def of(kept: object) -> Silence:
    """As `Silence.kept` has it.

    Raises:
        BadSilence, BadMatcher: it is in another form.
    """
    if not isinstance(kept, Mapping):
        raise BadSilence("A silence must be an object.")
    id, starts, ends = kept.get("id"), kept.get("starts"), kept.get("ends")
    if not isinstance(id, str) or type(starts) is not int or type(ends) is not int:
        raise BadSilence("A silence has an id, and starts and ends in milliseconds.")
    return Silence(id, matching.several(kept.get("matchers")), starts, ends)


def muting(silences: Iterable[Silence], labels: Labels, at: int) -> list[str]:
    """The ids of those that hold back an alert with these labels now."""
    return [one.id for one in silences if one.mutes(labels, at)]


def require_new(silence: Silence, at: int) -> None:
    """Whether one may begin like this.

    Raises:
        BadSilence: it may not; the text says what to do.
    """
    if not silence.matchers:
        raise BadSilence("A silence needs a matcher at least: without one it would silence everything.")
    if all(matcher.is_equal and matcher.match({}) for matcher in silence.matchers):
        raise BadSilence(
            "A silence needs a matcher that an empty label does not match: this one would silence everything."
        )
    if silence.ends <= at:
        raise BadSilence("The end of a silence must not be in the past.")
    if silence.ends <= silence.starts:
        raise BadSilence("The end of a silence must be after its start.")


def is_same_after(old: Silence, new: Silence, at: int) -> bool:
    """Whether the old one can become this.

    If not, there is to be another one: nobody may read later that something was silenced which was not.
    """
    if set(old.matchers) != set(new.matchers):
        return False
    match old.state(at):
        case "active":
            return old.starts // 1000 == new.starts // 1000 and new.ends >= at
        case "pending":
            return new.starts >= at
    return False


def beginning(silence: Silence, at: int) -> Silence:
    """A new one holds from now on at the earliest."""
    return replace(silence, starts=max(silence.starts, at))


def ended(silence: Silence, at: int) -> Silence:
    """It holds no longer, from now on. One that has not begun never was one."""
    match silence.state(at):
        case "active":
            return replace(silence, ends=at)
        case "pending":
            return replace(silence, starts=at, ends=at)
    return silence
