"""What fires now, by PostgreSQL's clock, and what holds it back: for people and their tools.

What is told of it, the rules of the kind `group` decide that read the channel, each with its own time. So
this shows what they say of now, whether or not one has come so far.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from alerts_app.models import Rule
from alerts_app.receiving.channel import CHANNEL
from alerts_app.receiving.models import HeardAlert
from alerts_app.silencing import registration as silencing
from alerts_app.silencing.models import Silence
from relaycore.alerting.labelled import grouping, silences
from relaycore.alerting.labelled.grouping import Grouping
from relaycore.alerting.labelled.inhibition import Inhibitor
from relaycore.alerting.labelled.matchers import match_all
from relaycore.alerting.labelled.refused import BadMatcher
from relaycore.times import from_milliseconds

NOBODY: Final = "relay"
"""The receiver of alerts that no rule has."""


@dataclass(frozen=True, slots=True)
class Shown:
    """One alert that fires.

    receivers: of the rules that have it, and the labels of its group in each
    """

    row: HeardAlert
    silenced_by: Sequence[str]
    inhibited_by: Sequence[str]
    receivers: Mapping[str, Mapping[str, str]] = field(default_factory=dict)

    @property
    def is_active(self) -> bool:
        """Whether nothing holds it back."""
        return not self.silenced_by and not self.inhibited_by


def receivers() -> dict[str, Grouping]:
    """The receivers, and how what each has is grouped."""
    found: dict[str, Grouping] = {}
    rows = Rule.objects.filter(kind=Rule.Kind.GROUP, state=Rule.State.ACTIVE, channel__channel=CHANNEL)
    for row in rows.order_by("name"):
        try:
            one = grouping.parse(row.settings)
        except BadMatcher:
            continue  # Of another version; its processor says so.
        found.setdefault(one.receiver, one)
    return found or {NOBODY: grouping.parse({})}


def firing() -> list[Shown]:
    """Everything that fires now, by fingerprint."""
    at = silencing.now()
    rows = list(HeardAlert.objects.filter(is_firing=True, ends__gt=at).order_by("fingerprint"))
    holding = Silence.objects.filter(starts_at__lte=from_milliseconds(at), ends_at__gt=from_milliseconds(at))
    active = [row.decided for row in holding]
    rules = receivers()
    inhibitions = dict.fromkeys(one for rule in rules.values() for one in rule.inhibitions)
    inhibitor = Inhibitor(inhibitions, ((row.fingerprint, row.labels) for row in rows))
    return [
        Shown(
            row,
            silences.muting(active, row.labels, at),
            inhibitor.inhibiting(row.labels),
            _receivers_of(row.labels, rules.items()),
        )
        for row in rows
    ]


def _receivers_of(
    labels: Mapping[str, str], rules: Iterable[tuple[str, Grouping]]
) -> dict[str, Mapping[str, str]]:
    found: dict[str, Mapping[str, str]] = {
        name: rule.group_of(labels) for name, rule in rules if match_all(rule.matchers, labels)
    }
    return found or {NOBODY: {}}
