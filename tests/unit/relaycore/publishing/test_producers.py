"""What a client publishes is never published by one of Relay's own names."""

import pytest

from relaycore.publishing import producers

OWN = ["relay", "alerts", "alertmanager", "log queue", "rule ", "rule by-location"]


@pytest.mark.parametrize("kind", ["token", "user"])
@pytest.mark.parametrize("name", OWN)
def test_a_client_with_a_name_of_relays_own_is_told_apart(name: str, kind: str) -> None:
    shown = producers.client(kind, name)
    assert shown == f"{kind} {name}"
    assert shown not in OWN
    assert not producers.is_rule(shown)


@pytest.mark.parametrize("name", ["billing", "rules", "relay 2", "Relay", "", "alerts.doors"])
def test_any_other_name_stays(name: str) -> None:
    assert producers.client("token", name) == name


def test_what_a_rule_tells_has_its_name() -> None:
    assert producers.rule("by-location") == "rule by-location"
    assert producers.is_rule(producers.rule("by-location"))
