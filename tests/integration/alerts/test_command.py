"""`manage.py rules`."""

import io
import json
from collections.abc import Callable
from typing import Any

import pytest
from bson import ObjectId
from django.core.management import CommandError, call_command

from alerts_app import faring
from alerts_app.models import Rule
from tests.integration.alerts.conftest import Told

pytestmark = pytest.mark.django_db


def run(*arguments: str) -> str:
    out = io.StringIO()
    call_command("rules", *arguments, stdout=out)
    return out.getvalue()


def test_they_are_listed_with_how_they_fare(make_rule: Callable[..., Rule], told: Told) -> None:
    rule = make_rule()
    assert run("list") == "by-location\twindow\tin\tout\tactive\t-\t-\t-\n"
    told.take(rule)
    told.stand(rule, unusable=2)
    assert run("list") == "by-location\twindow\tin\tout\tactive\t1\t0\t2\n"


@pytest.mark.parametrize(("most", "shown"), [(3, "3"), (2, "2+")])
def test_what_is_not_counted_to_its_end_is_not_said_to_be_all(
    make_rule: Callable[..., Rule], told: Told, archive: Any, monkeypatch: Any, most: int, shown: str
) -> None:
    rule = make_rule()
    told.stand(rule)
    archive.insert_many(
        {"_id": ObjectId(), "channel": "in", "position": f"9000000000000-{number:010d}-00000"}
        for number in range(3)
    )
    monkeypatch.setattr(faring, "MOST_COUNTED", most)

    fares = json.loads(run("show", "by-location"))["fares"]

    assert (fares["waiting"], fares["waiting_exact"]) == (most, most == 3)
    assert run("list").split("\t")[6] == shown
    assert faring.of_all([rule])[rule.uuid.hex].waits == shown


def test_one_is_shown_as_json(make_rule: Callable[..., Rule], told: Told) -> None:
    rule = make_rule()
    told.stand(rule, unusable=2)
    shown: dict[str, Any] = json.loads(run("show", "by-location"))
    assert (shown["name"], shown["fares"]["unusable"]) == ("by-location", 2)


def test_one_is_disabled_and_enabled(make_rule: Callable[..., Rule], told: Told) -> None:
    rule = make_rule()
    run("disable", "by-location", "--reason", "a drill")
    assert "disabled (a drill)" in run("list")
    assert "from where it stands" in run("enable", "by-location")
    assert Rule.objects.get().uuid == rule.uuid
    assert "anew" in run("enable", "by-location", "--from", "earliest")
    assert Rule.objects.get().uuid != rule.uuid


def test_what_comes_along_is_laid_once_more(told: Told, settings: Any) -> None:
    with pytest.raises(CommandError, match="RELAY_ALERTS"):
        run("lay")
    settings.RELAY_ALERTS = "true"
    assert run("lay") == "Made alerts, alerts.events, alerts-by-location.\n"
    assert run("lay") == "All of it is there.\n"


@pytest.mark.parametrize("action", ["show", "enable", "disable"])
def test_one_that_is_not_there_is_said(action: str) -> None:
    with pytest.raises(CommandError, match='There is no rule "none"'):
        run(action, "none")


def test_a_place_that_is_none_is_said(make_rule: Callable[..., Rule]) -> None:
    make_rule()
    with pytest.raises(CommandError):
        run("enable", "by-location", "--from", "yesterday")
