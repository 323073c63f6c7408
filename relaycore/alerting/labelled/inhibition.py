"""Inhibition: alerts that are held back while others fire."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from relaycore.alerting.labelled import matchers as matching
from relaycore.alerting.labelled.labels import Labels
from relaycore.alerting.labelled.matchers import Matcher, match_all
from relaycore.alerting.labelled.refused import BadMatcher

MOST: Final = 50
"""Rules."""

MOST_EQUAL: Final = 20
_NAMES: Final = ("source_matchers", "target_matchers", "equal")


@dataclass(frozen=True, slots=True)
class Inhibition:
    """While an alert that `source` matches fires, those that `target` matches are held back.

    equal: only if both have the same in these labels. One that is lacking is as an empty one
    """

    source: tuple[Matcher, ...]
    target: tuple[Matcher, ...]
    equal: tuple[str, ...]


def of(given: object) -> Inhibition:
    """`{"source_matchers": […], "target_matchers": […], "equal": [names]}`.

    Raises:
        BadMatcher: it is in another form.
    """
    if not isinstance(given, Mapping) or set(given) - set(_NAMES):
        raise BadMatcher(f"An inhibition is an object with {', '.join(_NAMES)}.")
    source, target = (matching.several(given.get(name), name) for name in _NAMES[:2])
    if not source or not target:
        raise BadMatcher("An inhibition needs source_matchers and target_matchers.")
    equal: Any = given.get("equal", [])
    if not isinstance(equal, list | tuple) or not all(isinstance(name, str) and name for name in equal):
        raise BadMatcher("equal of an inhibition must be a list of names of labels.")
    if len(equal) > MOST_EQUAL:
        raise BadMatcher(f"equal of an inhibition may have {MOST_EQUAL} names.")
    return Inhibition(source, target, tuple(sorted(set(equal))))


class Inhibitor:
    """What is held back while these fire.

    firing: fingerprint and labels of all alerts that fire, those that are held back themselves as well
    """

    def __init__(self, inhibitions: Iterable[Inhibition], firing: Iterable[tuple[str, Labels]]) -> None:
        self._sources = [(one, _Sources(one)) for one in inhibitions]
        if not self._sources:
            return
        for fingerprint, labels in firing:
            for _, sources in self._sources:
                sources.add(fingerprint, labels)

    def inhibiting(self, labels: Labels) -> list[str]:
        """The fingerprints of what holds back an alert with these labels, one for each rule."""
        found = (sources.one_for(labels) for one, sources in self._sources if match_all(one.target, labels))
        return sorted({fingerprint for fingerprint in found if fingerprint is not None})


class _Sources:
    """Those of one rule, by what they have in `equal`.

    Of several the first by fingerprint, of those that are targets as well, and of those that are not.
    """

    def __init__(self, inhibition: Inhibition) -> None:
        self._inhibition = inhibition
        self._found: dict[bool, dict[tuple[str, ...], str]] = {True: {}, False: {}}

    def add(self, fingerprint: str, labels: Labels) -> None:
        if not match_all(self._inhibition.source, labels):
            return
        found = self._found[match_all(self._inhibition.target, labels)]
        key = self._key(labels)
        found[key] = min(found.get(key, fingerprint), fingerprint)

    def one_for(self, labels: Labels) -> str | None:
        """What holds back a target. What is both cannot hold back itself, nor anything else that is both."""
        key = self._key(labels)
        found = [self._found[False].get(key)]
        if not match_all(self._inhibition.source, labels):
            found.append(self._found[True].get(key))
        return min((one for one in found if one is not None), default=None)

    def _key(self, labels: Labels) -> tuple[str, ...]:
        return tuple(labels.get(name, "") for name in self._inhibition.equal)
