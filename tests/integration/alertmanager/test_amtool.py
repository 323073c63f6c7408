"""Debian's amtool, which nobody here wrote: alerts and silences, as its manual has them."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from access_app import tokens
from relaycore.rights import Grant, Grants
from tests.integration.alertmanager.conftest import Amtool, Told

pytestmark = pytest.mark.django_db(transaction=True)

Wait = Callable[..., None]

_LATE = "--end=2031-01-01T00:00:00Z"


def test_alerts_are_added_and_found(amtool: Amtool, told: Told, wait_until: Wait) -> None:
    assert amtool.json("alert", "query") == []
    amtool.run(
        "alert",
        "add",
        "alertname=Slow",
        "host=a",
        "--annotation=summary=so slow",
        _LATE,
    )
    amtool.run("alert", "add", "Down", "host=b", _LATE, "--generator-url=http://x/")
    found = {one["labels"]["alertname"]: one for one in amtool.json("alert", "query")}
    assert set(found) == {"Slow", "Down"}
    assert found["Slow"]["annotations"] == {"summary": "so slow"}
    assert found["Slow"]["status"]["state"] == "active"
    assert found["Down"]["generatorURL"] == "http://x/"
    assert [one["labels"]["host"] for one in amtool.json("alert", "query", "Slow")] == ["a"]
    assert [one["labels"]["host"] for one in amtool.json("alert", "query", "host=~a|c")] == ["a"]
    assert "Slow" in amtool.run("alert", "query", "alertname=Slow")
    wait_until(lambda: len(told()) == 2)
    assert {(one["status"], one["labels"]["alertname"]) for one in told()} == {
        ("firing", "Slow"),
        ("firing", "Down"),
    }


def test_an_alert_without_times_begins_now_and_ends_if_nobody_repeats_it(
    amtool: Amtool, told: Told, wait_until: Wait
) -> None:
    amtool.run("alert", "add", "alertname=Short")
    assert len(amtool.json("alert", "query")) == 1
    wait_until(lambda: [one["status"] for one in told()] == ["firing", "resolved"])
    assert amtool.json("alert", "query") == []


def test_a_silence_is_made_found_changed_and_expired(amtool: Amtool) -> None:
    amtool.run("alert", "add", "alertname=Slow", "host=a", _LATE)
    amtool.run("alert", "add", "alertname=Slow", "host=b", _LATE)
    id = amtool.run("silence", "add", "alertname=Slow", "host=~a.*", "--author=me", "--comment=known").strip()
    (found,) = amtool.json("silence", "query")
    assert (found["id"], found["comment"], found["createdBy"]) == (id, "known", "me")
    assert found["status"] == {"state": "active"}
    # Of the alerts that are shown, the silenced ones are left out.
    assert [one["labels"]["host"] for one in amtool.json("alert", "query")] == ["b"]
    silenced = amtool.json("alert", "query", "--silenced")
    assert [(one["labels"]["host"], one["status"]["silencedBy"]) for one in silenced] == [("a", [id])]

    # Another end is the same silence.
    amtool.run("silence", "update", "--duration=3h", id)
    (changed,) = amtool.json("silence", "query")
    assert changed["id"] == id
    assert changed["endsAt"] > found["endsAt"]

    amtool.run("silence", "expire", id)
    assert amtool.json("silence", "query") == []
    assert [one["id"] for one in amtool.json("silence", "query", "--expired")] == [id]
    assert len(amtool.json("alert", "query")) == 2
    # Another time is no error.
    amtool.run("silence", "expire", id)


def test_silences_are_found_by_what_they_match(amtool: Amtool) -> None:
    for name in ("Slow", "Down"):
        amtool.run("silence", "add", f"alertname={name}", "--author=me", "--comment=x")
    assert [one["matchers"][0]["value"] for one in amtool.json("silence", "query", "alertname=Down")] == [
        "Down"
    ]
    assert len(amtool.run("silence", "query", "--quiet").split()) == 2


def test_silences_of_another_one_are_imported(amtool: Amtool, tmp_path: Path) -> None:
    for name in ("Slow", "Down"):
        amtool.run("silence", "add", f"alertname={name}", "--author=me", "--comment=x")
    exported = amtool.run("silence", "query", "--output=json")
    # Here they are known by their ids, so these stay what they are.
    amtool.run("silence", "import", stdin=exported)
    assert len(amtool.json("silence", "query")) == 2
    # With ids that nobody knows here they are new ones.
    strange = json.loads(exported)
    for number, one in enumerate(strange):
        one["id"] = f"00000000-0000-4000-8000-00000000000{number}"
    amtool.run("silence", "import", stdin=json.dumps(strange))
    assert len(amtool.json("silence", "query")) == 4


def test_a_silence_that_cannot_be_meant_is_refused_with_the_reason(amtool: Amtool) -> None:
    done = amtool.try_("silence", "add", "alertname=~.*", "--author=me", "--comment=x")
    assert done.returncode != 0
    assert "silence everything" in done.stderr


def test_it_shows_what_it_is_made_of(amtool: Amtool) -> None:
    assert "receiver" in amtool.run("config", "show")
    assert "relay" in amtool.run("config", "routes", "show")
    assert "disabled" in amtool.run("cluster", "show")


def test_the_password_of_basic_is_a_token(
    serve: Callable[..., str], operator: Any, relay_keys: Any, tmp_path: Path
) -> None:
    if shutil.which("amtool") is None:
        pytest.skip("amtool is not installed: apt-get install prometheus-alertmanager")
    url = serve(RELAY_ALERTMANAGER="token")
    read = Grants((Grant("read", ("relay/*",)),))
    _, key = tokens.make("reader", operator, grants=read)
    _, manages = tokens.make("manager", operator, grants=Grants((Grant("manage", ("relay/*",)),)))

    def of(who: str) -> Amtool:
        return Amtool(url.replace("://", f"://prometheus:{who}@") + "/alertmanager", tmp_path)

    of(manages).run("silence", "add", "alertname=x", "--author=me", "--comment=x")
    assert len(of(key).json("silence", "query")) == 1
    refused = of(key).try_("silence", "add", "alertname=y", "--author=me", "--comment=x")
    assert refused.returncode != 0
    assert "403" in refused.stderr
    wrong = of("nonsense").try_("silence", "query")
    assert wrong.returncode != 0
    assert "401" in wrong.stderr
