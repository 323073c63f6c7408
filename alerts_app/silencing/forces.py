"""What silences make of the settings of a rule."""

from collections.abc import Mapping
from typing import Any, Final

from alerts_app.models import Rule
from alerts_app.silencing.models import Silence
from relaybase.postgres.clock import ClockTimestamp, Seconds
from relaycore.errors import BadRule

SETTING: Final = "silences"
KEPT_SECONDS: Final = 86_400
"""So long after its end a silence stands among them: a rule may be behind by so much."""


def kept() -> list[dict[str, Any]]:
    """All silences that may hold something back, in one order."""
    rows = Silence.objects.filter(ends_at__gt=ClockTimestamp() - Seconds(KEPT_SECONDS)).order_by("id")
    return [row.decided.kept() for row in rows]


def with_history(kind: str, settings: Mapping[str, Any]) -> Mapping[str, Any]:
    """What a rule is tried with: all silences that are still known, unless it names its own."""
    if kind != Rule.Kind.GROUP or SETTING in settings:
        return settings
    return {**settings, SETTING: [row.decided.kept() for row in Silence.objects.order_by("id")]}


def require_own(kind: str, settings: Mapping[str, Any]) -> None:
    """Nothing, if an operator has written only what is his.

    Raises:
        BadRule: silences stand among the settings, where Relay puts them.
    """
    if kind == Rule.Kind.GROUP and SETTING in settings:
        raise BadRule(
            f"settings.{SETTING}: Leave it out. Silences are made for all rules, by Alertmanager's API."
        )


def settings_of(rule: Rule, silences: list[dict[str, Any]]) -> Any:
    """What a rule is set to. `silences`: as `kept` has them."""
    if rule.kind != Rule.Kind.GROUP:
        return rule.settings
    return {**rule.settings, SETTING: silences}
