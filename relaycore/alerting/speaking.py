"""Who may speak for an alert: its rule, by what it tells, and Relay, of what people do with it.

Attributes are what anybody may write who publishes, on whatever channel. So what stands in them is believed
only beside a `produced_by` that no door gives to a client (`relaycore.publishing.producers`): rules say
`open`, `close` and the like, and never what people do; Relay says what people do (`acknowledging`), and
nothing else. A rule cannot speak for another one, as the attributes of what it tells are written with it
(`making`).

What others publish on the same channel, attributes and all, is a message like any other. That holds for a
Relay that is given the messages of another one as well: it knows the tokens there, and not the rules.

Whoever shows something of one alert compares two more: the channel on which its rule tells, which is where
rights are compared, and the rule (`of`).
"""

from collections.abc import Mapping
from typing import Final

from relaycore.alerting.acknowledging import BY_PEOPLE, is_by_people
from relaycore.alerting.items import ALERT, EVENT, RULE
from relaycore.publishing import producers

Attributes = Mapping[str, str] | None

RULES: Final = f"^{producers.RULES}"
PATTERN: Final = f"{RULES}|^{producers.PEOPLE}$"
"""Of MongoDB's: rules, and whoever may speak, and perhaps others."""


def is_by_a_rule(produced_by: str | None, attributes: Attributes) -> bool:
    """Whether a rule tells it."""
    return (
        producers.is_rule(produced_by or "")
        and attributes is not None
        and RULE in attributes
        and attributes.get(EVENT) not in BY_PEOPLE
    )


def may(produced_by: str | None, attributes: Attributes) -> bool:
    """Whether it is said of an alert by somebody who may."""
    if attributes is None or ALERT not in attributes:
        return False
    if is_by_people(attributes):
        return produced_by == producers.PEOPLE
    return is_by_a_rule(produced_by, attributes)


def of(rule: str, produced_by: str | None, attributes: Attributes) -> bool:
    """The same, of an alert of this rule: its UUID as hex."""
    return may(produced_by, attributes) and attributes is not None and attributes.get(RULE) == rule
