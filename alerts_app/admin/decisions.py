"""What may be decided about one rule: what is asked, what it would mean, and that it is done."""

from collections.abc import Mapping
from typing import Final

from alerts_app import faring, registration
from alerts_app.admin.forms import DisableForm, EnableForm
from alerts_app.models import Rule
from relaybase.pages.deciding import Decision, Given, Meaning
from relaybase.pages.filters import grouped
from relaybase.pages.places import HERE
from relaycore.delivering import beginning
from relaycore.delivering.beginning import Start


def _look_at_enabling(row: Rule, given: Given) -> Meaning:
    start: Start | None = given["to"]
    fares = (faring.of_all_if_known([row]) or {}).get(row.uuid.hex)
    if start is None:
        if fares is None:
            return Meaning(["It reads on from where it stands."], {"to": HERE})
        waits = fares.waits or "an unknown number of"
        return Meaning([f"It takes {waits} messages that wait, and tells what has ended late."], {"to": HERE})
    opened = "What it has open" if fares is None else f"{grouped(fares.open)} open alerts"
    says = [
        f"It begins anew. {opened} are forgotten, and nobody is told that they end.",
        "What it makes of what it has read before it tells again.",
    ]
    if start.above is None:
        return Meaning(says, {"to": beginning.LATEST})
    return Meaning(says, {"to": beginning.POSITION, "to_position": start.above})


def _enable(row: Rule, given: Given) -> str:
    registration.enable(row.name, given["to"])
    return "Enabled: it reads on."


def _disable(row: Rule, given: Given) -> str:
    registration.disable(row.name, given["reason"])
    return "Disabled: it stands still."


DECISIONS: Final[Mapping[str, Decision]] = {
    "enable": Decision(
        "Enable",
        "It reads on, also if it was disabled. From where? What lies between is told late, or not at all.",
        "Have it read on",
        EnableForm,
        _look_at_enabling,
        _enable,
    ),
    "disable": Decision(
        "Disable",
        "It stands still until somebody enables it. What it has open stays open, and nothing is told.",
        "Disable it",
        DisableForm,
        None,
        _disable,
    ),
}
"""By the last part of the address."""
