"""What is asked of alerts and silences in a query."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final
from urllib.parse import parse_qs

from alerts_app.receiving.showing import Shown
from compat_app.alertmanager.failures import Failure
from relaycore.alerting.labelled import matchers, regexes
from relaycore.alerting.labelled.matchers import Matcher, match_all
from relaycore.alerting.labelled.regexes import Regex

_MOST: Final = 100
_UNREADABLE: Final = "The query cannot be read: it has too many parameters, or is not UTF-8."
_TRUTHS: Final = {"true": True, "1": True, "false": False, "0": False}


class Query:
    """The parameters of an address. What nobody asks for is ignored.

    Raises:
        Failure: it cannot be read.
    """

    def __init__(self, query: bytes) -> None:
        try:
            self._given: Mapping[str, Sequence[str]] = parse_qs(
                query.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=_MOST
            )
        except ValueError as exc:
            raise Failure(400, _UNREADABLE) from exc

    def truth(self, name: str, *, default: bool = True) -> bool:
        """A parameter that is true or false."""
        found = self._given.get(name, [""])[-1]
        if found and found not in _TRUTHS:
            raise Failure(400, f"{name} must be true or false.")
        return _TRUTHS.get(found, default)

    def matchers(self, name: str = "filter") -> list[Matcher]:
        """All matchers. Raises BadMatcher as well."""
        return [matchers.parse(text) for text in self._given.get(name, [])]

    def text(self, name: str) -> str:
        """A parameter, empty if it is not there."""
        return self._given.get(name, [""])[-1]


@dataclass(frozen=True, slots=True)
class Asked:
    """Which alerts. `receiver`: a pattern for the whole name, if there is one."""

    is_active: bool
    is_silenced: bool
    is_inhibited: bool
    matchers: Sequence[Matcher]
    receiver: Regex | None
    receivers: Sequence[Matcher]

    def has(self, shown: Shown) -> bool:
        """Whether this is one."""
        if not self.is_silenced and shown.silenced_by:
            return False
        if not self.is_inhibited and shown.inhibited_by:
            return False
        if not self.is_active and shown.is_active:
            return False
        return match_all(self.matchers, shown.row.labels) and any(map(self._may_be, shown.receivers))

    def _may_be(self, receiver: str) -> bool:
        if self.receiver is not None and not self.receiver.match(receiver):
            return False
        return match_all(self.receivers, {"receiver": receiver, "name": receiver})


def asked(query: Query) -> Asked:
    """What a query asks of alerts.

    Raises:
        Failure, BadMatcher: it cannot be meant.
    """
    query.truth("unprocessed")
    pattern = query.text("receiver")
    return Asked(
        query.truth("active"),
        query.truth("silenced"),
        query.truth("inhibited"),
        query.matchers(),
        regexes.compiled(pattern) if pattern else None,
        query.matchers("receiver_matchers"),
    )
