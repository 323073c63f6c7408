"""Who may speak for an alert: every publisher beside every event."""

import re

import pytest

from relaycore.alerting import speaking
from relaycore.alerting.acknowledging import ACKNOWLEDGE, BY_PEOPLE, RELEASE
from relaycore.alerting.rules import parse
from relaycore.publishing import producers

from .inputs import RULE, WINDOW, alert, said

RULES, PEOPLE = producers.rule("by-location"), producers.PEOPLE
OTHERS = [
    None,
    "",
    "a token",
    "token alerts",
    "user rule by-location",
    producers.RELAY,
    producers.ALERTMANAGER,
]
OTHER_RULE = "f" * 32


def attributes(event: str) -> dict[str, str]:
    return {"alert-id": "0" * 24, "rule": RULE, "event": event}


@pytest.mark.parametrize("event", ["open", "close", "notice", ACKNOWLEDGE, RELEASE])
@pytest.mark.parametrize("by", [RULES, PEOPLE, *OTHERS])
def test_rules_say_what_they_tell_and_relay_what_people_do(by: str | None, event: str) -> None:
    may = by == (PEOPLE if event in BY_PEOPLE else RULES)
    assert speaking.may(by, attributes(event)) is may
    assert speaking.of(RULE, by, attributes(event)) is may
    assert not speaking.of(OTHER_RULE, by, attributes(event))
    assert speaking.is_by_a_rule(by, attributes(event)) is (may and by == RULES)
    assert not may or re.search(speaking.PATTERN, by or "")


@pytest.mark.parametrize("by", [RULES, PEOPLE])
@pytest.mark.parametrize("lacks", [None, {}, {"event": "open"}, {"event": ACKNOWLEDGE, "rule": RULE}])
def test_what_is_said_of_no_alert_speaks_for_none(by: str, lacks: dict[str, str] | None) -> None:
    assert not speaking.may(by, lacks)


def test_what_a_rule_makes_may_speak_for_its_alerts() -> None:
    (made,) = said(parse("window", WINDOW), [alert(0, 0, 5)])
    assert speaking.of(RULE, RULES, made.attributes)
