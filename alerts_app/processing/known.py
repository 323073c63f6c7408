"""Which rules there are, and what they are set to."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from alerts_app.models import Rule, RulesMark
from alerts_app.silencing import forces

AGAIN_SECONDS: Final = 120.0
"""Everything is read again after so long, whatever the mark says."""

_MOST_TIMES: Final = 5
"""That rules are read at once while they change; then what was known holds until the next look."""


@dataclass(frozen=True, slots=True)
class KnownRule:
    """A rule. `uuid`: as hex. What begins anew is another one."""

    uuid: str
    name: str
    channel: str
    to: str
    kind: str
    settings: object
    revision: int
    position: str
    is_active: bool


@dataclass(frozen=True, slots=True)
class Known:
    """All rules, by uuid. `mark`, `at`: by which, and monotonic seconds when, they were read."""

    rules: Mapping[str, KnownRule] = field(default_factory=dict)
    mark: object = None
    at: float = float("-inf")


def learn(before: Known) -> Known:
    """What is set by now; the same one if nothing has changed.

    Raises:
        django.db.Error: PostgreSQL does not answer.
    """
    # First the mark, then the rules: what is committed between the two is read once more.
    mark = _mark()
    if mark == before.mark and time.monotonic() - before.at < AGAIN_SECONDS:
        return before
    for _ in range(_MOST_TIMES):
        at = time.monotonic()
        rows = _rows()
        # With each change of a silence these rules get another revision.
        silences = forces.kept() if any(row.kind == Rule.Kind.GROUP for row in rows) else []
        was, mark = mark, _mark()
        if mark == was:  # Else these may be silences of a revision that those rules do not have yet.
            known = (_known(row, forces.settings_of(row, silences)) for row in rows)
            return Known({one.uuid: one for one in known}, mark, at)
    return before


def _mark() -> object:
    return RulesMark.objects.values_list("mark", flat=True).first()


def _rows() -> list[Rule]:
    return list(Rule.objects.select_related("channel", "to"))


def _known(row: Rule, settings: object) -> KnownRule:
    return KnownRule(
        uuid=row.uuid.hex,
        name=row.name,
        channel=row.channel.channel,
        to=row.to.channel,
        kind=row.kind,
        settings=settings,
        revision=row.revision,
        position=row.position,
        is_active=row.state == Rule.State.ACTIVE,
    )
