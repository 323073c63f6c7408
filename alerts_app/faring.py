"""How rules fare: how far each has come, how much it has open, and what it could not use."""

import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from pymongo.errors import PyMongoError

from alerts_app import keeping
from alerts_app.keeping import Stands
from alerts_app.models import Rule
from messages_app.searching import counting
from messages_app.searching.counting import Count
from relaycore.errors import one_line
from relaycore.times import from_milliseconds

log = logging.getLogger(__name__)

MOST_COUNTED: Final = 1000
"""Messages that wait for a rule. More than that is said as "at least"."""

SECONDS: Final = 1.0
"""For counting what waits, of all rules that are asked for together."""


@dataclass(frozen=True, slots=True)
class Fares:
    """One rule.

    position: up to here it has taken everything
    time:     up to then it has told what was due
    revision: of the settings in force
    waiting:  so many messages it has not taken, `MOST_COUNTED` at most; None: that is not known
    is_exact: those are all; else there are more, or it is not known
    open:     so many alerts
    unusable: so many messages it could not use; last_unusable: why not the last of them
    outputs:  so many messages it has told
    kept_at:  when it last kept where it stands
    """

    position: str
    time: datetime
    revision: int
    waiting: int | None
    is_exact: bool
    open: int
    unusable: int
    last_unusable: str
    outputs: int
    kept_at: datetime

    @property
    def waits(self) -> str:
        """How many messages it has not taken, for people; empty: that is not known."""
        return "" if self.waiting is None else f"{self.waiting:,}{'' if self.is_exact else '+'}"

    def as_json(self) -> dict[str, Any]:
        """For the API."""
        names = ("position", "time", "revision", "waiting", "open", "unusable", "outputs", "kept_at")
        more = {"waiting_exact": self.is_exact, "last_unusable": self.last_unusable or None}
        return {name: getattr(self, name) for name in names} | more


def of_all(rules: Sequence[Rule]) -> dict[str, Fares]:
    """Of these rules those that have come anywhere, by the UUID as hex.

    Raises:
        PyMongoError: MongoDB does not answer.
    """
    if not rules:
        return {}
    by_uuid = {rule.uuid.hex: rule for rule in rules}
    stands, counts = keeping.frontiers(by_uuid), keeping.count_open(by_uuid)
    waiting = _waiting({uuid: (by_uuid[uuid], found) for uuid, found in stands.items()})
    return {
        uuid: Fares(
            position=found.position,
            time=from_milliseconds(found.time),
            revision=found.revision,
            waiting=None if (counted := waiting[uuid]) is None else counted.messages,
            is_exact=counted is not None and counted.is_all,
            open=counts.get(uuid, 0),
            unusable=found.unusable,
            last_unusable=found.last_unusable,
            outputs=found.outputs,
            kept_at=found.kept_at,
        )
        for uuid, found in stands.items()
    }


def of_all_if_known(rules: Sequence[Rule]) -> dict[str, Fares] | None:
    """The same; None: MongoDB does not answer."""
    try:
        return of_all(rules)
    except PyMongoError as exc:
        log.warning("how rules fare is not known: %s", one_line(exc))
        return None


def _waiting(stand: dict[str, tuple[Rule, Stands]]) -> dict[str, Count | None]:
    end, found = time.monotonic() + SECONDS, dict[str, Count | None]()
    for uuid, (rule, stands) in stand.items():
        left = end - time.monotonic()
        found[uuid] = None
        if left <= 0:
            continue
        try:
            found[uuid] = counting.count(
                rule.channel.channel, stands.position, most=MOST_COUNTED, seconds=left
            )
        except PyMongoError as exc:
            log.warning("how far rules are behind is not known: %s", one_line(exc))
            end = 0.0
    return found
