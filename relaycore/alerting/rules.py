"""Kinds of rules by name, and their settings read."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Final

from relaycore.alerting.items import Kind
from relaycore.alerting.kinds.absence import Absence
from relaycore.alerting.kinds.failing import Failing
from relaycore.alerting.kinds.threshold import Threshold
from relaycore.alerting.kinds.unacknowledged import Unacknowledged
from relaycore.alerting.kinds.window import Window
from relaycore.alerting.labelled.group import Group
from relaycore.errors import BadRule

KINDS: Final[Mapping[str, Callable[[object], Kind[Any]]]] = MappingProxyType(
    {
        "window": Window,
        "threshold": Threshold,
        "absence": Absence,
        "unacknowledged": Unacknowledged,
        "failing": Failing,
        "group": Group,
    }
)


def parse(kind: str, settings: object) -> Kind[Any]:
    """What a rule of this kind does with these settings: decoded JSON.

    Raises:
        BadRule: there is no such kind, or it cannot have these settings; the text says which and what to do.
    """
    if kind not in KINDS:
        raise BadRule(f"kind: Not one of: {', '.join(KINDS)}.")
    return KINDS[kind](settings)
