"""Inhibition, beside a model that looks at every pair."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relaycore.alerting.labelled import inhibition
from relaycore.alerting.labelled.inhibition import Inhibition, Inhibitor
from relaycore.alerting.labelled.matchers import match_all
from relaycore.alerting.labelled.refused import BadMatcher

_RULE = {"source_matchers": ["severity=critical"], "target_matchers": ["severity=warning"], "equal": ["host"]}
_BOTH = {"source_matchers": ["job=~a|b"], "target_matchers": ["job=~b|c"], "equal": ["host"]}


def _held(rule: dict[str, object], labels: dict[str, str], *firing: dict[str, str]) -> list[str]:
    return Inhibitor([inhibition.of(rule)], [(str(n), one) for n, one in enumerate(firing)]).inhibiting(
        labels
    )


def test_holds_back_what_has_the_same_labels() -> None:
    warning = {"severity": "warning", "host": "x"}
    assert _held(_RULE, warning, {"severity": "critical", "host": "x"}) == ["0"]
    assert _held(_RULE, warning, {"severity": "critical", "host": "y"}) == []
    assert _held(_RULE, warning, {"severity": "info", "host": "x"}) == []
    assert _held(_RULE, {"severity": "info", "host": "x"}, {"severity": "critical", "host": "x"}) == []


def test_takes_a_label_that_is_lacking_for_an_empty_one() -> None:
    assert _held(_RULE, {"severity": "warning"}, {"severity": "critical"}) == ["0"]


def test_does_not_let_an_alert_hold_back_itself() -> None:
    both = {"job": "b", "host": "x"}
    assert _held(_BOTH, both, both) == []
    # Nor two that are both, each other.
    assert _held(_BOTH, both, both, {**both, "n": "2"}) == []
    assert _held(_BOTH, both, {"job": "a", "host": "x"}) == ["0"]
    assert _held(_BOTH, {"job": "c", "host": "x"}, both) == ["0"]


_SETS = st.fixed_dictionaries({}, optional={name: st.sampled_from("abc") for name in ("job", "host", "env")})
_ASKED = ("job=a", "job=~a|b", "job!=c", "host=a", "env=", "env=~.+")
_MATCHERS = st.lists(st.sampled_from(_ASKED), min_size=1, max_size=2)
_RULES = st.fixed_dictionaries(
    {
        "source_matchers": _MATCHERS,
        "target_matchers": _MATCHERS,
        "equal": st.lists(st.sampled_from(["host", "env"]), max_size=2),
    }
)


def _is_held(rules: list[Inhibition], labels: dict[str, str], firing: list[dict[str, str]]) -> bool:
    """As Alertmanager's documentation says it, one after another."""
    for rule in rules:
        if not match_all(rule.target, labels):
            continue
        for other in firing:
            is_source = match_all(rule.source, other)
            is_same = all(labels.get(name, "") == other.get(name, "") for name in rule.equal)
            are_both = match_all(rule.source, labels) and match_all(rule.target, other)
            if is_source and is_same and not are_both:
                return True
    return False


@given(st.lists(_RULES, max_size=3), _SETS, st.lists(_SETS, max_size=6))
def test_holds_back_what_the_model_holds_back(
    rules: list[object], labels: dict[str, str], firing: list[dict[str, str]]
) -> None:
    read = [inhibition.of(rule) for rule in rules]
    found = Inhibitor(read, [(str(n), one) for n, one in enumerate(firing)]).inhibiting(labels)
    assert bool(found) is _is_held(read, labels, firing)


@pytest.mark.parametrize(
    "given",
    [
        [],
        {},
        {**_RULE, "source_matchers": []},
        {**_RULE, "equal": "host"},
        {**_RULE, "equal": [""]},
        {**_RULE, "more": 1},
        {**_RULE, "equal": [str(n) for n in range(21)]},
    ],
)
def test_must_be_in_its_form(given: object) -> None:
    with pytest.raises(BadMatcher):
        inhibition.of(given)


def test_says_which_list_is_not_there() -> None:
    with pytest.raises(BadMatcher, match=r"^target_matchers must be a list"):
        inhibition.of({"source_matchers": ["a=b"]})
