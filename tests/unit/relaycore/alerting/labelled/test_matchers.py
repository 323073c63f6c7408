"""Matchers: Alertmanager's meaning, and the forms in which they are written."""

import pytest

from relaycore.alerting.labelled import matchers
from relaycore.alerting.labelled.matchers import Matcher
from relaycore.alerting.labelled.refused import BadMatcher

_LABELS = {"severity": "critical", "job": "node"}


@pytest.mark.parametrize(
    ("text", "is_so"),
    [
        ("severity=critical", True),
        ("severity=warning", False),
        ("severity!=warning", True),
        ("severity!=critical", False),
        ("severity=~crit.*|warn.*", True),
        ("severity=~crit", False),  # Anchored.
        ("severity!~crit.*", False),
        ("severity!~crit", True),
        # A label that is lacking is as an empty one.
        ("missing=", True),
        ('missing=""', True),
        ("missing!=", False),
        ("missing!=x", True),
        ("missing=~.*", True),
        ("missing=~.+", False),
        ("missing!~.+", True),
    ],
)
def test_match_as_alertmanager_says(text: str, is_so: bool) -> None:
    assert matchers.parse(text).match(_LABELS) is is_so


@pytest.mark.parametrize(
    ("text", "matcher"),
    [
        ("a=b", Matcher("a", "b")),
        (" a = b c ", Matcher("a", "b c")),
        ('a="b"', Matcher("a", "b")),
        ('"my label"=~"x|y"', Matcher("my label", "x|y", True)),
        (r'a="say \"hi\"\n\\"', Matcher("a", 'say "hi"\n\\')),
        (r'a=~"\d+\.x"', Matcher("a", r"\d+\.x", True)),
        ("a!~b", Matcher("a", "b", True, False)),
        ("a==b", Matcher("a", "=b")),
        ("a.b-c=d", Matcher("a.b-c", "d")),
    ],
)
def test_are_read_from_text(text: str, matcher: Matcher) -> None:
    assert matchers.parse(text) == matcher
    assert matchers.of(matcher.shown()) == matcher
    assert matchers.parse(str(matcher)) == matcher


@pytest.mark.parametrize(
    "text", ["", "a", "=b", "a>b", 'a="b', 'a="b"c', "a=~[", '{a="b"}', "a=" + "x" * 5_000]
)
def test_are_refused_where_they_cannot_be_meant(text: str) -> None:
    with pytest.raises(BadMatcher):
        matchers.parse(text)


def test_are_equal_where_the_api_does_not_say() -> None:
    assert matchers.of({"name": "a", "value": "b", "isRegex": False}) == Matcher("a", "b")
    assert matchers.of({"name": "a", "value": "b", "isRegex": False, "isEqual": None}) == Matcher("a", "b")


@pytest.mark.parametrize(
    "given",
    [None, 1, {}, {"name": "a"}, {"name": "a", "value": 1}, {"name": "a", "value": "b", "isRegex": "yes"}],
)
def test_must_have_the_form_of_the_api(given: object) -> None:
    with pytest.raises(BadMatcher):
        matchers.of(given)


def test_are_not_asked_twice_nor_without_end() -> None:
    assert len(matchers.several(["a=b", "a=b", "a=c"])) == 2
    with pytest.raises(BadMatcher, match="50"):
        matchers.several(["a=b"] * 51)
    with pytest.raises(BadMatcher, match="list"):
        matchers.several("a=b")
